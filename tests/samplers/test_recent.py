"""Recent popularity: as of which time, of which events, for which batches."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from by_hand import known_of

from negsample import InputError, Recent, negative_settings
from negsample.batches.epochs import epoch_batches
from negsample.batches.padded import padded_batch
from negsample.batches.windows import TrainEvents
from negsample.data.moments import MOMENTS, Cuts
from negsample.samplers import recent
from negsample.samplers.recent import shares_as_of

V, DAY = 9, 86_400 * 10**6
LENGTHS = [7, 2, 12, 5, 3]


@pytest.fixture(scope="module")
def events():
    """Five users; several of a user's events have one time."""
    chance = np.random.default_rng(5)
    offsets = np.cumsum([0, *LENGTHS])
    times = np.concatenate([np.sort(chance.integers(0, 8, length)) * DAY for length in LENGTHS])
    return TrainEvents(chance.integers(1, V, offsets[-1]).astype(np.int32), offsets, offsets[1:], V, times)


def made(events, per="position", k=5):
    return Recent(known_of(events.items, events.times, V), len(events.items), k, half_life=2.0, per=per)


def batch_of(events, rng, cuts=None, exclude="none"):
    sizes = {"batch_size": 9, "max_length": 6, "which": "all"}
    return next(epoch_batches(events, **sizes, exclude=exclude, cuts=cuts, rng=rng(0)))


def test_all_items_as_of_each_time_are_what_is_known(events):
    known = known_of(events.items, events.times, V)
    times = np.unique(events.times)
    half_lives = (2.0 * DAY, DAY / 2000, 1e300)  # of the second nothing is left of an event of the day before
    for time, each in zip(times, shares_as_of(known, times, *half_lives), strict=True):
        for half_life, found in zip(half_lives, each, strict=True):
            np.testing.assert_allclose(found[1:], known.shares(np.arange(1, V + 1), np.full(V, time), half_life))
            assert found[0] == 0
    assert found[V] > 0, "an item without an event can be drawn"


@pytest.mark.parametrize("cuts", [None, MOMENTS, Cuts(3 * DAY, DAY)], ids=["rows", "moments", "horizon"])
def test_a_batch_has_the_time_of_each_target_and_so_have_its_parts(events, rng, cuts):
    batch = batch_of(events, rng, cuts)
    users = batch.position_users.tolist()
    for user, item, time in zip(users, batch.targets_T.tolist(), batch.times_T.tolist(), strict=True):
        own = slice(events.offsets[user], events.train_ends[user])
        assert (item, time) in zip(events.items[own].tolist(), events.times[own].tolist(), strict=True)
    parts = [batch.part(at, at + 1) for at in range(batch.sequences)]
    assert torch.cat([part.times_T for part in parts]).equal(batch.times_T)
    for per in ("sequence", "position"):
        sampler, ids = made(events, per), torch.arange(V + 1)
        whole = sampler.log_prob(ids, batch, per=per)
        assert torch.cat([sampler.log_prob(ids, part, per=per) for part in parts]).equal(whole)


def test_more_items_have_fewer_times_and_too_many_are_refused(events, monkeypatch):
    monkeypatch.setattr(recent, "LEAST", 3)
    monkeypatch.setattr(recent, "MEMORY", 4 * 16 * (V + 1))
    assert len(made(events)._times) <= 4
    monkeypatch.setattr(recent, "MEMORY", 2 * 16 * (V + 1))
    with pytest.raises(ValueError, match=r"recent popularity of 9 items takes .* take popularity, or a log with fewer"):
        made(events)


def test_batches_without_times_are_refused(events, rng):
    ids = torch.tensor([[1, 2, 3]])
    with pytest.raises(InputError, match="a padded batch has none"):
        made(events).draw(padded_batch(ids, ids, catalogue_size=V), rng=rng(0))
    with pytest.raises(InputError, match="a padded batch has none"):
        made(events).draw(replace(batch_of(events, rng), times_T=None), rng=rng(0))


def test_events_without_times_are_refused(events, rng):
    with pytest.raises(InputError, match="make the catalogue by catalogue_of"):
        Recent(None, 5, 5, half_life=1.0).draw(batch_of(events, rng), rng=rng(0))
    with pytest.raises(ValueError, match="at least one train event"):
        Recent(known_of(events.items, events.times, V), 0, 5, half_life=1.0)


@pytest.mark.parametrize("method", ["recent", "recent-mixed-log-q"])
def test_a_whole_batch_has_no_time(method):
    with pytest.raises(InputError, match="draws_per='batch': input should be 'sequence' or 'position'"):
        negative_settings(method, {"draws_per": "batch"})


@pytest.mark.parametrize("per", ["batch", "sequence"])
def test_no_probability_for_what_is_coarser_than_the_draws(events, rng, per):
    with pytest.raises(ValueError, match=f"no probability per {per}"):
        made(events).log_prob(torch.arange(V + 1), batch_of(events, rng), per=per)


def test_every_row_gets_what_is_left_for_it(events, rng):
    batch = batch_of(events, rng, exclude="history")
    ids = made(events, k=500).draw(batch, rng=rng(1)).ids
    for user, drawn in zip(batch.position_users.tolist(), ids.tolist(), strict=True):
        own = set(events.items[events.offsets[user] : events.train_ends[user]].tolist())
        assert set(drawn) == set(range(1, V + 1)) - own
