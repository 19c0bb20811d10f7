"""Every loss, by being in LOSSES: what holds of any loss of a target's score and its negatives' scores."""

from __future__ import annotations

import math

import pytest
import torch

from negsample.losses import LOSSES

per_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


@pytest.fixture
def scores(rng):
    """(T, 1) of the targets and (T, K) of the negatives, T = 5, K = 4, in double precision."""
    both = 2 * torch.randn(5, 5, generator=rng(0), dtype=torch.float64)
    return both[:, 0].clone().requires_grad_(), both[:, 1:].clone().requires_grad_()


def without(neg_TK, absent_TK):
    return neg_TK.masked_fill(absent_TK, -math.inf)


@per_loss
def test_one_finite_number_of_the_scores_type(loss, scores):
    for dtype in (torch.float32, torch.float64):
        value = loss(*(each.to(dtype) for each in scores))
        assert value.shape == ()
        assert value.dtype == dtype
        assert torch.isfinite(value)


@per_loss
def test_a_target_pulls_up_and_a_negative_pushes_down(loss, scores):
    pos, neg = scores
    loss(pos, neg).backward()
    assert (pos.grad < 0).all()
    assert (neg.grad > 0).all()


@per_loss
def test_gradient_is_that_of_the_value(loss, scores):
    absent = torch.zeros(5, 4, dtype=torch.bool)
    absent[0] = absent[2, 1] = True
    assert torch.autograd.gradcheck(lambda pos, neg: loss(pos, without(neg, absent)), scores)


@per_loss
def test_absent_negatives_are_as_if_never_proposed(loss, scores):
    pos, neg = scores
    empty = torch.full((5, 3), -math.inf, dtype=neg.dtype)
    wider = torch.cat([neg[:, :2], empty, neg[:, 2:]], 1)
    torch.testing.assert_close(loss(pos, wider), loss(pos, neg))


@per_loss
def test_the_order_of_the_negatives_is_nothing(loss, scores):
    pos, neg = scores
    torch.testing.assert_close(loss(pos, neg.flip(1)), loss(pos, neg))


@per_loss
@pytest.mark.parametrize("rows", [[0], [1, 3], [0, 1, 2, 3, 4]])
def test_positions_without_a_negative_have_finite_gradients(loss, scores, rows):
    pos, neg = scores
    absent = torch.zeros(5, 4, dtype=torch.bool)
    absent[rows] = True
    value = loss(pos, without(neg, absent))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(pos.grad).all()
    assert torch.isfinite(neg.grad).all()
    assert (neg.grad[rows] == 0).all()


@per_loss
@pytest.mark.parametrize("size", [50.0, 1e4, 1e30])
def test_huge_scores_stay_finite(loss, size):
    for sign in (-1, 1):
        pos = torch.tensor([size * sign, 0.0], requires_grad=True)
        neg = torch.tensor([[size, -size], [0.0, -math.inf]], requires_grad=True)
        value = loss(pos, neg)
        value.backward()
        assert torch.isfinite(value)
        assert torch.isfinite(pos.grad).all()
        assert torch.isfinite(neg.grad).all()
