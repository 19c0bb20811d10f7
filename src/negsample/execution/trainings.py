"""The runs of a study as tasks, and their outcomes: the callback is called, and failures are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from negsample.execution.attempts import run_jobs
from negsample.execution.tasks import Lost
from negsample.runs.failed import Failed, forget_failed, write_failed
from negsample.runs.folder import is_run
from negsample.runs.job import Job
from negsample.runs.reasons import failed_for
from negsample.scoring.dial import Choice
from negsample.training.state import Epoch

Watch = Callable[[Job, Epoch | Failed | None], None]
"""Called after each epoch of a job, with None when the job is finished, and with why when it failed."""


class Training(NamedTuple):
    """Jobs that are trained together and measured, their folders, and how their dial is chosen: a task.

    It reports which of the jobs, and the epoch that is over, or why it failed.
    """

    jobs: Sequence[Job]
    folders: Sequence[Path]
    dial: Choice

    @property
    def name(self) -> str:
        """What a person calls it."""
        seeds = ", ".join(str(each.seed) for each in self.jobs)
        return f"{self.jobs[0].data.name} {self.jobs[0].method} seed {seeds}"

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process go absolute folders."""
        return Training, (self.jobs, [folder.absolute() for folder in self.folders], self.dial)

    @property
    def folder(self) -> Path:
        """See :class:`negsample.execution.tasks.Task`."""
        return self.folders[0].parent

    def run(self, report: Callable[[Any], None]) -> bool:
        """See :class:`negsample.execution.tasks.Task`."""
        seeds = [job.seed for job in self.jobs]  # they differ in nothing else

        def of_job(job: Job, what: Epoch | Failed) -> None:
            report((seeds.index(job.seed), what))

        return run_jobs(self.jobs, self.folders, dial=self.dial, watch=of_job, failing=of_job)


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

    def on_message(self, number: int, message: Any) -> None:
        """What a task reports, see :data:`negsample.execution.tasks.OnMessage`."""
        jobs = self._tasks[number].jobs
        if message is not None and not isinstance(message, Lost):
            of, what = message
            (self.fail if isinstance(what, Failed) else self._watch)(jobs[of], what)
            return
        for job in (each for each in jobs if each.name not in self.failures):
            if message is None or is_run(self._out / "runs" / job.name):
                forget_failed(self._out, job.name)
                self._watch(job, None)
            else:
                why = f"its {message.reason}; the same command carries on from its checkpoint"
                self.fail(job, failed_for(job, "killed", why))
