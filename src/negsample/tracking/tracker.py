"""What a study does with its tracking: look before it begins, log as runs finish, and never stop for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from negsample.course import Epoch
from negsample.job import Job
from negsample.runs import is_run
from negsample.tracking.entry import text
from negsample.tracking.server import connect, reason
from negsample.tracking.study import TrackedStudy

_ATTEMPTS = 2  # a connection that was closed meanwhile is the usual reason of a failure

Watch = Callable[[Job, Epoch | None], None]


def check_tracking(uri: str | None, folder: Path) -> None:
    """Refuses a ``uri`` of MLflow that could not take the study in ``folder``; None is for no tracking.

    Raises:
        InputError: see :func:`negsample.tracking.server.connect`.
    """
    if uri is not None:
        connect(uri, text(folder.resolve().name))


@contextmanager
def tracked(watch: Watch, uri: str | None, folder: Path, say: Callable[[str], None]) -> Iterator[Watch]:
    """A ``watch`` for :func:`negsample.study.compare` that also logs each finished run to the MLflow at ``uri``.

    When the block ends well, what is missing and the report follow. A failure never stops a study: nothing is tried
    again until its end, and what is missing then is told. An interrupted block logs nothing more.

    Args:
        watch: is called first.
        uri: None: nothing is logged.
        folder: of the study.
        say: told in one line what is not logged.

    Raises:
        InputError: see :func:`check_tracking`.
    """
    if uri is None:
        yield watch
        return
    study = TrackedStudy(connect(uri, text(folder.resolve().name)), folder)
    logged: set[tuple[str, int]] = set()
    failed = False

    def log(name: str) -> str | None:
        """Why ``folder/runs/name`` could not be logged; None: it is."""
        stamp = _stamp(folder, name)
        why = _why_not(lambda: study.log(folder / "runs" / name))
        if why is None:
            logged.add((name, stamp))
        return why

    def watch_and_log(job: Job, epoch: Epoch | None) -> None:
        nonlocal failed
        watch(job, epoch)
        if epoch is None and not failed:
            failed = log(job.name) is not None

    yield watch_and_log
    runs = _runs(folder)
    left = [name for name in runs if (name, _stamp(folder, name)) not in logged]
    why = None
    while left and why is None:
        why = log(left[0])
        left = left if why else left[1:]
    if why is None:
        why = _why_not(study.log_report)
    if why is not None:
        what = f"{len(left)} of {len(runs)} runs and the report" if left else "the report"
        say(f"not logged to {uri}: {what} ({why}); the study is whole, and the same command logs what is missing")


def _why_not(do: Callable[[], None]) -> str | None:
    """Do it, and where that fails once more; None when it is done, else the reason."""
    why = None
    for _ in range(_ATTEMPTS):
        try:
            do()
        except Exception as error:  # of MLflow, requests, a database, the disk: tracking is never why a study stops
            why = reason(error)
        else:
            return None
    return why


def _runs(folder: Path) -> list[str]:
    """Names of the finished runs of the study in ``folder``, also those of other processes and earlier commands."""
    listed: list[str] = json.loads((folder / "study.json").read_text("utf-8"))["runs"]
    return [name for name in listed if is_run(folder / "runs" / name)]


def _stamp(folder: Path, name: str) -> int:
    """When the figures of a run were written: another process may choose its dial anew."""
    return (folder / "runs" / name / "metrics.json").stat().st_mtime_ns
