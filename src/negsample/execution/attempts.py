"""Runs, each claimed by one process and written whole or not at all; those that cannot be made are reported failed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from negsample.errors import FailedError, InputError
from negsample.files.claims import claimed, clear, empty, place_of
from negsample.files.folders import check_place
from negsample.parallel.processes import current
from negsample.runs.failed import Failed
from negsample.runs.folder import is_run, read_run
from negsample.runs.job import Job
from negsample.runs.make import make_runs
from negsample.runs.reasons import failed_by
from negsample.runs.shortage import is_of_the_system
from negsample.scoring.dial import NONE, Choice
from negsample.training.divergence import DivergedError
from negsample.training.state import Epoch


def _raising(job: Job, failed: Failed) -> None:
    raise FailedError([failed.line])


def run_job(
    job: Job, folder: Path, *, dial: Choice = NONE, watch: Callable[[Epoch], None] = lambda epoch: None
) -> None:
    """Train and measure ``job``, and choose its dial; ``folder`` appears whole when it is done, or not at all.

    Until then there is a hidden folder beside it, from which the same job is carried on when it was stopped.
    When another process has finished the same job there meanwhile, its run stays. Processes that train together
    (:mod:`negsample.parallel`) all call this.

    Raises:
        InputError: the folder cannot be written (raised before any work), another process does this job, or its
            settings do not go together.
        FailedError: the training diverged, or memory ran out.
        RuntimeError: it failed in another way; with its traceback.
    """
    processes = current()
    if processes is not None and not processes.is_first:  # the first one has claimed the folder for all
        make_runs([job], [folder], [place_of(folder)], dial, lambda _, epoch: watch(epoch))
        return
    failures: list[Failed] = []
    if not run_jobs(
        [job], [folder], dial=dial, watch=lambda _, epoch: watch(epoch), failing=lambda _, why: failures.append(why)
    ):
        raise InputError(f"another process is making {folder}; wait for it, or choose another --out")
    for failed in failures:
        if failed.kind == "refused":
            raise InputError(failed.reason)
        if failed.kind == "unexpected":
            raise RuntimeError(f"{folder} failed:\n{failed.facts['traceback']}")
        raise FailedError([failed.line])


def run_jobs(
    jobs: Sequence[Job],
    folders: Sequence[Path],
    *,
    dial: Choice = NONE,
    watch: Callable[[Job, Epoch], None] = lambda job, epoch: None,
    failing: Callable[[Job, Failed], None] = _raising,
) -> bool:
    """The same for jobs that differ in their seeds alone, trained as one batched model.

    When one of them fails, the others are trained again without it: all that are left where it is known which failed,
    as when it diverged, else each alone.

    Args:
        jobs: that differ in their seeds alone.
        folders: of each.
        dial: how it is chosen.
        watch: called after each epoch; what it raises ends the work.
        failing: called with each job that failed, and why. (default: that is an error)

    Returns:
        Whether they are done or failed; False: another process does one of them.

    Raises:
        InputError: a folder cannot be written.
        OSError: the system forbids it, or the disk is full.
        ValueError: there are several and they are no SASRec.
    """
    with claimed(folders) as places:
        if places is None:
            return False
        pieces = [_Piece(*each) for each in zip(jobs, folders, places, strict=True)]
        todo = [each for each in pieces if not (is_run(each.folder) and each.job.made(read_run(each.folder).config))]
        for piece in todo:
            check_place(piece.folder, new=True)
        groups, kept = [todo] if todo else [], set[Path]()
        while groups:
            group = groups.pop(0)
            failures = _attempt(group, dial, watch)
            if failures is None:
                groups += [[piece] for piece in group]
                continue
            for piece, failed in failures:
                failing(piece.job, failed)
                if failed.kind != "diverged":  # the others are carried on when they are tried again
                    kept.add(piece.place)
            failed_places = {piece.place for piece, _ in failures}
            left = [piece for piece in group if piece.place not in failed_places]
            groups += [left] if failures and left else []
        for place in set(places) - kept:
            clear(place)
    return True


class _Piece(NamedTuple):
    """A job, the folder of its run, and the hidden folder of what lies of it until then."""

    job: Job
    folder: Path
    place: Path


def _attempt(
    group: Sequence[_Piece], dial: Choice, watch: Callable[[Job, Epoch], None]
) -> list[tuple[_Piece, Failed]] | None:
    """Do a group; returns what failed of it. None: it is not known which one failed, each is to be tried alone."""
    jobs, folders, places = zip(*group, strict=True)
    callback = Callback(watch)
    try:
        make_runs(jobs, folders, places, dial, callback)
    except Exception as error:
        if error is callback.error or is_of_the_system(error):
            raise
        if isinstance(error, DivergedError):
            for piece in group:
                empty(piece.place)
            return [(group[number], failed_by(group[number].job, error)) for number in error.trainings]
        return None if len(group) > 1 else [(group[0], failed_by(group[0].job, error))]
    return []


class Callback:
    """Calls a function of the caller's; what that raises is theirs, and no failure of a run."""

    def __init__(self, function: Callable[..., None]) -> None:
        self._function = function
        self.error: Exception | None = None

    def __call__(self, *what: Any) -> None:
        """Call it."""
        try:
            self._function(*what)
        except Exception as error:
            self.error = error
            raise
