"""Proposals with a memory: what goes in and out, by hand, and the law of what is proposed from it."""

from __future__ import annotations

import math

import pytest
import torch

from negsample.batches.padded import padded_batch
from negsample.miners import Resample, Scored
from negsample.samplers import Cache, InBatch, MemoryBank, Mixture, Negatives, Uniform
from negsample.training.score import score_negatives

V = 9


def feed(bank, batches, batch_with, rng):
    """What the bank proposes to each of them, of users 100, 101, ..."""
    return [
        bank.draw(batch_with([targets], V, first=100 + n), rng=rng(0)).ids.tolist() for n, targets in enumerate(batches)
    ]


BATCHES = [[1, 1, 1], [4, 4, 4], [8], [6, 7]]  # the targets of each alike: in which order they go in is chance


@pytest.mark.parametrize(
    ("size", "proposed"),
    [
        (2, [[], [1, 1], [4, 4], [4, 8]]),
        (3, [[], [1, 1, 1], [4, 4, 4], [4, 4, 8]]),
        (4, [[], [1, 1, 1], [1, 4, 4, 4], [4, 4, 4, 8]]),
        (7, [[], [1, 1, 1], [1, 1, 1, 4, 4, 4], [1, 1, 1, 4, 4, 4, 8]]),
        (100, [[], [1, 1, 1], [1, 1, 1, 4, 4, 4], [1, 1, 1, 4, 4, 4, 8]]),
    ],
)
def test_first_in_first_out_by_hand(size, proposed, batch_with, rng):
    assert feed(MemoryBank(size), BATCHES, batch_with, rng) == proposed


def test_during_the_warm_up_it_proposes_nothing_yet_fills(batch_with, rng):
    assert feed(MemoryBank(4, warm_up=2), BATCHES, batch_with, rng) == [[], [], [1, 4, 4, 4], [4, 4, 4, 8]]
    assert feed(MemoryBank(4, warm_up=9), BATCHES, batch_with, rng) == [[], [], [], []]


@pytest.mark.parametrize("size", [200, 350])
def test_what_is_left_of_the_oldest_batch_is_of_all_its_sequences(size, batch_with, rng):
    """Of batches with 300 targets, longest first: long sequences have item 1, short ones item 2, half of them each."""
    lengths = [5] * 30 + [1] * 150
    batch = batch_with([[1] * length if length > 1 else [2] for length in lengths], V)
    bank, one, seen = MemoryBank(size), rng(0), []
    for _ in range(400):
        seen.append((bank.draw(batch, rng=one).ids == 1).double().mean())
    shares = torch.stack(seen[2:])
    assert abs(float(shares.mean()) - 0.5) < 0.005  # total variation; by order it was a third


def test_a_users_own_targets_in_the_bank_are_never_negatives_for_them(batch_with, rng):
    bank = MemoryBank(6)
    bank.draw(batch_with([[1, 2, 2], [3]], V, first=7), rng=rng(0))
    batch = batch_with([[5], [6]], V, "none", first=8)  # user 8 had the 3
    ids, log_q, owner, *_ = bank.sample(batch, rng=rng(0))
    assert sorted(zip(owner.tolist(), ids.tolist(), strict=True)) == [(7, 1), (7, 2), (7, 2), (8, 3)]
    q = {1: 1 / 3, 2: 2 / 3, 3: 0.0}, {1: 1 / 4, 2: 2 / 4, 3: 1 / 4}
    for row, of_row in enumerate(q):
        torch.testing.assert_close(log_q[row].exp(), torch.tensor([of_row[i] for i in ids.tolist()]))
    vectors = torch.ones(4, 1)
    scores = score_negatives(torch.ones(2, 1), vectors, Negatives(ids, log_q, owner), batch)
    assert torch.equal(scores == -math.inf, log_q == -math.inf)


def test_a_bank_that_is_carried_on_knows_whose_its_targets_are(batch_with, rng):
    first, second = MemoryBank(4), MemoryBank(4)
    first.draw(batch_with([[1, 2], [3, 4, 5]], V), rng=rng(0))
    second.load_state_dict(first.state_dict())
    one, other = (bank.sample(batch_with([[5]], V), rng=rng(1)) for bank in (first, second))
    assert all(torch.equal(a, b) for a, b in zip(one[:3], other[:3], strict=True))


