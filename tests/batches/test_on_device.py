"""Batches made where they are used: the very ones that the CPU makes."""

from __future__ import annotations

from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import torch

from negsample import run_settings
from negsample.batches.epochs import batches_of
from negsample.batches.joined import joined
from negsample.batches.on_device import EventsOnDevice, batches_on, is_made_there
from negsample.batches.windows import TrainEvents
from negsample.methods import build_method, catalogue_of, negative_settings
from negsample.runs.job import Job, build_model
from negsample.training import loop
from negsample.training.state import TrainingState

SETTINGS = run_settings(batch_size=9, max_length=6, dim=8, epochs=2)
CPU = torch.device("cpu")


def check_equal(found, expected):
    for field in fields(expected):
        ours, theirs = getattr(found, field.name), getattr(expected, field.name)
        if is_dataclass(theirs):
            check_equal(ours, theirs)
        elif isinstance(theirs, torch.Tensor):
            assert (ours.dtype, ours.tolist()) == (theirs.dtype, theirs.tolist()), field.name
        elif isinstance(theirs, np.ndarray):
            assert ours.tolist() == theirs.tolist(), field.name
        else:
            assert ours == theirs, field.name


@pytest.fixture(scope="module")
def data(world):
    return world(users=70, items=40, name="small")


def without_times(data):
    return TrainEvents(data.items, np.asarray(data.offsets), np.asarray(data.train_ends), data.catalogue_size)


@pytest.mark.parametrize("with_replacement", [False, True])
@pytest.mark.parametrize("seeds", [(4,), (4, 5, 9)])
@pytest.mark.parametrize("exclude", ["history", "none"])
def test_batches_are_those_of_the_cpu(exclude, seeds, with_replacement, data, rng):
    settings = SETTINGS.replaced(with_replacement=with_replacement)
    events = EventsOnDevice(data, CPU, max_length=6, exclude=exclude)
    expected = zip(*(batches_of(data, settings, exclude, rng=rng(seed)) for seed in seeds), strict=True)
    found = list(batches_on(events, data, settings, [rng(seed) for seed in seeds]))
    assert len(found) > 5
    for ours, theirs in zip(found, expected, strict=True):
        check_equal(ours, joined(theirs) if len(seeds) > 1 else theirs[0])


def test_events_without_times(data, rng):
    bare = without_times(data)
    events = EventsOnDevice(bare, CPU, max_length=6, exclude="history")
    found = next(batches_on(events, bare, SETTINGS, [rng(1)]))
    assert found.times_T is None
    assert found.targets_T.tolist() == next(batches_of(data, SETTINGS, "history", rng=rng(1))).targets_T.tolist()


def training_of(data, method, seed):
    job = Job(data, method, seed, SETTINGS, negative_settings(method, {}))
    return TrainingState(build_model(job, CPU), build_method(method, catalogue_of(data, 6), job.negatives), seed=seed)


@pytest.mark.parametrize("seeds", [(3,), (3, 9)])
@pytest.mark.parametrize("method", ["mixed", "full-ce"])
def test_a_training_with_them_has_the_same_bits(method, seeds, data, monkeypatch):
    made = []
    there = EventsOnDevice.batch
    monkeypatch.setattr(EventsOnDevice, "batch", lambda *given: made.append(1) or there(*given))
    weights = []
    for device_may_be_asked in (True, False):
        monkeypatch.setattr(loop, "may_ask", lambda device, may=device_may_be_asked: may)
        trainings = [training_of(data, method, seed) for seed in seeds]
        loop.fit_together(trainings, data, SETTINGS)
        assert bool(made) is not device_may_be_asked
        weights.append([each.model.table.weight.detach().clone() for each in trainings])
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))


@pytest.mark.parametrize(
    "changes",
    [{"targets": "moments"}, {"windows": "all"}, {"train_window": 3.0}, {"weight_half_life": 2.0}],
    ids=str,
)
def test_other_batches_are_made_on_the_cpu(changes, data):
    assert is_made_there(data, SETTINGS)
    assert not is_made_there(data, SETTINGS.replaced(**changes))
    assert not is_made_there(data, SETTINGS.replaced(oversampling_factor=1))
