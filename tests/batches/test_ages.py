"""Weights by age, by hand; the end of what is trained on, and the cuts of a horizon, from a prepared log."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch

from negsample import InputError, catalogue_of, run_settings
from negsample.batches.epochs import batches_again, batches_of, epoch_batches
from negsample.batches.from_windows import training_batch
from negsample.batches.target_weights import TargetWeights
from negsample.batches.windows import TrainEvents, training_windows
from negsample.data.description import describe, seen_in_training
from negsample.data.log.read import Log
from negsample.data.moments import DAY, TrainWindow, horizon_width
from negsample.data.prepare.pipeline import prepare
from negsample.settings import PrepareSettings

LOG = TrainEvents(  # three users; the last event of each is not trained on
    np.array([1, 2, 3, 4, 5, 1, 2, 3, 4, 5], np.int32),
    np.array([0, 4, 7, 10]),
    np.array([3, 6, 9]),
    5,
    np.array([0, 3, 5, 99, 1, 5, 99, 2, 4, 99], np.int64) * DAY,
)


def of_ones(blocks):
    return [(times, 1) for times in blocks]


def test_weights_are_those_of_the_formula():
    """Targets at the days 3 and 5, 5, 4, with a half-life of 2 days: 1/2, 1, 1, sqrt(1/2) before the mean."""
    blocks = [np.array([3, 5], np.int64) * DAY, np.array([5, 4], np.int64) * DAY]
    ages = TargetWeights.of(2, of_ones(blocks))
    raw = np.array([0.5, 1, 1, 0.5**0.5])
    expected = raw / raw.mean()
    found = ages.weights(torch.from_numpy(np.concatenate(blocks)))
    assert found.dtype == torch.float32
    assert found.tolist() == pytest.approx(expected.tolist())
    turned = TargetWeights.of(2, of_ones(blocks[::-1]))
    assert turned.weights(torch.tensor([3 * DAY])).item() == pytest.approx(expected[0])


@pytest.mark.parametrize("half_life", [1e-30, 1e-9, 1e-3, 1e9, 1e38])
def test_no_half_life_leaves_the_numbers(half_life):
    """Decades apart, by blocks in any order; the mean stays 1."""
    times = np.array([40 * 365, 1, 0, 40 * 365 - 1], np.int64) * DAY
    ages = TargetWeights.of(half_life, of_ones(np.split(times, 4)))
    weights = ages.weights(torch.from_numpy(times))
    assert torch.isfinite(weights).all()
    assert weights.mean().item() == pytest.approx(1)
    assert weights.tolist() == pytest.approx([4, 0, 0, 0] if half_life < 1e-2 else [1, 1, 1, 1], abs=1e-4)


@pytest.mark.parametrize("batch_size", [1, 2, 3])
@pytest.mark.parametrize("within", [None, TrainWindow(1, 4 * DAY)])
def test_the_mean_is_that_of_the_epoch_whatever_its_batches(batch_size, within, rng):
    rule = {"batch_size": batch_size, "max_length": 9, "half_life": 2.0, "train_window": within}
    found = {}
    for batch in epoch_batches(LOG, rng=rng(0), **rule):
        columns = (batch.position_users, batch.times_T, batch.weights_T)
        found |= {(user, time): weight for user, time, weight in zip(*(each.tolist() for each in columns), strict=True)}
    raw = {(0, 3): 0.5, (0, 5): 1, (1, 5): 1, (2, 4): 0.5**0.5}
    raw = {(user, day * DAY): weight for (user, day), weight in raw.items() if within is None or day >= 4}
    mean = sum(raw.values()) / len(raw)
    assert found == {key: pytest.approx(weight / mean) for key, weight in raw.items()}


def test_a_part_of_a_batch_has_its_weights():
    batch = training_batch(LOG, training_windows(LOG, 9), max_length=9)
    batch = replace(batch, weights_T=torch.arange(len(batch.targets_T)).float())
    assert [batch.part(row, row + 1).weights_T.tolist() for row in range(3)] == [
        batch.weights_T[batch.span(row, row + 1)].tolist() for row in range(3)
    ]


def test_a_window_without_a_target_is_refused():
    with pytest.raises(InputError, match=r"train_window=3: no train event of the last 3 days .* more days, or leave"):
        training_windows(LOG, 9, train_window=TrainWindow(3, 6 * DAY))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """50 users, one event of somebody every hour."""
    chance = np.random.default_rng(2)
    frame = pl.DataFrame(
        {"user": chance.permutation(np.repeat(np.arange(50), 20)), "item": chance.integers(1, 20, 1000)}
    )
    frame = frame.with_columns(time=np.arange(1000) * 3600 * 10**6)
    settings = PrepareSettings(valid_fraction=0.1, test_fraction=0.2)
    return prepare(Log(frame.lazy(), "hours", []), settings, tmp_path_factory.mktemp("data") / "hours")


HOUR = 3600 * 10**6


@pytest.mark.parametrize("windows", ["last", "all"])
@pytest.mark.parametrize("refit", [False, True])
def test_a_window_ends_where_what_is_trained_on_ends(data, windows, refit, rng):
    """Validation has the hours from 700 to 799, test those from 800 on."""
    trained, end = (data.with_validation(), 800) if refit else (data, 700)
    settings = run_settings(train_window=50 / 24, windows=windows, max_length=5, batch_size=9, weight_half_life=1)
    batches = list(batches_of(trained, settings, "history", rng=rng(0)))
    hours = torch.cat([batch.times_T for batch in batches]) // HOUR
    assert hours.min() == end - 50
    assert hours.max() == end - 1
    assert len(hours) == len(set(hours.tolist()))
    if windows == "all":  # of all users with an earlier event, so all of them
        assert len(hours) == 50
    counted = catalogue_of(trained, 5, windows=windows, train_window=50 / 24).target_counts
    assert counted.tolist() == torch.bincount(torch.cat([b.targets_T for b in batches]), minlength=20).tolist()
    again = batches_again(trained, settings, "history", [batch.ends_B for batch in batches])
    for old, new in zip(batches, again, strict=True):
        assert torch.equal(old.weights_T, new.weights_T)
        assert torch.equal(old.targets_T, new.targets_T)
        assert torch.equal(old.predicted.states_T, new.predicted.states_T)
    if not refit:
        users = torch.cat([batch.users_B for batch in batches]).unique()
        assert seen_in_training(data, settings)["users"] == len(users)
        facts = dict(describe(data, settings).facts)
        assert facts["users used in training"].endswith("two train events or more, one in the last 2.08333 days")
        assert "train_window 2.08333" in facts["train events used in training"]


def test_a_horizon_is_as_long_as_validation_or_as_is_said(data):
    assert horizon_width(data) == horizon_width(data.with_validation()) == 100 * HOUR
    assert horizon_width(data, 2.5) == 60 * HOUR
    assert horizon_width(data, 1e-12) == 1


def test_an_identity_has_what_differs_alone(data):
    assert not run_settings().changed(100)
    assert run_settings(targets="horizon").changed(100) == {"targets": "horizon"}
    changed = {"targets": "horizon", "horizon": 7.0, "train_window": 30.0, "weight_half_life": 9.0}
    assert run_settings(**changed).changed(100) == changed
