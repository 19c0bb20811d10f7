"""How this process was started: by ``torchrun``, as one of several, or alone."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import NoReturn

from negsample.errors import InputError

INTERRUPTED = 130
"""The exit code of a process that was interrupted."""


def launched() -> bool:
    """Whether ``torchrun`` started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ and "WORLD_SIZE" in os.environ


def launched_size() -> int:
    """How many processes ``torchrun`` started; 1 without it."""
    return int(os.environ["WORLD_SIZE"]) if launched() else 1


def launched_rank() -> int:
    """The number of this process among those that ``torchrun`` started; 0 without it."""
    return int(os.environ["RANK"]) if launched() else 0


def check_alone(command: str) -> None:
    """Refuses work that one process does, where ``torchrun`` started several.

    Raises:
        InputError: as it says.
    """
    if launched_size() > 1:
        raise InputError(
            f"torchrun started {launched_size()} processes, and {command} is the work of one; several share "
            "`train ... --set table=sharded`, `final` and `recommend` alone. Start it without torchrun"
        )


def leave(code: int | None) -> NoReturn:
    """End this process with exit ``code``; None is 0.

    One that ``torchrun`` started, or that was interrupted, ends at once when its exit functions are done: threads of
    gloo and of Ray may still let go of what they hold, and would crash a Python that is taking itself apart ("terminate
    called without an active exception"); and a Python whose ``exec`` was interrupted would end with that signal.
    """
    if launched() or code == INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends already
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code or 0)
    sys.exit(code)
