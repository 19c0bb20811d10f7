"""What a study has to do, in pieces that are done anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from negsample.dial import Choice
from negsample.job import Job, do_together
from negsample.workers import Heed, Task, in_processes, one_by_one


class Training(NamedTuple):
    """Jobs that are trained together and measured, their folders, and how their dial is chosen.

    It says which of the jobs, and the epoch that is over.
    """

    jobs: Sequence[Job]
    folders: Sequence[Path]
    dial: Choice

    @property
    def name(self) -> str:
        """What a person calls it."""
        job = self.jobs[0]
        seeds = ", ".join(str(each.seed) for each in self.jobs)
        return f"{job.data.name} {job.method} seed {seeds}"

    def do(self, say: Callable[[Any], None]) -> bool:
        """See :class:`negsample.workers.Task`."""
        jobs = list(self.jobs)
        return do_together(jobs, self.folders, dial=self.dial, watch=lambda job, epoch: say((jobs.index(job), epoch)))


def carry_out(tasks: Sequence[Task], heed: Heed, tell: Callable[[str], None], *, at_once: int = 1) -> None:
    """Do every task, one by one here or ``at_once`` at a time; see :mod:`negsample.workers`."""
    if at_once > 1 and len(tasks) > 1:
        in_processes(tasks, at_once, heed, tell)
    else:
        one_by_one(tasks, heed, tell)
