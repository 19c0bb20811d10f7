"""What a study has to do, in pieces that are done anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from negsample.execution.attempts import do_together
from negsample.execution.backend import LOCAL, Where
from negsample.execution.processes import Heed, Task, in_processes, one_by_one
from negsample.runs.failed import Failed
from negsample.runs.job import Job
from negsample.scoring.dial import Choice
from negsample.training.state import Epoch


class Training(NamedTuple):
    """Jobs that are trained together and measured, their folders, and how their dial is chosen.

    It says which of the jobs, and the epoch that is over, or why it failed.
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

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process go absolute folders."""
        return Training, (self.jobs, [folder.absolute() for folder in self.folders], self.dial)

    @property
    def writes(self) -> Path:
        """See :class:`negsample.execution.processes.Task`."""
        return self.folders[0].parent

    @property
    def reads(self) -> list[Path]:
        """See :class:`negsample.execution.processes.Task`."""
        return [self.jobs[0].data.manifest_path]

    def do(self, say: Callable[[Any], None]) -> bool:
        """See :class:`negsample.execution.processes.Task`."""
        seeds = [job.seed for job in self.jobs]  # they differ in nothing else

        def tell(job: Job, what: Epoch | Failed) -> None:
            say((seeds.index(job.seed), what))

        return do_together(self.jobs, self.folders, dial=self.dial, watch=tell, failing=tell)


def carry_out(
    tasks: Sequence[Task], heed: Heed, tell: Callable[[str], None], *, at_once: int = 1, on: Where = LOCAL
) -> None:
    """Do every task, one by one here or ``at_once`` at a time, however few are left; ``on``: here, or on Ray.

    ``heed`` is called with what a task says, with :class:`negsample.execution.processes.Lost` when its process was
    killed, and with None when it is done.
    """
    if on.ray and tasks:
        from negsample.execution.ray import on_ray  # Ray is an extra

        on_ray(tasks, on.address, at_once, heed, tell)
    elif at_once > 1 and tasks:
        in_processes(tasks, at_once, heed, tell)
    else:
        one_by_one(tasks, heed, tell)
