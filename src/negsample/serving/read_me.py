"""The README of an export: what the files are, and a script that uses them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from negsample.serving.model import About

_PACKAGES = {"onnx": "onnxruntime", "torch": "torch", "vectors": "numpy", "faiss": "faiss-cpu"}


def read_me(to: str, about: About, **facts: Any) -> str:
    """The text of ``read_me.md.jinja`` for an export to ``to`` of what ``about`` says, with its ``facts``."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    until = str(np.datetime64(about.until - 1, "us").astype("datetime64[s]")).replace("T", " ")
    known = {"packages": f"{_PACKAGES[to]} polars", "until": until, "graph": to in ("onnx", "torch")}
    return made.get_template("read_me.md.jinja").render(to=to, about=about, **known, **facts) + "\n"