def test_where_users_are_not_known_nothing_in_the_bank_is_anybodys(rng):
    bank, ids = MemoryBank(4), torch.tensor([[1, 2], [3, 4]])
    bank.draw(padded_batch(ids, ids, catalogue_size=V), rng=rng(0))
    _, log_q, owner, *_ = bank.sample(padded_batch(ids, ids, catalogue_size=V), rng=rng(0))
    assert owner.tolist() == [-1] * 4
    torch.testing.assert_close(log_q.exp(), torch.full((2, 4), 0.25))


def test_all_that_the_bank_proposed_is_frozen(batch_with, rng):
    bank = MemoryBank(4, warm_up=1)
    numbers = []
    for targets in [[1, 2, 3], [4, 5, 5], [8]]:
        ids, log_q, owner, frozen, *_ = bank.sample(batch_with([targets], V), rng=rng(0))
        assert (ids.shape, log_q.shape, owner.shape) == ((bank.k,), (1, bank.k), (bank.k,))
        assert (ids.dtype, log_q.dtype) == (torch.int64, torch.float32)
        numbers.append((bank.k, frozen))
    assert numbers == [(0, 0), (3, 3), (4, 4)]


def test_log_q_of_the_bank_is_that_of_one_draw_from_it(batch_with, rng):
    bank = MemoryBank(5)
    feed(bank, [[1, 2, 3, 2]], batch_with, rng)
    batch = batch_with([[7, 2], [1]], V)
    ids, log_q, *_ = bank.sample(batch, rng=rng(0))
    assert sorted(ids.tolist()) == [1, 2, 2, 3]
    # 7 and 1 went in with this draw; what it states is of what it proposed.
    share = torch.tensor([0, 0.25, 0.5, 0.25])
    torch.testing.assert_close(log_q.exp(), share[ids].expand(2, -1))
    everything = torch.arange(V + 1)
    found = bank.log_prob(everything, batch, per="batch").exp()
    torch.testing.assert_close(found, torch.tensor([0, 0.25, 0.5, 0.25, 0, 0, 0, 0, 0, 0]))
    of_rows = bank.log_prob(everything.expand(2, -1), batch, per="sequence").exp()
    without_2_and_7, without_1 = [0, 0.5, 0, 0.5, 0, 0, 0, 0, 0, 0], [0, 0, 2 / 3, 1 / 3, 0, 0, 0, 0, 0, 0]
    torch.testing.assert_close(of_rows, torch.tensor([without_2_and_7, without_1]))


def test_log_q_with_counts_is_the_share_of_the_counts(batch_with, rng):
    counts = torch.tensor([0, 4, 3, 2, 1, 0, 0, 0, 0, 0])
    bank = MemoryBank(5, counts=counts)
    feed(bank, [[1, 2, 3, 2]], batch_with, rng)
    ids, log_q, *_ = bank.sample(batch_with([[3, 2], [1]], V), rng=rng(0))
    assert sorted(ids.tolist()) == [1, 2, 2, 3]
    # Of ten targets the first user has a 2 and a 3, the second a 1.
    of_first, of_second = torch.tensor([0, 4, 2, 1]) / 8, torch.tensor([0, 3, 3, 2]) / 9
    torch.testing.assert_close(log_q.exp(), torch.stack([of_first[ids], of_second[ids]]))


def test_over_many_batches_the_bank_holds_items_by_their_counts(batch_with, rng, p_value):
    counts, one = torch.tensor([0, 4, 3, 2, 1]), rng(3)
    bank, seen = MemoryBank(500), []
    for _ in range(2_000):
        targets = torch.searchsorted(torch.cumsum(counts, 0), torch.randint(10, (1, 500), generator=one), right=True)
        seen.append(bank.draw(batch_with(targets.tolist(), 4), rng=rng(0)).ids)
    drawn = torch.cat(seen)
    assert len(drawn) == 1_999 * 500
    assert p_value(drawn, {1: 0.4, 2: 0.3, 3: 0.2, 4: 0.1}) > 1e-5
    assert p_value(drawn, {1: 0.4, 2: 0.29, 3: 0.21, 4: 0.1}) < 1e-9


