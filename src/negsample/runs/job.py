"""One run of a study: what determines it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import torch

from negsample.data.dataset import Dataset
from negsample.errors import InputError
from negsample.methods import Catalogue, catalogue_of, changed_settings, negative_settings
from negsample.models import Backbone
from negsample.models.baselines import BASELINES, is_baseline
from negsample.models.build import build_backbone
from negsample.parallel.processes import current
from negsample.plugins import sources_of
from negsample.random import generator
from negsample.settings import RunSettings, fingerprint, is_run_setting, run_settings

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

    @property
    def fits_terms(self) -> bool:
        """Whether weights of terms are fitted after its training, as of moments: they need a split in time."""
        return self.settings.evaluation.fit_terms and self.data.in_time and not is_baseline(self.method)

    def refitted(self) -> Job:
        """What a refit trains: the same on train and validation."""
        return self._replace(data=self.data.with_validation())

    @property
    def name(self) -> str:
        """The folder's name in a study; a long dataset name is cut, the fingerprint keeps it apart."""
        name = self.data.name.encode()[:_MAX_NAME].decode(errors="ignore")
        return f"{name}--{self.method}--seed-{self.seed}--{fingerprint(self.identity())}"


def stops_early(job: Job) -> bool:
    """Whether it may be trained for fewer epochs than its settings say; a baseline has none."""
    return job.settings.resolved().training.early_stop > 0 and not is_baseline(job.method)


def tuned_job(job: Job, params: Mapping[str, Any]) -> Job:
    """``job`` with ``params`` among its settings, those of training and those of its method.

    Raises:
        InputError: one of them breaks its rule.
    """
    of_training = {key: value for key, value in params.items() if is_run_setting(key)}
    of_method = {key: value for key, value in params.items() if key not in of_training}
    settings = job.settings.replaced(**of_training)
    return job._replace(settings=settings, negatives=negative_settings(job.method, job.negatives | of_method))


def divided(job: Job) -> Job:
    """``job`` with its table divided over the processes that work together (:mod:`negsample.parallel`), if they do.

    Raises:
        InputError: it has no table to divide.
    """
    if current() is None:
        return job
    if is_baseline(job.method) or job.settings.model.backbone == "terms":
        raise InputError(f"{job.method} has no item table of its own to divide; start it without torchrun")
    return job._replace(settings=job.settings.replaced(table="sharded"))


def default_device() -> torch.device:
    """The GPU where there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def build_model(job: Job, device: torch.device) -> Backbone:
    """The untrained model of ``job``; of a baseline the one that its rule makes."""
    if is_baseline(job.method):
        return cast("Backbone", BASELINES[job.method](job.data).to(device))
    rng = generator(job.seed, "init")
    return build_backbone(job.settings.model, job.data.catalogue_size, rng=rng, device=device)
