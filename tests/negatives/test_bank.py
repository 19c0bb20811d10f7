"""Proposals with a memory: what goes in and out, by hand, and the law of what is proposed from it."""

from __future__ import annotations

import math

import pytest
import torch

from negsample.negatives import Cache, CrossBatch, InBatch, Mixture, Resample, Scored, Uniform

V = 9


def feed(bank, batches, batch_with, rng):
    """What the bank proposes to each of them."""
    return [bank.draw(batch_with([targets], V), rng=rng(0)).tolist() for targets in batches]


@pytest.mark.parametrize(
    ("size", "proposed"),
    [
        (2, [[], [1, 2], [4, 5], [5, 8]]),
        (3, [[], [1, 2, 3], [4, 5, 5], [5, 5, 8]]),
        (4, [[], [1, 2, 3], [3, 4, 5, 5], [4, 5, 5, 8]]),
        (7, [[], [1, 2, 3], [1, 2, 3, 4, 5, 5], [1, 2, 3, 4, 5, 5, 8]]),
        (100, [[], [1, 2, 3], [1, 2, 3, 4, 5, 5], [1, 2, 3, 4, 5, 5, 8]]),
    ],
)
def test_first_in_first_out_by_hand(size, proposed, batch_with, rng):
    batches = [[1, 2, 3], [4, 5, 5], [8], [6, 7]]
    assert feed(CrossBatch(size), batches, batch_with, rng) == proposed


def test_during_the_warm_up_it_proposes_nothing_yet_fills(batch_with, rng):
    batches = [[1, 2, 3], [4, 5, 5], [8], [6, 7]]
    assert feed(CrossBatch(4, warm_up=2), batches, batch_with, rng) == [[], [], [3, 4, 5, 5], [4, 5, 5, 8]]
    assert feed(CrossBatch(4, warm_up=9), batches, batch_with, rng) == [[], [], [], []]


def test_all_that_the_bank_proposed_is_frozen(batch_with, rng):
    bank = CrossBatch(4, warm_up=1)
    numbers = []
    for targets in [[1, 2, 3], [4, 5, 5], [8]]:
        ids, log_q = bank.sample(batch_with([targets], V), rng=rng(0))
        assert ids.shape == log_q.shape == (bank.k,)
        assert (ids.dtype, log_q.dtype) == (torch.int64, torch.float32)
        numbers.append((bank.k, bank.frozen))
    assert numbers == [(0, 0), (3, 3), (4, 4)]


def test_log_q_of_the_bank_is_that_of_one_draw_from_it(batch_with, rng):
    bank = CrossBatch(5)
    feed(bank, [[1, 2, 3, 2]], batch_with, rng)
    batch = batch_with([[7, 2], [1]], V)
    ids, log_q = bank.sample(batch, rng=rng(0))
    assert ids.tolist() == [1, 2, 3, 2]
    # 7 and 1 went in with this draw; what it states is of what it proposed.
    torch.testing.assert_close(log_q.exp(), torch.tensor([0.25, 0.5, 0.25, 0.5]))
    everything = torch.arange(V + 1)
    found = bank.log_prob(everything, batch, per="batch").exp()
    torch.testing.assert_close(found, torch.tensor([0, 0.25, 0.5, 0.25, 0, 0, 0, 0, 0, 0]))
    of_rows = bank.log_prob(everything.expand(2, -1), batch, per="sequence").exp()
    without_2_and_7, without_1 = [0, 0.5, 0, 0.5, 0, 0, 0, 0, 0, 0], [0, 0, 2 / 3, 1 / 3, 0, 0, 0, 0, 0, 0]
    torch.testing.assert_close(of_rows, torch.tensor([without_2_and_7, without_1]))


def test_log_q_with_counts_is_the_share_of_the_counts(batch_with, rng):
    counts = torch.tensor([0, 4, 3, 2, 1, 0, 0, 0, 0, 0])
    bank = CrossBatch(5, counts=counts)
    feed(bank, [[1, 2, 3, 2]], batch_with, rng)
    ids, log_q = bank.sample(batch_with([[7, 2], [1]], V), rng=rng(0))
    assert ids.tolist() == [1, 2, 3, 2]
    torch.testing.assert_close(log_q.exp(), torch.tensor([0.4, 0.3, 0.2, 0.3]))


def test_over_many_batches_the_bank_holds_items_by_their_counts(batch_with, rng, p_value):
    counts, one = torch.tensor([0, 4, 3, 2, 1]), rng(3)
    bank, seen = CrossBatch(500), []
    for _ in range(2_000):
        targets = torch.searchsorted(torch.cumsum(counts, 0), torch.randint(10, (1, 500), generator=one), right=True)
        seen.append(bank.draw(batch_with(targets.tolist(), 4), rng=rng(0)))
    drawn = torch.cat(seen)
    assert len(drawn) == 1_999 * 500
    assert p_value(drawn, {1: 0.4, 2: 0.3, 3: 0.2, 4: 0.1}) > 1e-5
    assert p_value(drawn, {1: 0.4, 2: 0.29, 3: 0.21, 4: 0.1}) < 1e-9