def test_an_empty_bank_states_that_nothing_is_drawn(batch_with, rng):
    bank = MemoryBank(5)
    ids, log_q, *_ = bank.sample(batch_with([[1, 2]], V), rng=rng(0))
    assert (ids.shape, log_q.shape) == ((0,), (1, 0))
    assert (bank.log_prob(torch.arange(V + 1), batch_with([[1, 2]], V), per="batch") == -math.inf).all()


def test_in_a_mixture_the_banks_ids_come_last_and_are_frozen(batch_with, rng):
    mixture = Mixture(InBatch("all"), MemoryBank(3, warm_up=1))
    proposed = []
    for user, targets in enumerate([[1, 1], [3, 3, 3], [6], [7]]):
        ids, log_q, _, frozen, *_ = mixture.sample(batch_with([targets], V, first=user), rng=rng(0))
        assert (mixture.per, mixture.k, (1, *ids.shape)) == ("batch", "all", log_q.shape)
        proposed.append((ids.tolist(), frozen))
    assert proposed == [([1, 1], 0), ([3, 3, 3, 1, 1], 2), ([6, 3, 3, 3], 3), ([7, 3, 3, 6], 3)]


def test_in_a_mixture_a_part_of_nothing_has_no_weight(batch_with, rng):
    mixture = Mixture(Uniform(V, 4, per="batch"), MemoryBank(4))
    _, log_q, *_ = mixture.sample(batch_with([[1, 2]], V), rng=rng(0))
    torch.testing.assert_close(log_q.exp(), torch.full((1, 4), 1 / V))
    ids, log_q, *_ = mixture.sample(batch_with([[3]], V, first=1), rng=rng(0))
    expected = [4 / 6 / V + (2 / 6 / 2 if item in (1, 2) else 0) for item in ids.tolist()]
    torch.testing.assert_close(log_q.exp(), torch.tensor([expected]))


def test_a_bank_that_is_not_last_is_refused():
    with pytest.raises(ValueError, match="must be the last part of a mixture"):
        Mixture(MemoryBank(4), Uniform(V, 3))


def test_a_cache_that_remembers_nothing_is_uniform(batch_with, rng, p_value):
    batch = batch_with([[1, 2]], V)
    ids, log_q, *_ = Cache(V, 1_000_000, size=6).sample(batch, rng=rng(0))
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
    ids, log_q, *_ = cache.sample(batch_with([[1, 2], [3]], V), rng=rng(1))
    assert p_value(ids, stated) > 1e-5
    torch.testing.assert_close(log_q, torch.tensor([0.0, *stated.values()]).log()[ids])
    first, second = sorted(stated, key=stated.__getitem__)[-1:-3:-1]
    assert p_value(ids, stated | {first: stated[first] - 0.01, second: stated[second] + 0.01}) < 1e-9


def test_what_a_cache_states_is_of_what_it_proposed_last(batch_with, rng):
    cache, batch = Cache(V, 50, size=2), batch_with([[1, 2]], V)
    cache.remember(torch.tensor([5, 6]))
    assert set(cache.draw(batch, rng=rng(0)).ids.tolist()) == {5, 6}
    cache.remember(torch.tensor([7, 7]))
    found = cache.log_prob(torch.arange(V + 1), batch, per="batch").exp()
    torch.testing.assert_close(found, torch.tensor([0, 0, 0, 0, 0, 0.5, 0.5, 0, 0, 0]))
    assert set(cache.draw(batch, rng=rng(0)).ids.tolist()) == {7}


def test_a_resampling_tells_the_cache_what_it_took_and_never_0(batch_with, rng):
    cache = Cache(V, 40, size=1)
    scored = Scored(
        torch.zeros(2),
        torch.tensor([[1.0, -math.inf], [-math.inf, -math.inf]]),
        log_q_TK=torch.tensor([[-1.0, -1.0], [-1.0, -math.inf]]),
        ids_TK=torch.tensor([[3, 4], [5, 0]]),
    )
    Resample(6, cache=cache)(scored, rng=rng(0))
    assert set(cache.draw(batch_with([[1, 2]], V), rng=rng(0)).ids.tolist()) == {3}
