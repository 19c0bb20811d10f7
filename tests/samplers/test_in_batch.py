"""In-batch proposals: positions without replacement, and the two laws that ``log_q`` can state of them."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import scipy.stats
import torch

from negsample.samplers import InBatch

V = 12


@pytest.mark.parametrize("others", [0, 400], ids=["drawn by tries", "drawn by sorting"])
@pytest.mark.parametrize("per", ["sequence", "position"])
def test_in_batch_is_without_replacement_over_positions(per, others, batch_of, rng):
    # For the user of [1, 2] four positions are allowed: 6, 5, 4, 4. All the others forbid theirs: 2.
    batch = batch_of([[3, 4, 4, 5, 6], *[[1, 2]] * (others + 1)], V)
    one, sampler = rng(5), InBatch(2, per=per)
    rows = (batch.targets_T == 2) if per == "position" else (batch.users_B > 0)
    pairs: Counter[tuple[int, int]] = Counter()
    for _ in range(10 if others else 2_500):
        pairs.update(map(tuple, sampler.draw(batch, rng=one).ids[rows].tolist()))
    positions = [4, 4, 5, 6]
    ordered = Counter((positions[a], positions[b]) for a in range(4) for b in range(4) if a != b)
    assert set(pairs) <= set(ordered), "a position came twice"
    observed = [pairs[pair] for pair in ordered]
    expected = [sum(observed) * count / 12 for count in ordered.values()]
    assert scipy.stats.chisquare(observed, expected).pvalue > 1e-4
    with_replacement = Counter((a, b) for a in positions for b in positions if (a, b) in ordered)
    wrong = [sum(observed) * with_replacement[pair] / with_replacement.total() for pair in ordered]
    assert scipy.stats.chisquare(observed, wrong).pvalue < 1e-4


def test_each_place_of_a_shared_draw_has_the_law_of_one_draw(batch_with, rng, p_value):
    batch, one, sampler = batch_with([[3, 4, 4, 5], [1, 2, 2, 2]], V), rng(6), InBatch(5, per="batch")
    drawn = torch.stack([sampler.draw(batch, rng=one).ids for _ in range(3_000)])
    stated = {1: 1 / 8, 2: 3 / 8, 3: 1 / 8, 4: 2 / 8, 5: 1 / 8}
    for place in range(5):
        assert p_value(drawn[:, place], stated) > 1e-5
    for ids in drawn[:200].tolist():
        assert not Counter(ids) - Counter(batch.targets_T.tolist())


@pytest.mark.parametrize("k", [1, 3, 4, 5, 50])
@pytest.mark.parametrize("per", ["sequence", "position"])
def test_each_allowed_position_at_most_once_and_zero_after_the_last(per, k, batch_of, rng):
    batch = batch_of([[3, 4, 4, 5, 6], [1, 2]], V)
    row = batch.targets_T.tolist().index(2) if per == "position" else batch.users_B.tolist().index(1)
    one = rng(1)
    for _ in range(100):
        ids = InBatch(k, per=per).draw(batch, rng=one).ids[row].tolist()
        present = [i for i in ids if i]
        assert len(present) == min(k, 4)
        assert not Counter(present) - Counter([4, 4, 5, 6])
        assert ids[len(present) :] == [0] * (k - len(present))
        if k >= 4:
            assert sorted(present) == [4, 4, 5, 6]


@pytest.mark.parametrize("k", [1, 5, 8, 30])
def test_a_shared_draw_of_more_than_there_are_ends_with_zeros(k, batch_with, rng):
    batch = batch_with([[3, 4, 4, 5], [1, 2, 2, 2]], V)
    ids = InBatch(k, per="batch").draw(batch, rng=rng(0)).ids.tolist()
    assert ids[8:] == [0] * max(0, k - 8)
    assert all(ids[:8])
    if k >= 8:
        assert sorted(ids[:8]) == [1, 2, 2, 2, 3, 4, 4, 5]


def test_where_all_targets_are_one_item_nobody_gets_it(batch_with, rng):
    batch = batch_with([[3, 3], [3]], V, "target")
    ids, log_q, *_ = InBatch(4, per="position").sample(batch, rng=rng(0))
    assert not ids.any()
    assert (log_q == -math.inf).all()
    ids, log_q, *_ = InBatch(4, per="sequence").sample(batch, rng=rng(0))  # here it is masked when scored
    assert ids.tolist() == [[3, 0, 0, 0], [3, 3, 0, 0]], "of the other sequence alone"
    assert torch.equal(log_q, torch.where(ids > 0, 0.0, -math.inf))


def test_log_prob_takes_an_expanded_view_without_a_warning(batch_of):
    batch = batch_of([[3, 4, 4, 5, 6], [1, 2]], V)
    torch.set_warn_always(True)
    try:
        InBatch(8).log_prob(torch.arange(V + 1).expand(batch.sequences, -1), batch, per="sequence")
    finally:
        torch.set_warn_always(False)


COUNTS = torch.tensor([0, 5, 0, 3, 1, 1])


def test_without_counts_the_law_is_of_this_batch(batch_with):
    batch = batch_with([[1, 3], [1, 1]], 5)
    ids = torch.arange(6)
    found = InBatch("all").log_prob(ids, batch, per="batch").exp()
    torch.testing.assert_close(found, torch.tensor([0, 0.75, 0, 0.25, 0, 0]))
    found = InBatch(2).log_prob(ids.expand(2, -1), batch, per="sequence").exp()
    torch.testing.assert_close(found, torch.tensor([[0.0] * 6, [0, 0, 0, 1, 0, 0]]))


@pytest.mark.parametrize("policy", ["history", "target", "none"])
def test_with_counts_the_law_is_the_share_of_those_that_are_not_excluded(policy, batch_with):
    batch, ids, sampler = batch_with([[1, 3], [1, 1]], 5, policy), torch.arange(6), InBatch(2, counts=COUNTS)
    unconditional = torch.tensor([0, 5, 0, 3, 1, 1]) / 10
    # Less what is their own, 1 and 3 or 1 twice: eight targets of others each.
    of_first, of_second = torch.tensor([0, 4, 0, 2, 1, 1]), torch.tensor([0, 3, 0, 3, 1, 1])
    first_without_1, first_without_3 = torch.tensor([0, 0, 0, 2, 1, 1]) / 4, torch.tensor([0, 4, 0, 0, 1, 1]) / 6
    without_1 = torch.tensor([0, 0, 0, 3, 1, 1]) / 5
    without_both = torch.tensor([0, 0, 0, 0, 1, 1]) / 2
    expected = {
        "history": ([without_both, without_1], [without_both, without_both, without_1, without_1]),
        "target": ([of_first / 8, of_second / 8], [first_without_1, first_without_3, without_1, without_1]),
        "none": ([of_first / 8, of_second / 8], [of_first / 8] * 2 + [of_second / 8] * 2),
    }[policy]
    torch.testing.assert_close(sampler.log_prob(ids, batch, per="batch").exp(), unconditional)
    of_rows = sampler.log_prob(ids.expand(2, -1), batch, per="sequence").exp()
    of_positions = sampler.log_prob(ids.expand(4, -1), batch, per="position").exp()
    torch.testing.assert_close(of_rows, torch.stack(expected[0]))
    torch.testing.assert_close(of_positions, torch.stack(expected[1]))


@pytest.mark.parametrize("per", ["batch", "sequence"])
def test_over_many_batches_the_draws_follow_the_law_by_counts(per, batch_with, rng, p_value):
    one, sampler, drawn = rng(7), InBatch(1_000, counts=COUNTS, per=per), []
    for _ in range(400):
        # Of targets that come by the counts, some taken without replacement are independent draws by the counts.
        others = torch.searchsorted(torch.cumsum(COUNTS, 0), torch.randint(10, (2_500,), generator=one), right=True)
        batch = batch_with([others.tolist()] if per == "batch" else [[1], others.tolist()], 5)
        ids, log_q, *_ = sampler.sample(batch, rng=one)
        drawn.append(ids if per == "batch" else ids[0])
    if per == "sequence":  # a shared draw has one for each sequence, without what is its own
        torch.testing.assert_close(log_q[0], torch.log(shares(per)).float()[drawn[-1]])
    stated = dict(enumerate(shares(per).tolist()))
    assert p_value(torch.cat(drawn), stated) > 1e-5
    assert p_value(torch.cat(drawn), stated | {4: stated[4] + 0.008, 5: stated[5] - 0.008}) < 1e-9


def shares(per):
    """Of one who has item 1, or of all."""
    counts = COUNTS if per == "batch" else COUNTS * (torch.arange(6) != 1)
    return counts.double() / counts.sum()
