"""Vega-Lite charts as SVG, PNG and Vega, made in a process of their own: the renderer can abort the one it is in."""

from __future__ import annotations

import base64
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
    """Each chart as SVG, or None where it cannot be drawn: the renderer refused it, or died of it or hung, twice."""
    return _asked([{"to": "svg", "spec": spec, "config": config} for spec in specs])


def compiled(specs: Sequence[Mapping[str, Any]], config: Mapping[str, Any]) -> list[dict[str, Any] | None]:
    """Each chart as Vega, which is what a browser draws; None as of :func:`drawn`."""
    return _asked([{"to": "vega", "spec": spec, "config": config} for spec in specs])


def pixels(svgs: Sequence[str], scale: float = 2.0) -> list[bytes | None]:
    """Each picture as PNG, ``scale`` pixels for one of the SVG; None as of :func:`drawn`."""
    found = _asked([{"to": "png", "svg": svg, "scale": scale} for svg in svgs])
    return [None if each is None else base64.b64decode(each) for each in found]


def _asked(questions: Sequence[Mapping[str, Any]]) -> list[Any]:
    asked = [json.dumps(finite(dict(each)), allow_nan=False) + "\n" for each in questions]
    found: list[Any] = []
    failed = 0  # how often the next one did
    while len(found) < len(asked):
        answers = _answers(asked[len(found) :])
        found += answers
        failed = 1 if answers else failed + 1
        if failed == _TRIES and len(found) < len(asked):
            found.append(None)
            failed = 0
    return found


def _answers(asked: Sequence[str]) -> list[Any]:
    """What one renderer gives, as far as it comes."""
    command = [sys.executable, "-P", str(_RENDERER)]  # -P: its folder is none where it looks for packages
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    try:
        lines = subprocess.run(command, input="".join(asked).encode(), timeout=_SECONDS + len(asked), **pipes).stdout
    except subprocess.TimeoutExpired as hung:
        lines = hung.stdout or b""
    return [json.loads(line) for line in lines.splitlines(keepends=True) if line.endswith(b"\n")]
