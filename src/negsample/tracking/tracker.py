"""What a study does with its tracking: look before it begins, log as runs finish, and never stop for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from negsample.files.checksums import LIST, settled
from negsample.runs.folder import is_run
from negsample.tracking.server import connect, reason
from negsample.tracking.study import TrackedStudy, experiment_of

if TYPE_CHECKING:
    from negsample.execution.trainings import Watch
    from negsample.runs.failed import Failed
    from negsample.runs.job import Job
    from negsample.training.state import Epoch

_ATTEMPTS = 2  # a connection that was closed meanwhile is the usual reason of a failure


def track(uri: str | None, folder: Path) -> TrackedStudy | None:
    """The study in ``folder`` as the MLflow at ``uri`` has it; None is for no tracking.

    Raises:
        InputError: that MLflow could not take the study, see :func:`negsample.tracking.server.connect`.
    """
    if uri is None:
        return None
    experiment = experiment_of(folder)
    return TrackedStudy(connect(uri, experiment), folder, experiment)


@contextmanager
def tracked(study: TrackedStudy | None, say: Callable[[str], None]) -> Iterator[Callable[[Watch], Watch]]:
    """Log each run of ``study`` as it finishes: gives what makes a ``watch`` into one that also logs.

    When the block ends well, what is missing and the report follow. A failure never stops a study: nothing is tried
    again until its end, and what is missing then is told. An interrupted block logs nothing more.

    Args:
        study: from :func:`track`; None: nothing is logged.
        say: told in one line what is not logged.
    """
    if study is None:
        yield lambda watch: watch
        return
    logged: set[tuple[str, int]] = set()
    failed = False

    def log(name: str) -> str | None:
        """Why the run of that name could not be logged; None: it is."""
        folder = study.folder / "runs" / name
        stamp = _stamp(folder)
        why = _why_not(lambda: study.log(folder))
        if why is None:
            logged.add((name, stamp))
        return why

    def logging(watch: Watch) -> Watch:
        def watch_and_log(job: Job, what: Epoch | Failed | None) -> None:
            nonlocal failed
            watch(job, what)
            if what is None and not failed:
                failed = log(job.name) is not None

        return watch_and_log

    yield logging
    runs = _runs(study.folder)
    left = [name for name in runs if (name, _stamp(study.folder / "runs" / name)) not in logged]
    why = None
    while left and why is None:
        why = log(left[0])
        left = left if why else left[1:]
    if why is None:
        why = _why_not(study.log_report)
    if why is not None:
        what = f"{len(left)} of {len(runs)} runs and the report" if left else "the report"
        say(f"not logged to {study.uri}: {what} ({why}); the study is whole, and the same command logs what is missing")


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
    about = settled(folder / LIST, "study", lambda listed: listed.read_json("study.json"))
    return [name for name in (*about["runs"], *about["oversampling"]) if is_run(folder / "runs" / name)]


def _stamp(folder: Path) -> int:
    """When the figures of the run in ``folder`` were written: another process may choose its dial anew."""
    return (folder / "metrics.json").stat().st_mtime_ns
