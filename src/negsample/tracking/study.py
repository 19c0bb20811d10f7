"""A study in MLflow: each of its runs exactly once, whoever logs it and wherever an earlier attempt ended."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from negsample.errors import InputError
from negsample.files.folders import write_json
from negsample.tracking.entry import Entry, Point, entry_of, text
from negsample.tracking.server import briefly

if TYPE_CHECKING:
    from mlflow import MlflowClient

_PATIENCE = 60.0  # seconds for another process that is logging the same study
_BATCH = 900  # values a request; MLflow takes 1000 of all kinds, 100 of them params
_REPORT = ("report.html", "table.csv")
_PARENT = "mlflow.parentRunId"


def experiment_of(folder: Path) -> str:
    """Where the study in ``folder`` is logged: what ``MLFLOW_EXPERIMENT_NAME`` says, else the folder's name."""
    return text(os.environ.get("MLFLOW_EXPERIMENT_NAME") or folder.resolve().name)


class TrackedStudy:
    """The experiment of a study: a summary with the report, and below it the runs.

    Tags tell what is there. ``negsample.study``: the number that ``mlflow.json`` in the study's folder keeps, so that
    several studies in one experiment have runs and reports of their own. ``negsample.training``: digest of a run that
    was trained. ``negsample.logged``: digest of its figures, set when all of the run is there; one without it was cut
    off, and is made anew.
    A lock in the study's folder keeps processes apart that share it.

    Args:
        client: that has answered.
        folder: of the study; it need not be there until something is logged.
        experiment: its name; it need not be there either.
    """

    def __init__(self, client: MlflowClient, folder: Path, experiment: str) -> None:
        self.uri = client.tracking_uri
        self.folder = folder
        self._client = client
        self._name = experiment
        self._lock = FileLock(folder / ".mlflow.lock", timeout=_PATIENCE)

    def log(self, folder: Path) -> None:
        """Bring the finished run in ``folder`` to MLflow, or what of it is not there yet.

        Raises:
            Exception: of MLflow and what it stands on; the same call goes on from there.
        """
        entry = entry_of(folder)
        with self._alone():
            logged = {}
            for run_id, tags in self._found("training", entry.training):
                if "negsample.logged" in tags:
                    logged[run_id] = tags["negsample.logged"]
                else:
                    self._client.delete_run(run_id)
            if not logged:
                self._log_new(entry)
            for run_id, measured in logged.items():
                if measured != entry.measured:
                    self._log_figures(run_id, entry)

    def log_report(self) -> None:
        """Bring the study's report to its summary.

        Raises:
            Exception: of MLflow and what it stands on.
        """
        with self._alone():
            for name in _REPORT:
                self._client.log_artifact(self._summary, str(self.folder / name))
            self._client.set_terminated(self._summary)

    def _log_new(self, entry: Entry) -> None:
        tags = {
            "negsample.run": entry.name,
            "negsample.study": self._number,
            "negsample.training": entry.training,
            _PARENT: self._summary,
        }
        run = self._client.create_run(
            self._experiment, start_time=entry.began, tags=tags | entry.tags, run_name=entry.name
        )
        self._send(run.info.run_id, [*entry.curves, *entry.figures], entry.params)
        for path in entry.files:
            self._client.log_artifact(run.info.run_id, str(path))
        self._client.set_terminated(run.info.run_id, end_time=entry.ended)
        self._client.set_tag(run.info.run_id, "negsample.logged", entry.measured)

    def _log_figures(self, run_id: str, entry: Entry) -> None:
        """Another choice of the dial: its figures are the latest of theirs, the earlier ones stay in the history."""
        self._send(run_id, entry.figures, {}, entry.tags)
        for path in entry.files:
            if path.name == "metrics.json":
                self._client.log_artifact(run_id, str(path))
        self._client.set_tag(run_id, "negsample.logged", entry.measured)

    def _send(
        self, run_id: str, points: Sequence[Point], params: dict[str, str], tags: dict[str, str] | None = None
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        metrics = [Metric(each.name, each.value, each.when, each.step) for each in points]
        self._client.log_batch(
            run_id,
            metrics[:_BATCH],
            [Param(key, value) for key, value in params.items()],
            [RunTag(key, value) for key, value in (tags or {}).items()],
        )
        for start in range(_BATCH, len(metrics), _BATCH):
            self._client.log_batch(run_id, metrics[start : start + _BATCH])

    @cached_property
    def _experiment(self) -> str:
        """Its number; another study may make it at the same moment."""
        found = self._client.get_experiment_by_name(self._name)
        if found is not None:
            return str(found.experiment_id)
        try:
            return str(self._client.create_experiment(self._name))
        except Exception:
            found = self._client.get_experiment_by_name(self._name)
            if found is None:
                raise
            return str(found.experiment_id)

    @cached_property
    def _number(self) -> str:
        path = self.folder / "mlflow.json"
        if not path.exists():
            write_json(path, {"study": uuid.uuid4().hex})
        try:
            return uuid.UUID(json.loads(path.read_text("utf-8"))["study"]).hex
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise InputError(f"{path} is damaged; delete it, and the study is logged as a new one") from None

    @cached_property
    def _summary(self) -> str:
        """The number of the run that the study's runs hang below."""
        for run_id, _ in self._found("summary", self._number):
            return run_id
        tags = {"negsample.study": self._number, "negsample.summary": self._number}
        name = text(self.folder.resolve().name)
        return str(self._client.create_run(self._experiment, tags=tags, run_name=name).info.run_id)

    def _found(self, key: str, value: str) -> list[tuple[str, dict[str, str]]]:
        """Number and tags of the study's runs with ``negsample.key`` = ``value`` (hex digits), but those deleted."""
        wanted = f"tags.`negsample.study` = '{self._number}' and tags.`negsample.{key}` = '{value}'"
        found = self._client.search_runs([self._experiment], wanted)
        return [(run.info.run_id, run.data.tags) for run in found]

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock, briefly():
            yield
