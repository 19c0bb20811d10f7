"""Cohorts in given shares: the law by hand, empty cohorts, and shares by the target's own cohort."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch

from negsample.data.popularity import cohorts
from negsample.samplers import Cohort, Mixture, Uniform, own_cohort

# Items 1 and 2 are the head, 3 mid, 4..7 the tail.
COHORTS = torch.tensor([-1, 0, 0, 1, 2, 2, 2, 2])


def test_the_law_by_hand(batch_with):
    batch = batch_with([[1], [4]], 7)
    sampler = Cohort(COHORTS, [0.5, 0.3, 0.2], 3)
    ids = torch.arange(8)
    by_hand = [0, 0.25, 0.25, 0.3, 0.05, 0.05, 0.05, 0.05]
    torch.testing.assert_close(sampler.log_prob(ids, batch, per="batch").exp(), torch.tensor(by_hand))
    # The first user has item 1: the others keep their proportions, so 0.75 is the new whole.
    without_1 = [0, 0, 0.25, 0.3, 0.05, 0.05, 0.05, 0.05]
    without_4 = [0, 0.25, 0.25, 0.3, 0, 0.05, 0.05, 0.05]
    found = sampler.log_prob(ids.expand(2, -1), batch, per="sequence").exp()
    torch.testing.assert_close(found, torch.tensor([without_1, without_4]) / torch.tensor([[0.75], [0.95]]))


@pytest.mark.parametrize("scale", [1.0, 10.0, 1e-200])
def test_shares_are_kept_whatever_they_sum_to(scale, batch_with, rng):
    batch = batch_with([[1], [4]], 7, "none")
    sampler = Cohort(COHORTS, [0.5 * scale, 0.3 * scale, 0.2 * scale], 300_000)
    for drawn in sampler.draw(batch, rng=rng(0)).ids:
        found = torch.bincount(COHORTS[drawn], minlength=3) / len(drawn)
        for share, wanted in zip(found.tolist(), [0.5, 0.3, 0.2], strict=True):
            assert abs(share - wanted) < 5 * math.sqrt(wanted * (1 - wanted) / len(drawn))


def test_draws_follow_the_law_by_hand(batch_with, rng, p_value):
    batch = batch_with([[1], [4]], 7)
    first, second = Cohort(COHORTS, [0.5, 0.3, 0.2], 1_000_000).draw(batch, rng=rng(1)).ids
    assert p_value(first, {2: 0.25 / 0.75, 3: 0.3 / 0.75, **dict.fromkeys((4, 5, 6, 7), 0.05 / 0.75)}) > 1e-5
    assert (
        p_value(second, {1: 0.25 / 0.95, 2: 0.25 / 0.95, 3: 0.3 / 0.95, **dict.fromkeys((5, 6, 7), 0.05 / 0.95)}) > 1e-5
    )


def test_a_cohort_that_is_excluded_as_a_whole_leaves_its_share_to_the_others(batch_with, rng):
    batch = batch_with([[3, 3]], 7)  # all of mid
    drawn = Cohort(COHORTS, [0.5, 0.3, 0.2], 200_000).draw(batch, rng=rng(1)).ids
    head = float((COHORTS[drawn] == 0).double().mean())
    assert abs(head - 0.5 / 0.7) < 5 * math.sqrt(0.25 / 200_000)
    assert not (drawn == 3).any()


def test_an_empty_cohort_leaves_its_share_to_the_others(batch_with):
    batch = batch_with([[1]], 5, "none")
    ids = torch.arange(6)
    no_mid = Cohort(torch.tensor([-1, 0, 2, 2, 2, 2]), [0.3, 0.4, 0.3], 5)
    by_hand = [0, 0.5, 0.125, 0.125, 0.125, 0.125]
    torch.testing.assert_close(no_mid.log_prob(ids, batch, per="batch").exp(), torch.tensor(by_hand))
    tail_alone = Cohort(torch.tensor([-1, 0, 1, 2, 2, 2]), [0, 0, 2.5], 5)
    by_hand = [0, 0, 0, 1 / 3, 1 / 3, 1 / 3]
    torch.testing.assert_close(tail_alone.log_prob(ids, batch, per="batch").exp(), torch.tensor(by_hand))


def test_shares_by_the_targets_cohort(batch_with, rng, p_value):
    batch = batch_with([[1, 4], [3]], 7, "target")
    rows = [[0.8, 0.2, 0], [0, 0, 1], [0.1, 0.1, 0.8]]
    sampler = Cohort(COHORTS, rows, 400_000, per="position")
    ids, log_q, *_ = sampler.sample(batch, rng=rng(2))
    by_hand = {
        1: {2: 0.4 / 0.6, 3: 0.2 / 0.6},
        4: {1: 0.05 / 0.8, 2: 0.05 / 0.8, 3: 0.1 / 0.8, 5: 0.2 / 0.8, 6: 0.2 / 0.8, 7: 0.2 / 0.8},
        3: {4: 0.25, 5: 0.25, 6: 0.25, 7: 0.25},
    }
    assert batch.targets_T.tolist() == [1, 4, 3]
    for target, drawn, log_q_K in zip([1, 4, 3], ids, log_q, strict=True):
        assert p_value(drawn, by_hand[target]) > 1e-5
        expected = torch.zeros(8).index_copy(
            0, torch.tensor(list(by_hand[target])), torch.tensor(list(by_hand[target].values()))
        )
        torch.testing.assert_close(log_q_K.exp(), expected[drawn])
    nobody = dataclasses.replace(batch, exclude="none")
    found = sampler.log_prob(torch.arange(8).expand(3, -1), nobody, per="position").exp()
    torch.testing.assert_close(found[0], torch.tensor([0, 0.4, 0.4, 0.2, 0, 0, 0, 0]))


def test_in_a_mixture_shares_by_target_are_still_those_of_the_target(batch_with):
    batch = batch_with([[1, 4], [3]], 7, "none")
    mixture = Mixture(Uniform(7, 1), Cohort(COHORTS, own_cohort(1.0), 3, per="position"))
    found = mixture.log_prob(torch.tensor([[1, 4], [1, 4], [1, 4]]), batch, per="position").exp()
    of_head, of_tail, of_mid = [1 / 28 + 3 / 8, 1 / 28], [1 / 28, 1 / 28 + 3 / 16], [1 / 28, 1 / 28]
    torch.testing.assert_close(found, torch.tensor([of_head, of_tail, of_mid]))


def test_own_cohort_by_hand():
    assert own_cohort(0.5) == [[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]]
    assert own_cohort(1) == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert own_cohort(0) == [[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan, math.inf])
def test_a_share_of_the_own_cohort_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match=r"must be in \[0, 1\], got"):
        own_cohort(share)


def test_cohorts_come_as_the_data_gives_them(batch_with):
    given = torch.from_numpy(cohorts(torch.tensor([0, 9, 6, 3, 2, 1]).numpy()))
    assert given.tolist() == [-1, 0, 1, 2, 2, 2]
    found = Cohort(given, [0.2, 0.2, 0.6], 2).log_prob(torch.arange(6), batch_with([[1]], 5), per="batch").exp()
    torch.testing.assert_close(found, torch.tensor([0, 0.2, 0.2, 0.2, 0.2, 0.2]))


@pytest.mark.parametrize(
    ("shares", "per", "words"),
    [
        ([0.5, 0.5], "sequence", "head, mid and tail, or three such rows"),
        ([[0.5, 0.5, 0], [0.5, 0.5, 0]], "position", "head, mid and tail, or three such rows"),
        (own_cohort(0.5), "sequence", "need per='position', got per='sequence'"),
        (own_cohort(0.5), "batch", "need per='position', got per='batch'"),
        ([0.5, -0.1, 0.6], "batch", "shares must be >= 0"),
        ([0.5, math.nan, 0.5], "batch", "shares must be >= 0"),
        ([0.5, math.inf, 0.5], "batch", "shares must be >= 0"),
        ([0, 0, 0], "batch", "no item can be drawn"),
        ([0.5, 0.5, 0], "user", "got 'user'"),
    ],
)
def test_senseless_shares_are_refused(shares, per, words):
    with pytest.raises(ValueError, match=words):
        Cohort(COHORTS, shares, 5, per=per)


def test_a_share_for_nobody_is_refused():
    with pytest.raises(ValueError, match="the cohorts with a share have no items"):
        Cohort(torch.tensor([-1, 0, 0, 2]), [0, 1, 0], 5)
    with pytest.raises(ValueError, match="k must be >= 1, got 0"):
        Cohort(COHORTS, [1, 1, 1], 0)


@pytest.mark.parametrize("per", ["batch", "sequence"])
def test_shares_by_target_have_no_law_for_who_has_no_target(per, batch_with):
    batch = batch_with([[1, 4], [3]], 7)
    sampler = Cohort(COHORTS, own_cohort(0.5), 5, per="position")
    with pytest.raises(ValueError, match=f"per position only, got per='{per}'"):
        sampler.log_prob(torch.arange(8).expand(2, -1), batch, per=per)
