"""Where the tasks of a study are done: on this machine, or on a Ray cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import NamedTuple

from negsample.errors import InputError
from negsample.execution.tasks import OnMessage, Task, ThisProcess, run_with


class Backend(NamedTuple):
    """``ray``: on Ray. ``address``: of the cluster; None: Ray's choice, a running cluster or a new one of this machine.

    Made by :func:`parse_backend`.
    """

    ray: bool = False
    address: str | None = None

    @property
    def here(self) -> bool:
        """Whether this machine's memory says what fits: it does the work, or is part of what does."""
        return self.address in (None, "local")


LOCAL = Backend()


def parse_backend(text: str) -> Backend:
    """The backend that ``--on`` names: ``local``, ``ray`` or ``ray=ADDRESS``.

    ``ray`` takes the cluster at ``$RAY_ADDRESS``, else one that runs on this machine, else it starts one and stops it
    at the end. An address is ``HOST:PORT``, ``auto`` (a running cluster, which must be there) or ``local`` (a new one).

    Raises:
        InputError: it is none of these, or Ray is not installed.
    """
    kind, equals, given = text.partition("=")
    if text == "local":
        return LOCAL
    if kind != "ray" or (equals and not given):
        raise InputError(f"--on takes local, ray or ray=HOST:PORT, got '{text}'")
    address = given or os.environ.get("RAY_ADDRESS") or None
    host, colon, port = (address or "auto").rpartition(":")
    if address not in (None, "auto", "local") and not (host and colon and "/" not in host and port.isdecimal()):
        source = f"--on {text}" if given else f"RAY_ADDRESS={address}"
        raise InputError(
            f"{source} is no address of a Ray cluster: take HOST:PORT, auto or local (a Ray Client, ray://, cannot "
            "say how far a run is; start negsample on a machine of the cluster)"
        )
    if find_spec("ray") is None:
        raise InputError(f"--on {text} needs Ray, which is not installed: pip install 'negsample[ray]'")
    return Backend(True, address)


def run_tasks(
    tasks: Sequence[Task],
    on_message: OnMessage,
    on_line: Callable[[str], None],
    *,
    at_once: int = 1,
    on: Backend = LOCAL,
) -> None:
    """Do every task, one by one here or ``at_once`` at a time, however few are left; ``on``: here, or on Ray.

    ``on_message`` is called with what a task reports, with :class:`negsample.execution.tasks.Lost` when its process was
    killed, and with None when it is done.

    Raises:
        Exception: see :func:`negsample.execution.tasks.run_with`.
    """
    if not tasks:
        return
    if on.ray:
        from negsample.execution.ray import on_ray  # Ray is an extra

        on_ray(tasks, on.address, at_once, on_message, on_line)
    elif at_once > 1:
        from negsample.execution.processes import in_processes  # it imports torch

        in_processes(tasks, at_once, on_message, on_line)
    else:
        run_with(ThisProcess(tasks, on_message), tasks, 1, on_message, on_line)
