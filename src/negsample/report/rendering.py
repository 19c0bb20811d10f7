"""How pages are made of templates: what came from outside is escaped, and what is missing is an error."""

from __future__ import annotations

import base64
import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from negsample.data.popularity import MPU
from negsample.files.folders import finite


@cache  # it keeps the templates that it has compiled
def environment(folder: Path) -> Environment:
    """For the templates in ``folder`` and those of the report; the filter ``named`` shows what stands in backticks as a
    name."""
    made = Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["named"] = _named
    made.globals["MPU"] = MPU
    made.policies["json.dumps_function"] = _json
    return made


def packed(text: str) -> str:
    """``text`` as base64 of gzip, the same for the same text: what a page unpacks when it is opened."""
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _json(value: Any, **options: Any) -> str:
    """A browser reads no NaN."""
    return json.dumps(finite(value), allow_nan=False, **options)


def _named(text: str) -> Markup:
    return Markup(re.sub(r"`([^`]+)`", r'<b class="name">\1</b>', str(escape(text))))
