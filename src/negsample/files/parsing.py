"""JSON that may be damaged, and why, in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from negsample.errors import InputError


def parsed(content: bytes, damaged: Callable[[str], InputError]) -> Any:
    """JSON; where it is none, what ``damaged`` makes of the reason is raised."""
    try:
        return json.loads(content.decode("utf-8"))
    except RecursionError:
        raise damaged("nested too deeply") from None
    except ValueError as error:
        raise damaged(str(error)) from None


def first_fault(error: ValidationError) -> str:
    """Which field breaks which rule."""
    first = error.errors(include_url=False)[0]
    where = ".".join(map(str, first["loc"]))
    rule = first["msg"].removeprefix("Value error, ")
    return f"{where}: {rule}" if where else rule