def test_an_empty_bank_states_that_nothing_is_drawn(batch_with, rng):
    bank = CrossBatch(5)
    ids, log_q = bank.sample(batch_with([[1, 2]], V), rng=rng(0))
    assert ids.shape == log_q.shape == (0,)
    assert (bank.log_prob(torch.arange(V + 1), batch_with([[1, 2]], V), per="batch") == -math.inf).all()


def test_in_a_mixture_the_banks_ids_come_last_and_are_frozen(batch_with, rng):
    mixture = Mixture(InBatch("all"), CrossBatch(3, warm_up=1))
    proposed = []
    for targets in [[1, 2], [3, 4, 5], [6], [7]]:
        ids, log_q = mixture.sample(batch_with([targets], V), rng=rng(0))
        assert (mixture.per, mixture.k, ids.shape) == ("batch", "all", log_q.shape)
        proposed.append((ids.tolist(), mixture.frozen))
    assert proposed == [([1, 2], 0), ([3, 4, 5, 1, 2], 2), ([6, 3, 4, 5], 3), ([7, 4, 5, 6], 3)]


def test_in_a_mixture_a_part_of_nothing_has_no_weight(batch_with, rng):
    mixture = Mixture(Uniform(V, 4, per="batch"), CrossBatch(4))
    _, log_q = mixture.sample(batch_with([[1, 2]], V), rng=rng(0))
    torch.testing.assert_close(log_q.exp(), torch.full((4,), 1 / V))
    ids, log_q = mixture.sample(batch_with([[3]], V), rng=rng(0))
    expected = [4 / 6 / V + (2 / 6 / 2 if item in (1, 2) else 0) for item in ids.tolist()]
    torch.testing.assert_close(log_q.exp(), torch.tensor(expected))


def test_a_bank_that_is_not_last_is_refused():
    with pytest.raises(ValueError, match="must be the last part of a mixture"):
        Mixture(CrossBatch(4), Uniform(V, 3))


def test_a_cache_that_remembers_nothing_is_uniform(batch_with, rng, p_value):
    batch = batch_with([[1, 2]], V)
    ids, log_q = Cache(V, 1_000_000, size=6).sample(batch, rng=rng(0))
    assert p_value(ids, dict.fromkeys(range(1, V + 1), 1 / V)) > 1e-5
    torch.testing.assert_close(log_q.exp(), torch.full((1_000_000,), 1 / V))


@pytest.mark.parametrize(
    ("remembered", "kept"),
    [
        ([[4, 4, 1]], [4, 4, 1]),
        ([[4, 0, 1], [0, 0]], [4, 1]),
        ([[1, 2, 3, 4], [5, 6, 7]], [2, 3, 4, 5, 6, 7]),
        ([[1, 2, 3, 4, 5, 6, 7, 8]], [1, 2, 3, 5, 6, 7]),  # from all over the call, not from its end
        ([[9], list(range(1, 8)) * 100], [1, 5, 3, 1, 5, 3]),
        ([[1], [2, 2], [0, 2], [9, 9, 9]], [2, 2, 2, 9, 9, 9]),
        ([[[1, 0, 2], [3, 3, 0]]], [1, 2, 3, 3]),
    ],
)
def test_the_law_of_a_cache_by_its_places(remembered, kept, batch_with, rng, p_value):
    size = 6
    cache = Cache(V, 1_000_000, size=size)
    for ids in remembered:
        cache.remember(torch.tensor(ids))
    stated = {i: kept.count(i) / size + (size - len(kept)) / size / V for i in range(1, V + 1)}
    ids, log_q = cache.sample(batch_with([[1, 2], [3]], V), rng=rng(1))
    assert p_value(ids, stated) > 1e-5
    torch.testing.assert_close(log_q, torch.tensor([0.0, *stated.values()]).log()[ids])
    first, second = sorted(stated, key=stated.__getitem__)[-1:-3:-1]
    assert p_value(ids, stated | {first: stated[first] - 0.01, second: stated[second] + 0.01}) < 1e-9


def test_what_a_cache_states_is_of_what_it_proposed_last(batch_with, rng):
    cache, batch = Cache(V, 50, size=2), batch_with([[1, 2]], V)
    cache.remember(torch.tensor([5, 6]))
    assert set(cache.draw(batch, rng=rng(0)).tolist()) == {5, 6}
    cache.remember(torch.tensor([7, 7]))
    found = cache.log_prob(torch.arange(V + 1), batch, per="batch").exp()
    torch.testing.assert_close(found, torch.tensor([0, 0, 0, 0, 0, 0.5, 0.5, 0, 0, 0]))
    assert set(cache.draw(batch, rng=rng(0)).tolist()) == {7}


def test_a_resampling_tells_the_cache_what_it_took_and_never_0(batch_with, rng):
    cache = Cache(V, 40, size=1)
    scored = Scored(
        torch.zeros(2),
        torch.tensor([[1.0, -math.inf], [-math.inf, -math.inf]]),
        log_q_TK=torch.tensor([[-1.0, -1.0], [-1.0, -math.inf]]),
        ids_TK=torch.tensor([[3, 4], [5, 0]]),
    )
    Resample(6, cache=cache)(scored, rng=rng(0))
    assert set(cache.draw(batch_with([[1, 2]], V), rng=rng(0)).tolist()) == {3}
