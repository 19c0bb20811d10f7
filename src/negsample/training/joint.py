"""Several trainings in one batch: which can be, and the steps of an epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from inspect import signature
from typing import cast

import torch

from negsample.batches.epochs import batches_of
from negsample.batches.joined import joined
from negsample.batches.packed import Batch
from negsample.batches.streams import Streams
from negsample.data.dataset import Dataset
from negsample.methods import Method
from negsample.miners.base import selects_for_several
from negsample.models import Backbone, Together
from negsample.samplers.base import draws_of_several
from negsample.settings import RunSettings
from negsample.training.inputs import StepInputs, StepOptions, propose
from negsample.training.state import TrainingState


def may_join(method: Method, settings: RunSettings) -> bool:
    """Whether steps of several models of ``method`` can be one step from drawing to update.

    The sampler and the miner say that they are for several (``of_several``), and the loss is one of
    :mod:`negsample.losses`, or has their argument ``targets_S``. Otherwise each model draws, selects and learns for
    itself between one encoder and one update.
    """
    training = settings.training
    return (
        draws_of_several(method.sampler)
        and selects_for_several(method.miner)
        and "targets_S" in signature(method.loss).parameters
        and not method.merged
        and training.padding != "count"
        and training.oversampling_factor is None
        and training.targets != "horizon"  # epochs differ in their targets, and so do models
    )


def joint_batches(trainings: Sequence[TrainingState], data: Dataset, settings: RunSettings) -> Iterator[Batch]:
    """The batches of an epoch of all of them, each with that of every model; on the CPU."""
    exclude = trainings[0].method.exclude
    each = [batches_of(data, settings, exclude, rng=training.order_rng) for training in trainings]
    return (joined(batches) for batches in zip(*each, strict=True))


def joint_steps(
    trainings: Sequence[TrainingState], together: Together, batches: Iterator[Batch], options: StepOptions
) -> Iterator[StepInputs]:
    """The steps of these ``batches``, each of all models."""
    method, device = trainings[0].method, trainings[0].device
    # Streams take the place of a generator for whatever says that it is for several models.
    draws, dropouts = (
        cast("torch.Generator", Streams(tuple(getattr(training, name) for training in trainings)))
        for name in ("negatives_rng", "dropout_rng")
    )
    for batch in batches:
        there = batch.to(device)
        negatives = propose(method, there, rng=draws)
        yield StepInputs(cast("Backbone", together), method, there, negatives, draws, dropouts, options)
