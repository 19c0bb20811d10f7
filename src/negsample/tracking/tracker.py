"""When a study is logged: MLflow is asked first, runs are logged as they finish, and no failure stops the study."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

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
    again until its end, and what is missing then is reported. An interrupted block logs nothing more.

    Args:
        study: from :func:`track`; None: nothing is logged.
        say: called with one line on what is not logged.
    """
    if study is None:
        yield lambda watch: watch
        return
    logged: set[str] = set()
    failed = False

    def logging(watch: Watch) -> Watch:
        def watch_and_log(job: Job, what: Epoch | Failed | None) -> None:
            nonlocal failed
            watch(job, what)
            if what is None and not failed:
                failed = _why_not(lambda: study.log(job.name)) is not None
                logged.update(() if failed else [job.name])

        return watch_and_log

    yield logging
    runs, why = study.runs(), None
    left = [name for name in runs if name not in logged]
    while left and (why := _why_not(lambda: study.log(left[0]))) is None:
        left.pop(0)
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
