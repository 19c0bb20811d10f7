"""One run of a study: from settings to a folder."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from safetensors.torch import save_file

from negsample.data.dataset import Dataset
from negsample.files.checksums import LIST, write_list
from negsample.files.claims import scratch_in
from negsample.files.folders import write_json
from negsample.methods import build_method, catalogue_of, changed_settings, negative_settings
from negsample.models import Backbone
from negsample.models.baselines import BASELINES, is_baseline
from negsample.models.build import build_backbone
from negsample.plugins import sources_of
from negsample.random import generator
from negsample.runs.folder import is_run, read_run, run_fingerprint
from negsample.runs.machine import forget_peak, machine, peak_memory
from negsample.runs.measure import measure, write_measured
from negsample.scoring.dial import Choice
from negsample.settings import RunSettings, canonical_json, fingerprint, is_run_setting
from negsample.training.checkpoint import Checkpoint
from negsample.training.loop import fit_together
from negsample.training.state import Epoch, Fitted, TrainingState

IDENTITY_SCHEMA = 1
"""Raised when equal settings come to mean another computation."""
_MAX_NAME = 100  # bytes; file systems allow 255 for the whole


class Job(NamedTuple):
    """What determines a run. ``negatives``: all the settings that the method's row names, by name."""

    data: Dataset
    method: str
    seed: int
    settings: RunSettings
    negatives: dict[str, Any]

    def identity(self) -> dict[str, Any]:
        """What makes two runs the same run, whatever machine and folder: what differs from the defaults, and no more.

        So a setting that a later version adds renames no older run.
        """
        plugins = sources_of(self.method, self.settings.model.backbone)
        return {
            "schema": IDENTITY_SCHEMA,
            "dataset": self.data.name,
            "dataset_fingerprint": self.data.fingerprint,
            "method": self.method,
            "seed": self.seed,
            "settings": self.settings.changed(self.data.catalogue_size),
            "negatives": {} if is_baseline(self.method) else changed_settings(self.method, self.negatives),
        } | ({"plugins": plugins} if plugins else {})

    def config(self) -> dict[str, Any]:
        """The whole of it for a reader: every setting with its value, and the identity."""
        identity = self.identity()
        whole = {"settings": self.settings.flat(), "negatives": self.negatives}
        return {key: value for key, value in identity.items() if key != "schema"} | whole | {"identity": identity}

    def made(self, config: Mapping[str, Any]) -> bool:
        """Whether ``config`` is that of a run of this job."""
        return bool(config.get("identity") == self.identity())

    @property
    def name(self) -> str:
        """The folder's name in a study; a long dataset name is cut, the fingerprint keeps it apart."""
        name = self.data.name.encode()[:_MAX_NAME].decode(errors="ignore")
        return f"{name}--{self.method}--seed-{self.seed}--{fingerprint(self.identity())}"


def tuned_job(job: Job, params: Mapping[str, Any]) -> Job:
    """``job`` with ``params`` among its settings, those of training and those of its method.

    Raises:
        InputError: one of them breaks its rule.
    """
    of_training = {key: value for key, value in params.items() if is_run_setting(key)}
    of_method = {key: value for key, value in params.items() if key not in of_training}
    settings = job.settings.replaced(**of_training)
    return job._replace(settings=settings, negatives=negative_settings(job.method, job.negatives | of_method))


def default_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def make_runs(
    jobs: Sequence[Job],
    folders: Sequence[Path],
    places: Sequence[Path],
    dial: Choice,
    watch: Callable[[Job, Epoch], None],
) -> None:
    """Train and measure ``jobs``, which differ in their seeds alone, and write their ``folders``.

    ``places``: where what lies of each until then; what is there of the same training is carried on. See
    :func:`negsample.execution.attempts.run_jobs`.
    """
    device = default_device()
    forget_peak(device)
    models = [build_model(job, device) for job in jobs]
    trainings = []
    catalogue = (
        None
        if is_baseline(jobs[0].method)
        else catalogue_of(
            jobs[0].data, jobs[0].settings.model.max_length, device, windows=jobs[0].settings.training.windows
        )
    )
    for job, place, model in zip(jobs, places, models, strict=True):
        if catalogue is not None:
            method = build_method(job.method, catalogue, job.negatives)
            trainings.append(TrainingState(model, method, seed=job.seed, watch=partial(watch, job), keep=place))
    checkpoint = Checkpoint(places[0], checkpoint_identity(jobs, device))
    fitted = (
        fit_together(trainings, jobs[0].data, jobs[0].settings, checkpoint)
        if trainings
        else [Fitted([], 0)] * len(jobs)
    )
    counts = None if catalogue is None else catalogue.target_counts
    scratches = [scratch_in(place) for place in places]
    for job, scratch, model, result in zip(jobs, scratches, models, fitted, strict=True):
        _write(job, model, result, scratch, dial, counts, device)
    for job, folder, scratch in zip(jobs, folders, scratches, strict=True):  # at once: they are carried on together
        try:
            scratch.rename(folder)
        except OSError:
            if not is_run(folder) or not job.made(read_run(folder).config):
                raise


def checkpoint_identity(jobs: Sequence[Job], device: torch.device) -> str:
    """What a training must have in common with one that was stopped, to go on from there with the same numbers."""
    of = {"jobs": [job.identity() for job in jobs], "device": device.type}
    return canonical_json(of | {name: version(name) for name in ("negsample", "torch")})


def _write(
    job: Job,
    model: Backbone,
    fitted: Fitted,
    scratch: Path,
    dial: Choice,
    target_counts: torch.Tensor | None,
    device: torch.device,
) -> None:
    versions = {name: version(name) for name in ("negsample", "torch", "numpy")}
    config = job.config() | {
        "dataset_folder": str(job.data.folder.resolve()),
        "versions": versions | {"python": platform.python_version()},
        "device": str(device),
        "machine": machine(),
    }
    write_json(scratch / "config.json", config)
    lines = [json.dumps(epoch.entry(), allow_nan=False) for epoch in fitted.log]
    (scratch / "log.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    save_file(model.state_dict(), scratch / "model.safetensors")
    (scratch / "model.safetensors").chmod(0o644)  # as the other files; safetensors has 0600
    write_list(scratch / LIST, "run", run_fingerprint(config), [path.name for path in scratch.iterdir()])
    measured = measure(model, job.data, job.settings, target_counts, dial, device=device)
    took = _pace(fitted.log) | {"peak_memory_bytes": peak_memory(device)}
    write_measured(scratch, measured, dial, {"best_epoch": fitted.best_epoch} | took)


def build_model(job: Job, device: torch.device) -> Backbone:
    """The untrained model of ``job``; of a baseline the one that its rule makes."""
    if is_baseline(job.method):
        return cast("Backbone", BASELINES[job.method](job.data).to(device))
    rng = generator(job.seed, "init")
    return build_backbone(job.settings.model, job.data.catalogue_size, rng=rng, device=device)


def _pace(log: list[Epoch]) -> dict[str, Any]:
    if not log:
        return {"train_seconds": 0.0, "steps_per_second": None}
    return {"train_seconds": log[-1].seconds, "steps_per_second": log[-1].steps / log[-1].seconds}
