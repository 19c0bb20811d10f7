"""A study in MLflow: each of its runs exactly once, as it finishes, and no failure stops the study."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock
from pydantic import BaseModel, ValidationError

from negsample.errors import InputError
from negsample.files.checksums import LIST
from negsample.files.folders import write_json
from negsample.files.together import settled
from negsample.runs.folder import is_run
from negsample.tracking.entry import Entry, entry_of, text
from negsample.tracking.server import connect, why_not

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run as Logged

    from negsample.execution.trainings import Watch
    from negsample.runs.failed import Failed
    from negsample.runs.job import Job
    from negsample.training.state import Epoch

_PATIENCE = 60.0  # seconds for another process that is logging the same study
_BATCH = 900  # values a request; MLflow takes 1000 of all kinds, 100 of them params
_REPORT = ("report.html", "table.csv")


class _Identity(BaseModel):
    """What ``mlflow.json`` in a study's folder keeps."""

    study: uuid.UUID


def experiment_of(folder: Path) -> str:
    """Where the study in ``folder`` is logged: as ``MLFLOW_EXPERIMENT_NAME``, else the folder's name."""
    return text(os.environ.get("MLFLOW_EXPERIMENT_NAME") or folder.resolve().name)


class TrackedStudy:
    """The experiment of a study: a summary with the report, and below it the runs.

    Tags say what is there. ``negsample.study``: the number that ``mlflow.json`` in the study's folder keeps, so that
    several studies in one experiment have runs and reports of their own. ``negsample.key``: which run it is, or
    ``summary``. ``negsample.logged``: digest of a run's content, set when all of it is there; a run with another one
    or without was cut off or has changed, and is made anew.
    A lock in the study's folder keeps processes apart that share it.

    Args:
        client: that has answered.
        folder: of the study; it need not be there until something is logged.
        experiment: its name; it need not be there either.
    """

    def __init__(self, client: MlflowClient, folder: Path, experiment: str) -> None:
        self.uri = client.tracking_uri
        self.folder = folder
        self._client, self._name = client, experiment
        self._lock = FileLock(folder / ".mlflow.lock", timeout=_PATIENCE)

    def runs(self) -> list[str]:
        """Names of the finished runs of the study, also those of other processes and earlier commands."""
        about = settled(self.folder / LIST, "study", lambda listed: listed.read_json("study.json"))
        return [name for name in (*about["runs"], *about["oversampling"]) if is_run(self.folder / "runs" / name)]

    def log(self, name: str) -> None:
        """Bring the finished run ``name`` of the study to MLflow, if it is not there as it is now.

        Raises:
            Exception: of MLflow and what it stands on; the same call goes on from there.
        """
        entry = entry_of(self.folder / "runs" / name)
        with self._lock:
            found = self._found(entry.key)
            there = [each for each in found if each.data.tags.get("negsample.logged") == entry.content]
            for each in found:
                if each not in there[:1]:
                    self._client.delete_run(each.info.run_id)
            if not there:
                self._log_new(entry)

    def log_report(self) -> None:
        """Bring the study's report to its summary.

        Raises:
            Exception: of MLflow and what it stands on.
        """
        with self._lock:
            for name in _REPORT:
                self._client.log_artifact(self._summary, str(self.folder / name))
            self._client.set_terminated(self._summary)

    def _log_new(self, entry: Entry) -> None:
        from mlflow.entities import Metric, Param

        tags = {"negsample.run": entry.name, "mlflow.parentRunId": self._summary} | entry.tags
        run_id = self._create(entry.key, entry.name, tags, entry.began)
        params = [Param(key, value) for key, value in entry.params.items()]
        metrics = [Metric(*each) for each in entry.points]
        for start in range(0, len(metrics), _BATCH):
            self._client.log_batch(run_id, metrics[start : start + _BATCH], () if start else params)
        for path in entry.files:
            self._client.log_artifact(run_id, str(path))
        self._client.set_terminated(run_id, end_time=entry.ended)
        self._client.set_tag(run_id, "negsample.logged", entry.content)

    def _create(self, key: str, name: str, tags: dict[str, str], began: int | None = None) -> str:
        tags = {"negsample.study": self._number, "negsample.key": key} | tags
        run = self._client.create_run(self._experiment, start_time=began, tags=tags, run_name=name)
        return str(run.info.run_id)

    def _found(self, key: str) -> list[Logged]:
        """The study's runs with that key (letters), but those deleted."""
        wanted = f"tags.`negsample.study` = '{self._number}' and tags.`negsample.key` = '{key}'"
        return list(self._client.search_runs([self._experiment], wanted))

    @cached_property
    def _experiment(self) -> str:
        """Its number."""
        found = self._client.get_experiment_by_name(self._name)
        return str(self._client.create_experiment(self._name) if found is None else found.experiment_id)

    @cached_property
    def _number(self) -> str:
        path = self.folder / "mlflow.json"
        if not path.exists():
            write_json(path, {"study": uuid.uuid4().hex})
        try:
            return _Identity.model_validate_json(path.read_bytes()).study.hex
        except ValidationError:
            raise InputError(f"{path} is damaged; delete it, and the study is logged as a new one") from None

    @cached_property
    def _summary(self) -> str:
        """The number of the run that the study's runs hang below."""
        for run in self._found("summary"):
            return str(run.info.run_id)
        return self._create("summary", text(self.folder.resolve().name), {})


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
                failed = why_not(lambda: study.log(job.name)) is not None
                logged.update(() if failed else [job.name])

        return watch_and_log

    yield logging
    runs, why = study.runs(), None
    left = [name for name in runs if name not in logged]
    while left and (why := why_not(lambda: study.log(left[0]))) is None:
        left.pop(0)
    if why is None:
        why = why_not(study.log_report)
    if why is not None:
        what = f"{len(left)} of {len(runs)} runs and the report" if left else "the report"
        say(f"not logged to {study.uri}: {what} ({why}); the study is whole, and the same command logs what is missing")
