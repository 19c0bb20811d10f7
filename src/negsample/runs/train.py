"""The training of runs that differ in their seeds alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from negsample.methods import build_method
from negsample.models import Backbone
from negsample.runs.job import Job
from negsample.settings import canonical_json
from negsample.training.checkpoint import Checkpoint
from negsample.training.loop import fit_together
from negsample.training.sharded_files import ShardedCheckpoint
from negsample.training.state import Epoch, Fitted, TrainingState


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
    shards, identity = models[0].table.shards, checkpoint_identity(jobs, device, refit)
    if shards is None:
        return fit_together(trainings, first.data, first.settings, Checkpoint(places[0], identity))
    whole = Checkpoint(places[0], f"sharded {identity}")  # one process without the others has other files
    checkpoint = ShardedCheckpoint(whole, places[0], shards)
    return fit_together(trainings, first.data, first.settings, checkpoint)


def checkpoint_identity(jobs: Sequence[Job], device: torch.device, refit: Sequence[int] | None = None) -> str:
    """What a training must have in common with one that was stopped, to go on from there with the same numbers."""
    of: dict[str, Any] = {"jobs": [job.identity() for job in jobs], "device": device.type}
    of |= {} if refit is None else {"refit": list(refit)}
    return canonical_json(of | {name: version(name) for name in ("negsample", "torch")})
