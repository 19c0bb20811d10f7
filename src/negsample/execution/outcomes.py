"""What comes of the runs of a study while it lasts: who watches is told, and failures are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from negsample.execution.processes import Lost
from negsample.execution.tasks import Training
from negsample.runs.failed import Failed, forget_failed, write_failed
from negsample.runs.folder import is_run
from negsample.runs.job import Job
from negsample.runs.reasons import failed_for
from negsample.training.state import Epoch

Watch = Callable[[Job, Epoch | Failed | None], None]
"""Called after each epoch of a job, with None when the job is finished, and with why when it failed."""


class Outcomes:
    """Of ``tasks`` of the study in ``out``.

    Attributes:
        failures: of the jobs that failed, by name.
    """

    def __init__(self, out: Path, tasks: Sequence[Training], watch: Watch) -> None:
        self.failures: dict[str, Failed] = {}
        self._out, self._tasks, self._watch = out, tasks, watch

    def fail(self, job: Job, failed: Failed) -> None:
        """``job`` failed."""
        self.failures[job.name] = failed
        write_failed(self._out, failed)
        self._watch(job, failed)

    def heed(self, number: int, message: Any) -> None:
        """What a task says, see :data:`negsample.execution.processes.Heed`."""
        task = self._tasks[number]
        if message is None or isinstance(message, Lost):
            for job in task.jobs:
                self._end(job, message)
        else:
            of, said = message
            if isinstance(said, Failed):
                self.fail(task.jobs[of], said)
            else:
                self._watch(task.jobs[of], said)

    def _end(self, job: Job, lost: Lost | None) -> None:
        if job.name in self.failures:
            return
        if lost is None or is_run(self._out / "runs" / job.name):
            forget_failed(self._out, job.name)
            self._watch(job, None)
        else:
            self.fail(
                job, failed_for(job, "killed", f"its {lost.reason}; the same command carries on from its checkpoint")
            )
