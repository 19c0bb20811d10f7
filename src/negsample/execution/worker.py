"""How a worker process starts: it ends with its parent from its first moment on, so nothing heavy is imported here."""

from __future__ import annotations

import ctypes
import pickle
import signal
import sys
from multiprocessing.connection import Connection
from typing import Any

_PR_SET_PDEATHSIG = 1  # of linux/prctl.h


def begin(line: Connection, work: bytes) -> None:
    """What a worker process does: see to its end, and only then read ``work``, which imports torch, and call it.

    Args:
        line: to the parent, the first argument of what is called.
        work: a function and its other arguments, packed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    die_with_parent()
    function, *arguments = from_message(work)
    function(line, *arguments)


def to_message(value: Any) -> bytes:
    """``value`` for another process, with the plugins that it may need."""
    from negsample.plugins import loaded

    return pickle.dumps((loaded(), pickle.dumps(value)))


def from_message(packed: bytes) -> Any:
    """What :func:`to_message` packed; its plugins are loaded first.

    Raises:
        InputError: a plugin cannot be loaded here.
    """
    _, value = pickle.loads(packed)
    return pickle.loads(value)


def die_with_parent() -> None:
    """See that this process ends when its parent does, however that ends.

    On Linux the system kills it, whatever it is doing. Elsewhere, and where the parent died before this was called, it
    ends when it next uses the line to its parent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
