"""How a worker process starts and ends: with the process that asked for it, as soon as that one ends.

On Linux it is forked by a server that has imported torch once (:mod:`multiprocessing.forkserver`), so a worker costs
neither those seconds nor that memory. The server is one for all studies of a process.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import pickle
import signal
import sys
from collections.abc import Iterable, Mapping
from multiprocessing import forkserver, resource_tracker
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from tempfile import gettempdir
from typing import Any

from negsample.errors import InputError

_PR_SET_PDEATHSIG = 1  # of linux/prctl.h
_METHOD = "forkserver" if sys.platform == "linux" else "spawn"  # macOS: a fork of what has libraries of the system dies


def started(work: bytes, modules: Iterable[str]) -> tuple[BaseProcess, Connection]:
    """A worker process that does ``work`` (a function and its other arguments, packed), and the line to it.

    Args:
        work: its first argument will be the worker's end of the line.
        modules: that the server of forks imports when it starts.
    """
    context: Any = multiprocessing.get_context(_METHOD)
    ours, theirs = context.Pipe()
    process = context.Process(target=_begin, args=(theirs, dict(os.environ), work), daemon=True)
    if _METHOD == "forkserver":
        context.set_forkserver_preload([*modules])
    resource_tracker.ensure_running()  # here, since it lets interrupts through again
    allowed = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # the server inherits it: this process decides
    try:
        process.start()
    except OSError as error:
        if "AF_UNIX path too long" not in str(error):
            raise
        raise InputError(
            f"{gettempdir()} is too long a path for the sockets of worker processes; name a shorter one with $TMPDIR"
        ) from None
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, allowed)
    theirs.close()  # so that its end is seen
    return process, ours


def _begin(line: Connection, environment: Mapping[str, str], work: bytes) -> None:
    """What a worker process does: see to its end, and only then read ``work``, which imports torch, and call it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # also where it was spawned
    _die_with_parent()
    for name in os.environ.keys() - environment.keys():  # the server's is that of the first worker
        del os.environ[name]
    os.environ.update(environment)
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


def _die_with_parent() -> None:
    """See that this process ends when the one that asked for it does, however that ends.

    On Linux the server of forks ends when nobody is left who holds its pipe, which this process lets go of; and then
    the system kills this process, whatever it is doing. Elsewhere it ends when it next uses the line to its parent.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    server: Any = forkserver._forkserver
    if server._forkserver_alive_fd is not None:
        os.close(server._forkserver_alive_fd)
        server._forkserver_alive_fd = None
