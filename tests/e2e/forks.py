"""The client of forked.py: command lines of negsample without the seconds that its imports take."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from select import select
from typing import Any


class Forks:
    """A process that has imported negsample, and the commands that are forks of it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._server = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("forked.py"))],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )

    def start(
        self,
        arguments: Sequence[Any],
        stdout: Path,
        stderr: Path,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """The number of a process that leads a group of its own; the files are appended to."""
        return self._ask(
            arguments=[*map(str, arguments)],
            stdout=str(stdout.absolute()),
            stderr=str(stderr.absolute()),
            cwd=str(cwd or Path.cwd()),
            environment=dict(environment or self._environment),
        )

    def wait(self, number: int, seconds: float = 600.0) -> int:
        """The exit code, negative for a signal.

        Raises:
            TimeoutError: it took longer, and was killed.
        """
        self._send(wait=number)
        if select([self._server.stdout], [], [], seconds)[0]:
            return self._answer()
        os.killpg(number, signal.SIGKILL)
        self._answer()
        raise TimeoutError(f"a command took more than {seconds:g} s")

    def load(self, module: str) -> None:
        """Import it once for all commands that are started from now on."""
        self._ask(load=module)

    def close(self) -> None:
        """Ends the server."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.close()
        self._server.stdout.close()
        self._server.wait()

    def _ask(self, **what: Any) -> int:
        self._send(**what)
        return self._answer()

    def _send(self, **what: Any) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(what).encode() + b"\n")

    def _answer(self) -> int:
        assert self._server.stdout is not None
        return int(self._server.stdout.readline())
