"""Vega-Lite charts as SVG, drawn in a process of its own: the renderer can abort the whole process it is in."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from types import TracebackType
from typing import Any

from negsample.files.folders import finite

_RENDERER = Path(__file__).with_name("renderer.py")
_SECONDS = 60.0  # a chart takes a tenth of one
_TRIES = 2


class Drawing:
    """One renderer for all charts of a report, started anew when it has died; to be left by ``with``."""

    def __init__(self) -> None:
        self._renderer: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Drawing:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end()

    def svg(self, spec: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
        """The chart, or None where it cannot be drawn: the renderer died or took a minute, twice, or refused it."""
        asked = json.dumps(finite({"spec": spec, "config": config}), allow_nan=False).encode() + b"\n"
        for _ in range(_TRIES):
            answer = self._ask(asked)
            if answer is not None:
                svg: str | None = json.loads(answer)
                return svg
            self._end()
        return None

    def _ask(self, asked: bytes) -> bytes | None:
        if self._renderer is None:
            # -P: the folder of the renderer is none where it looks for packages.
            command = [sys.executable, "-P", str(_RENDERER)]
            self._renderer = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
        there, back = self._renderer.stdin, self._renderer.stdout
        assert there is not None
        assert back is not None
        try:
            there.write(asked)
            there.flush()
        except OSError:  # it is dead
            return None
        with DefaultSelector() as selector:
            selector.register(back, EVENT_READ)
            if not selector.select(_SECONDS):
                return None
        answer = back.readline()
        return answer if answer.endswith(b"\n") else None

    def _end(self) -> None:
        if self._renderer is not None:
            self._renderer.kill()
            self._renderer.wait()
            for pipe in (self._renderer.stdin, self._renderer.stdout):
                assert pipe is not None
                with suppress(OSError):  # what was written last has nobody to read it
                    pipe.close()
            self._renderer = None
