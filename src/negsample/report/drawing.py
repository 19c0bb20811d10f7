"""Vega-Lite charts as SVG, drawn in a process of their own: the renderer can abort the whole process it is in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from negsample.files.folders import finite

_RENDERER = Path(__file__).with_name("renderer.py")
_SECONDS = 60.0  # that a renderer has, and one more for each chart, which takes a tenth of that
_TRIES = 2


def drawn(specs: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> list[str | None]:
    """Each chart, or None where it cannot be drawn: the renderer refused it, or died of it or hung, twice."""
    asked = [json.dumps(finite({"spec": spec, "config": config}), allow_nan=False) + "\n" for spec in specs]
    found: list[str | None] = []
    failed = 0  # how often the next one did
    while len(found) < len(asked):
        answers = _answers(asked[len(found) :])
        found += answers
        failed = 1 if answers else failed + 1
        if failed == _TRIES:
            found.append(None)
            failed = 0
    return found


def _answers(asked: Sequence[str]) -> list[str | None]:
    """What one renderer gives, as far as it comes."""
    command = [sys.executable, "-P", str(_RENDERER)]  # -P: its folder is none where it looks for packages
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        lines = subprocess.run(command, input="".join(asked).encode(), timeout=_SECONDS + len(asked), **pipes).stdout
    except subprocess.TimeoutExpired as hung:
        lines = hung.stdout or b""
    return [json.loads(line) for line in lines.splitlines(keepends=True) if line.endswith(b"\n")]
