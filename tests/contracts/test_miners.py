"""Every miner, by being in MINERS: what holds of anything that takes scores and gives those that take part."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import pytest
import torch

from negsample.losses import LOSSES
from negsample.miners import BatchMix, Chain, Hardest, KeepAll, LogQ, OneOfHardest, Resample, Scored, Temperature
from negsample.samplers import Cache

INF = math.inf
T, K, V = 7, 9, 60


def same(k):
    return k


def all_present(scored, chosen):
    return scored.neg_TK > -INF


def those_chosen(scored, chosen):
    """By their ids, which differ within a row."""
    in_TK = (scored.ids_TK.unsqueeze(2) == chosen.ids_TK.unsqueeze(1)).any(2)
    return in_TK & (scored.neg_TK > -INF)


def those_not_zeroed(scored, chosen):
    return (chosen.neg_TK != 0) & (scored.neg_TK > -INF)


class Case(NamedTuple):
    """``make()``: the miner. ``width(k)``: columns made of k. ``part``: which of the proposed take part, (T, K)."""

    make: Callable
    width: Callable = same
    part: Callable = all_present


MINERS = {
    "keep all": Case(KeepAll),
    "hardest, omit": Case(lambda: Hardest(4), lambda k: min(k, 4), those_chosen),
    "hardest, zero": Case(lambda: Hardest(4, not_kept="zero"), same, those_not_zeroed),
    "one of hardest": Case(lambda: OneOfHardest(3), lambda k: min(k, 1), those_chosen),
    "resample": Case(lambda: Resample(6), lambda k: 6 if k else 0, those_chosen),
    "resample, cache": Case(
        lambda: Resample(6, cache=Cache(V, 5, size=20)), lambda k: 6 if k else 0, part=those_chosen
    ),
    **{f"log q {strength}": Case(partial(LogQ, strength)) for strength in (0.0, 0.5, 1.0)},
    **{f"log q {strength}, positives": Case(partial(LogQ, strength, positives=True)) for strength in (0.0, 0.5, 1.0)},
    "log q, without what is masked": Case(lambda: LogQ(without_masked=True)),
    "temper": Case(lambda: Temperature(0.5)),
    "temper 1": Case(lambda: Temperature(1.0)),
    "batch mix": Case(lambda: BatchMix(5), lambda k: k + 5 if k else 0),
    "temper, log q": Case(lambda: Chain(Temperature(0.5), LogQ())),
    "resample, log q": Case(lambda: Chain(Resample(6), LogQ()), lambda k: 6 if k else 0, those_chosen),
    "log q, hardest": Case(lambda: Chain(LogQ(), Hardest(4)), lambda k: min(k, 4), those_chosen),
    "log q, batch mix": Case(lambda: Chain(LogQ(), BatchMix(5)), lambda k: k + 5 if k else 0),
    "temper, hardest, one": Case(
        lambda: Chain(Temperature(2.0), Hardest(4), OneOfHardest(2)), lambda k: min(k, 1), those_chosen
    ),
    "hardest, log q with positives": Case(
        lambda: Chain(Hardest(4), LogQ(positives=True)), lambda k: min(k, 4), those_chosen
    ),
}
LOSS_OF = LOSSES | {"gbce": partial(LOSSES["gbce"], items=1000)}

per_miner = pytest.mark.parametrize("name", MINERS)


@pytest.fixture
def scored_of(rng):
    """Scores with all there is to know of them; rows 2 and 3 have no negative, row 4 has one.

    Absent ones are of both kinds: excluded at the draw (no id and no ``log_q``), and masked at the score (with both).
    """

    def make(k=K, dtype=torch.float32):
        draws = rng(k)
        pos, neg = torch.randn(T, generator=draws), 2 * torch.randn(T, k, generator=draws)
        ids = torch.rand(T, V, generator=draws).argsort(1)[:, :k] + 1
        log_q = torch.randn(T, k, generator=draws) - math.log(V)
        excluded, masked = torch.rand(2, T, k, generator=draws) < 0.2
        excluded[2], masked[3] = True, True
        if k:
            excluded[4], masked[4] = True, False
            excluded[4, -1] = False
            excluded[5:], masked[5:] = False, False
        ids, log_q = ids.masked_fill(excluded, 0), log_q.masked_fill(excluded, -INF)
        neg = neg.masked_fill(excluded | masked, -INF)
        pos_log_q = torch.randn(T, generator=draws) - math.log(V)
        return Scored(pos.to(dtype), neg.to(dtype), log_q, pos_log_q, ids, torch.rand(T, generator=draws))

    return make


def learning(scored):
    """The same with scores that take gradients."""
    return scored._replace(pos_T=scored.pos_T.clone().requires_grad_(), neg_TK=scored.neg_TK.clone().requires_grad_())


def assert_same(first, second):
    for one, other in zip(first, second, strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other)


@per_miner
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("k", [0, 1, 2, K])
def test_shapes_and_types_and_no_nan(name, k, dtype, scored_of, rng):
    case = MINERS[name]
    pos, neg, log_q, _, ids, *_ = case.make()(scored_of(k, dtype), rng=rng(0))
    assert pos.shape == (T,)
    assert neg.shape == (T, case.width(k)), "also of fewer than asked for"
    assert pos.dtype == neg.dtype == dtype
    assert not torch.isnan(pos).any()
    assert not torch.isnan(neg).any()
    if log_q is not None:
        assert log_q.shape == neg.shape
        assert not torch.isnan(log_q).any()
    if ids is not None:
        assert (ids.shape, ids.dtype) == (neg.shape, torch.int64)


@per_miner
def test_same_chance_same_choice(name, scored_of, rng):
    first, second = (MINERS[name].make()(scored_of(), rng=rng(3)) for _ in range(2))
    assert_same(first, second)


@per_miner
def test_what_comes_in_is_left_as_it_was(name, scored_of, rng):
    scored = scored_of()
    MINERS[name].make()(scored, rng=rng(0))
    assert_same(scored, scored_of())


@per_miner
def test_needs_no_more_than_it_says(name, scored_of, rng):
    scored, miner = scored_of(), MINERS[name].make()
    assert miner.needs <= {"log_q", "pos_log_q", "masked", "ids", "whole"}
    asked = Scored(
        scored.pos_T,
        scored.neg_TK,
        scored.log_q_TK if "log_q" in miner.needs else None,
        scored.pos_log_q_T if "pos_log_q" in miner.needs else None,
        scored.ids_TK if "ids" in miner.needs else None,
        scored.masked_T if "masked" in miner.needs else None,
    )
    with_all, with_asked = miner(scored, rng=rng(0)), MINERS[name].make()(asked, rng=rng(0))
    assert_same(with_all[:2], with_asked[:2])


@per_miner
@pytest.mark.parametrize("k", [1, 2, K])
def test_absent_ones_never_become_present(name, k, scored_of, rng):
    scored = scored_of(k)
    had_TK, has_TN = scored.neg_TK > -INF, MINERS[name].make()(scored, rng=rng(0)).neg_TK > -INF
    assert not has_TN[2:4].any(), "rows without any"
    assert has_TN[had_TK.any(1)].any(1).all(), "a row with some has some"
    if MINERS[name].part is not those_chosen:
        assert torch.equal(has_TN[:, :k], had_TK), "where they stand"
    for seed in range(20):
        own = learning(scored)
        chosen = MINERS[name].make()(own, rng=rng(seed)).neg_TK
        chosen[chosen > -INF].sum().backward()
        assert not own.neg_TK.grad[~had_TK].any(), "a present one is made of an absent one"


@per_miner
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("k", [0, K], ids=["no column", "some rows empty"])
def test_losses_and_gradients_stay_finite(name, loss, k, scored_of, rng):
    own = learning(scored_of(k))
    chosen = MINERS[name].make()(own, rng=rng(0))
    value = LOSS_OF[loss](chosen.pos_T, chosen.neg_TK)
    value.backward()
    assert torch.isfinite(value)
    for scores in (own.pos_T, own.neg_TK):
        assert scores.grad is None or torch.isfinite(scores.grad).all()  # none: BPR-max without negatives is a constant


@per_miner
@pytest.mark.parametrize("loss", LOSSES)
def test_finite_when_every_row_is_empty(name, loss, scored_of, rng):
    empty = torch.full((T, K), -INF)
    for log_q in (empty, torch.full((T, K), -math.log(V))):
        own = learning(scored_of()._replace(neg_TK=empty, log_q_TK=log_q))
        chosen = MINERS[name].make()(own, rng=rng(0))
        value = LOSS_OF[loss](chosen.pos_T, chosen.neg_TK)
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(own.pos_T.grad).all()
        assert not own.neg_TK.grad.any()


@per_miner
@pytest.mark.parametrize("k", [2, K])
def test_gradient_reaches_those_that_take_part_and_no_other(name, k, scored_of, rng):
    case = MINERS[name]
    own = learning(scored_of(k, torch.float64))
    chosen = case.make()(own, rng=rng(0))
    LOSS_OF["sampled_softmax"](chosen.pos_T, chosen.neg_TK).backward()
    part = all_present(own, own) if chosen.ids_TK is None else case.part(own, chosen)
    assert torch.equal(own.neg_TK.grad != 0, part)
    assert torch.equal(own.pos_T.grad != 0, part.any(1))
