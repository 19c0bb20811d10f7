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

from negsample.data.dataset import Dataset
from negsample.evaluation.by_rule import Chosen, choose
from negsample.files.checksums import LIST, write_list
from negsample.files.claims import scratch_in
from negsample.files.folders import write_json
from negsample.methods import Catalogue, build_method, catalogue_of, changed_settings, negative_settings
from negsample.models import Backbone
from negsample.models.baselines import BASELINES, is_baseline
from negsample.models.build import build_backbone
from negsample.plugins import sources_of
from negsample.random import generator
from negsample.rules import Rule, is_rule
from negsample.runs.age import age_in_days
from negsample.runs.folder import LOG, REFIT_LOG, ChosenByRule, Refit, is_run, read_run, run_fingerprint
from negsample.runs.machine import forget_peak, machine, peak_memory
from negsample.runs.measure import measure, write_measured
from negsample.runs.weights import BEFORE_REFIT, MODEL, save_weights
from negsample.scoring.dial import Choice
from negsample.settings import RunSettings, canonical_json, fingerprint, is_run_setting, run_settings
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

        So a setting that a later version adds renames no older run. A baseline depends on how it is measured alone.
        """
        settings, trained = self.settings, not is_baseline(self.method)
        if not trained:
            settings = run_settings()._replace(evaluation=settings.evaluation)
        plugins = sources_of(self.method, settings.model.backbone, settings.model.terms)
        return {
            "schema": IDENTITY_SCHEMA,
            "dataset": self.data.name,
            "dataset_fingerprint": self.data.fingerprint,
            "method": self.method,
            "seed": self.seed,
            "settings": settings.changed(self.data.catalogue_size),
            "negatives": changed_settings(self.method, self.negatives) if trained else {},
        } | ({"plugins": plugins} if plugins else {})

    def config(self) -> dict[str, Any]:
        """The whole of it for a reader: every setting with its value, and the identity."""
        identity = self.identity()
        whole = {"settings": self.settings.resolved().flat(), "negatives": self.negatives}
        return {key: value for key, value in identity.items() if key != "schema"} | whole | {"identity": identity}

    def made(self, config: Mapping[str, Any]) -> bool:
        """Whether ``config`` is that of a run of this job."""
        return bool(config.get("identity") == self.identity())

    def catalogue(self, device: torch.device) -> Catalogue:
        """What a sampler may know of the data."""
        model, training = self.settings.model, self.settings.training
        return catalogue_of(
            self.data,
            model.max_length,
            device,
            windows=training.windows,
            targets=training.targets,
            train_window=training.train_window,
        )

    @property
    def refits(self) -> bool:
        """Whether its model is trained anew on train and validation; a baseline is trained on nothing."""
        return self.settings.training.refit and not is_baseline(self.method)

    def refitted(self) -> Job:
        """What a refit trains: the same on train and validation."""
        return self._replace(data=self.data.with_validation())

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
    untrained = is_baseline(jobs[0].method)
    fitted = [Fitted([], 0)] * len(jobs) if untrained else train_models(jobs, models, places, watch)
    scratches = [scratch_in(place) for place in places]
    refits: list[Fitted] | list[None] = [None] * len(jobs)
    if jobs[0].refits:
        for model, scratch in zip(models, scratches, strict=True):
            save_weights(model, scratch / BEFORE_REFIT)
        models = [build_model(job, device) for job in jobs]
        refits = _refit(jobs, models, places, watch, [each.best_epoch for each in fitted])
    for job, model, result, refit, scratch in zip(jobs, models, fitted, refits, scratches, strict=True):
        _write(job, model, result, refit, scratch, dial, device)
    for job, folder, scratch in zip(jobs, folders, scratches, strict=True):  # at once: they are carried on together
        try:
            scratch.rename(folder)
        except OSError:
            if not is_run(folder) or not job.made(read_run(folder).config):
                raise


def _refit(
    jobs: Sequence[Job],
    models: Sequence[Backbone],
    places: Sequence[Path],
    watch: Callable[[Job, Epoch], None],
    epochs: Sequence[int],
) -> list[Fitted]:
    """Train the new ``models`` of ``jobs`` on train and validation, for so many epochs each."""
    inner = [place / "refit" for place in places]
    for place in inner:
        place.mkdir(exist_ok=True)
    return train_models([job.refitted() for job in jobs], models, inner, watch, refit=epochs)


def train_models(
    jobs: Sequence[Job],
    models: Sequence[Backbone],
    places: Sequence[Path],
    watch: Callable[[Job, Epoch], None],
    *,
    refit: Sequence[int] | None = None,
) -> list[Fitted]:
    """Train the ``models`` of ``jobs``, which differ in their seeds alone; see :func:`make_runs`.

    ``refit``: for so many epochs each, without validation.
    """
    first, device = jobs[0], models[0].table.weight.device
    catalogue = first.catalogue(device)
    refits: Sequence[int | None] = refit or [None] * len(jobs)
    trainings = [
        TrainingState(
            model,
            build_method(job.method, catalogue, job.negatives),
            seed=job.seed,
            watch=partial(watch, job),
            keep=place,
            refit=epochs,
        )
        for job, model, place, epochs in zip(jobs, models, places, refits, strict=True)
    ]
    checkpoint = Checkpoint(places[0], checkpoint_identity(jobs, device, refit))
    return fit_together(trainings, first.data, first.settings, checkpoint)


def checkpoint_identity(jobs: Sequence[Job], device: torch.device, refit: Sequence[int] | None = None) -> str:
    """What a training must have in common with one that was stopped, to go on from there with the same numbers."""
    of: dict[str, Any] = {"jobs": [job.identity() for job in jobs], "device": device.type}
    of |= {} if refit is None else {"refit": list(refit)}
    return canonical_json(of | {name: version(name) for name in ("negsample", "torch")})


def _write(
    job: Job,
    model: Backbone,
    fitted: Fitted,
    refit: Fitted | None,
    scratch: Path,
    dial: Choice,
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
    logs = {LOG: fitted.log} | ({REFIT_LOG: refit.log} if refit else {})
    for name, log in logs.items():
        lines = [json.dumps(epoch.entry(), allow_nan=False) for epoch in log]
        (scratch / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    chosen = choose(model, job.data, job.settings) if is_rule(model) else None
    save_weights(model, scratch / MODEL)
    write_list(scratch / LIST, "run", run_fingerprint(config), [path.name for path in scratch.iterdir()])
    measured = measure(job, model, dial, device, scratch)
    last = [log[-1] for log in logs.values() if log]
    steps, seconds = sum(each.steps for each in last), sum((each.seconds for each in last), 0.0)
    training = {
        "best_epoch": fitted.best_epoch,
        "train_seconds": seconds + measured.fit_seconds + (chosen.seconds if chosen else 0.0),
        "steps_per_second": steps / seconds if last else None,
        "peak_memory_bytes": peak_memory(device),
        "age_days": age_in_days((job.refitted() if refit else job).data) if last else None,
        "refit": Refit(epochs=refit.best_epoch, seconds=refit.log[-1].seconds).model_dump() if refit else {},
        "chosen": _chosen_by(model, chosen) if is_rule(model) and chosen and chosen.tried else {},
    }
    write_measured(scratch, measured, dial, training)


def _chosen_by(rule: Rule, chosen: Chosen) -> dict[str, Any]:
    return ChosenByRule(
        setting=rule.setting,
        choice=chosen.choice,
        tried=[{"choice": choice, "ndcg@10": reached} for choice, reached in chosen.tried.items()],
        at_end=chosen.at_end,
        seconds=chosen.seconds,
    ).model_dump()


def build_model(job: Job, device: torch.device) -> Backbone:
    """The untrained model of ``job``; of a baseline the one that its rule makes."""
    if is_baseline(job.method):
        return cast("Backbone", BASELINES[job.method](job.data).to(device))
    rng = generator(job.seed, "init")
    return build_backbone(job.settings.model, job.data.catalogue_size, rng=rng, device=device)
