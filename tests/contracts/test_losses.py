"""Every loss, by being in LOSSES: what holds of any loss of a target's score and its negatives' scores."""

from __future__ import annotations

import math

import pytest
import torch

from negsample.losses import LOSSES, of_parts

OPTIONS = {"gbce": {"items": 1000}}  # what a loss cannot be called without
VARIANTS = {
    "bce, sum": ("bce", {"negatives": "sum"}),
    "gbce, sum": ("gbce", {"items": 1000, "negatives": "sum"}),
    "bpr_max, reg 0": ("bpr_max", {"reg": 0.0}),
    "sampled_softmax, temperature 0.2": ("sampled_softmax", {"temperature": 0.2}),
}
CASES = {name: (name, OPTIONS.get(name, {})) for name in LOSSES} | VARIANTS

# The softmax weights of BPR-max fall for a negative when they rise for a harder one, so that a negative that is
# easier than its neighbours is pulled up; its penalty pulls every score to 0.
PULLED_EITHER_WAY = {"bpr_max"}
# The factor under stop-gradient is part of the value and not of the gradient: the two differ on purpose. Its
# gradient is checked by hand in tests/test_losses.py.
STOPS_GRADIENT = {"corrected_log_q"}
# gBCE's beta counts the columns as proposed, absent ones too: a wider proposal is another sampling rate. What is
# left besides beta must hold, so t = 0.
WIDTH_COUNTS = {"gbce": {"t": 0.0}}
# BPR-max squares the scores: 1e30 ** 2 is no float32.
LARGEST = {"bpr_max": 1e18}


def only(cases):
    return pytest.mark.parametrize("case", cases, ids=cases)


def loss_of(case, **changes):
    name, options = CASES[case]
    return lambda pos, neg: LOSSES[name](pos, neg, **{**options, **changes})


@pytest.fixture
def scores(rng):
    """(T,) of the targets and (T, K) of the negatives, T = 5, K = 4, in double precision."""
    both = 2 * torch.randn(5, 5, generator=rng(0), dtype=torch.float64)
    return both[:, 0].clone().requires_grad_(), both[:, 1:].clone().requires_grad_()


def without(neg_TK, absent_TK):
    return neg_TK.masked_fill(absent_TK, -math.inf)


@only(CASES)
def test_one_finite_number_of_the_scores_type(case, scores):
    for dtype in (torch.float32, torch.float64):
        value = loss_of(case)(*(each.to(dtype) for each in scores))
        assert value.shape == ()
        assert value.dtype == dtype
        assert torch.isfinite(value)


@only(CASES)
def test_a_target_pulls_up(case, scores):
    pos, neg = scores
    loss_of(case)(pos, neg).backward()
    assert (pos.grad < 0).all()


@only([case for case in CASES if CASES[case][0] not in PULLED_EITHER_WAY])
def test_a_negative_pushes_down(case, scores):
    pos, neg = scores
    loss_of(case)(pos, neg).backward()
    assert (neg.grad > 0).all()


@only([case for case in CASES if CASES[case][0] not in STOPS_GRADIENT])
def test_gradient_is_that_of_the_value(case, scores):
    absent = torch.zeros(5, 4, dtype=torch.bool)
    absent[0] = absent[2, 1] = True
    assert torch.autograd.gradcheck(lambda pos, neg: loss_of(case)(pos, without(neg, absent)), scores)


@only(CASES)
def test_absent_negatives_are_as_if_never_proposed(case, scores):
    pos, neg = scores
    empty = torch.full((5, 3), -math.inf, dtype=neg.dtype)
    wider = torch.cat([neg[:, :2], empty, neg[:, 2:]], 1)
    loss = loss_of(case, **WIDTH_COUNTS.get(CASES[case][0], {}))
    value, gradients = loss(pos, neg), torch.autograd.grad(loss(pos, neg), scores)
    torch.testing.assert_close(loss(pos, wider), value)
    torch.testing.assert_close(torch.autograd.grad(loss(pos, wider), scores), gradients)


@only(CASES)
def test_the_order_of_the_negatives_is_nothing(case, scores):
    pos, neg = scores
    torch.testing.assert_close(loss_of(case)(pos, neg.flip(1)), loss_of(case)(pos, neg))


@only(CASES)
@pytest.mark.parametrize("rows", [[0], [1, 3], [0, 1, 2, 3, 4]])
def test_positions_without_a_negative_have_finite_gradients(case, scores, rows):
    pos, neg = scores
    absent = torch.zeros(5, 4, dtype=torch.bool)
    absent[rows] = True
    value = loss_of(case)(pos, without(neg, absent))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(pos.grad).all()
    assert torch.isfinite(neg.grad).all()
    assert (neg.grad[rows] == 0).all()


@only(CASES)
@pytest.mark.parametrize("size", [50.0, 1e4, 1e30, 1e32])
def test_huge_scores_stay_finite(case, size):
    size = min(size, LARGEST.get(CASES[case][0], size))
    for sign in (-1, 1):
        pos = torch.tensor([size * sign, 0.0, size * sign], requires_grad=True)
        neg = torch.tensor([[size, -size], [0.0, -math.inf], [-math.inf, -math.inf]], requires_grad=True)
        value = loss_of(case)(pos, neg)
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(pos.grad).all()
        assert torch.isfinite(neg.grad).all()


@only(CASES)
def test_a_score_that_is_no_number_is_not_hidden(case, scores):
    """Whoever watches the loss for divergence must see it."""
    pos, neg = scores
    for place in range(5):
        both = torch.cat([pos[:, None], neg], 1).detach()
        both[3, place] = math.nan
        assert torch.isnan(loss_of(case)(both[:, 0], both[:, 1:]))


@only(CASES)
def test_a_weight_multiplies_what_its_position_adds(case, scores):
    """By hand: each position alone, its sums times its weight, over the numbers of all. Weights of 1 change no bit."""
    pos, neg = scores[0], without(scores[1], torch.eye(5, 4, dtype=torch.bool))
    weights = torch.tensor([2.0, 0.0, 0.25, 1.0, 1.75], dtype=torch.float64)
    each = [loss_of(case, parts=True)(pos[t : t + 1], neg[t : t + 1]) for t in range(5)]
    sums = sum(weight * one[0] for weight, one in zip(weights, each, strict=True))
    expected = (sums / sum(one[1] for one in each)).sum()
    value = loss_of(case, weights_T=weights)(pos, neg)
    torch.testing.assert_close(value, expected)
    gradients = torch.autograd.grad(value, scores, retain_graph=True)
    torch.testing.assert_close(gradients, torch.autograd.grad(expected, scores))
    assert gradients[0][1] == 0
    assert (gradients[1][1] == 0).all()
    torch.testing.assert_close(of_parts(loss_of(case, weights_T=weights, parts=True)(pos, neg)), value)
    ones = torch.ones(5, dtype=torch.float64)
    assert torch.equal(loss_of(case, weights_T=ones)(pos, neg), loss_of(case)(pos, neg))
