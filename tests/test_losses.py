"""Losses and selections against arithmetic written out by hand."""

from __future__ import annotations

import math

import pytest
import torch

from negsample.losses import LOSSES, bce
from negsample.negatives import Hardest, keep_all

INF = math.inf
LOG_2 = 0.6931471805599453

# softplus(x) = log(1 + e^x), to ten digits
SOFTPLUS = {-2: 0.1269280110, -1: 0.3132616875, 0: LOG_2, 1: 1.3132616875, 2: 2.1269280110, 3: 3.0485873516}


def test_losses_by_name():
    assert {"bce": bce} == LOSSES


def test_bce_by_hand():
    pos = torch.tensor([2.0, -1.0], dtype=torch.float64)
    neg = torch.tensor([[0.0, 1.0, -2.0], [3.0, -1.0, 2.0]], dtype=torch.float64)
    # targets: (softplus(-2) + softplus(1)) / 2 = (0.1269280110 + 1.3132616875) / 2 = 0.7200948493
    # negatives: (0.6931471806 + 1.3132616875 + 0.1269280110 + 3.0485873516 + 0.3132616875 + 2.1269280110) / 6
    #          = 7.6221139292 / 6 = 1.2703523215
    assert float(bce(pos, neg)) == pytest.approx(1.9904471708, abs=1e-9)
    assert math.isclose(sum(SOFTPLUS.values()) / 6, 1.2703523215, abs_tol=1e-9)


def test_bce_without_the_absent_by_hand():
    pos = torch.tensor([2.0, -1.0], dtype=torch.float64, requires_grad=True)
    neg = torch.tensor([[0.0, 1.0], [-INF, 3.0]], dtype=torch.float64, requires_grad=True)
    loss = bce(pos, neg)
    loss.backward()
    # (0.6931471806 + 1.3132616875 + 3.0485873516) / 3 = 1.6849987399: over three, not four
    assert loss.item() == pytest.approx(0.7200948493 + 1.6849987399, abs=1e-9)
    # d/ds softplus(-s) = -sigmoid(-s): -0.1192029220 / 2 and -0.7310585786 / 2
    torch.testing.assert_close(pos.grad, torch.tensor([-0.0596014610, -0.3655292893], dtype=torch.float64))
    # d/ds softplus(s) = sigmoid(s): 0.5 / 3, 0.7310585786 / 3, 0, 0.9525741268 / 3
    expected = torch.tensor([[0.1666666667, 0.2436861929], [0.0, 0.3175247089]], dtype=torch.float64)
    torch.testing.assert_close(neg.grad, expected, atol=1e-9, rtol=0)


def test_bce_of_targets_alone():
    pos = torch.tensor([0.0, 0.0], requires_grad=True)
    neg = torch.full((2, 3), -INF, requires_grad=True)
    loss = bce(pos, neg)
    loss.backward()
    assert loss.item() == pytest.approx(LOG_2)
    assert pos.grad.tolist() == [-0.25, -0.25]
    assert neg.grad.tolist() == [[0.0] * 3] * 2


def test_bce_weighs_every_present_negative_the_same_not_every_position():
    pos = torch.zeros(2)
    neg = torch.tensor([[3.0, 3.0, 3.0], [0.0, -INF, -INF]])
    assert float(bce(pos, neg)) == pytest.approx(LOG_2 + (3 * SOFTPLUS[3] + LOG_2) / 4)


def test_keep_all_keeps_all():
    scores = torch.tensor([[1.0, -INF], [2.0, 3.0]])
    assert keep_all(scores) is scores


def test_hardest_omit_keeps_the_highest_of_each_position():
    scores = torch.tensor([[1.0, 5.0, -2.0, 3.0], [-9.0, -8.0, -7.0, -6.0]])
    kept = Hardest(2)(scores)
    assert kept.sort(1).values.tolist() == [[3.0, 5.0], [-7.0, -6.0]]


def test_hardest_zero_makes_the_others_zero_where_they_stand():
    scores = torch.tensor([[1.0, 5.0, -2.0, 3.0], [-9.0, -8.0, -7.0, -6.0]])
    kept = Hardest(2, not_kept="zero")(scores)
    assert kept.tolist() == [[0.0, 5.0, 0.0, 3.0], [0.0, 0.0, -7.0, -6.0]]


def test_hardest_omit_by_hand():
    pos = torch.zeros(1)
    neg = torch.tensor([[-1.0, 3.0, 1.0, 2.0]])
    # the two highest, 3 and 2: (3.0485873516 + 2.1269280110) / 2 = 2.5877576813
    assert float(bce(pos, Hardest(2)(neg))) == pytest.approx(LOG_2 + 2.5877576813)


def test_hardest_zero_adds_the_constant_log_2_and_scales_the_gradient():
    k, K = 2, 5
    omitted = torch.tensor([[-1.0, 3.0, 1.0, 2.0, 0.5], [4.0, 0.0, -3.0, 1.0, 2.5]], dtype=torch.float64)
    zeroed = omitted.clone().requires_grad_()
    omitted.requires_grad_()
    pos = torch.zeros(2, dtype=torch.float64)
    first, second = bce(pos, Hardest(k)(omitted)), bce(pos, Hardest(k, not_kept="zero")(zeroed))
    first.backward()
    second.backward()
    # FIELD: what is not kept stays in the mean with score 0, so softplus(0) = log 2 for K - k of K
    expected = LOG_2 + ((first.item() - LOG_2) * k + LOG_2 * (K - k)) / K
    assert second.item() == pytest.approx(expected, abs=1e-12)
    torch.testing.assert_close(zeroed.grad, omitted.grad * k / K)
    assert (zeroed.grad != 0).sum(1).tolist() == [k, k]


@pytest.mark.parametrize("not_kept", ["omit", "zero"])
@pytest.mark.parametrize("k", [3, 4, 100])
def test_hardest_of_fewer_than_k_keeps_all(k, not_kept):
    scores = torch.tensor([[1.0, -INF, 2.0], [0.0, -1.0, 3.0]])
    assert Hardest(k, not_kept=not_kept)(scores).tolist() == scores.tolist()


def test_hardest_keeps_absent_ones_absent():
    scores = torch.tensor([[-INF, 1.0, -INF, -5.0, -INF], [2.0, 1.0, 3.0, -INF, 0.5], [-INF] * 5])
    omitted = Hardest(3)(scores).sort(1).values.tolist()
    assert omitted == [[-INF, -5.0, 1.0], [1.0, 2.0, 3.0], [-INF] * 3]
    zeroed = Hardest(3, not_kept="zero")(scores).tolist()
    assert zeroed == [[-INF, 1.0, -INF, -5.0, -INF], [2.0, 1.0, 3.0, -INF, 0.0], [-INF] * 5]


@pytest.mark.parametrize("not_kept", ["omit", "zero"])
def test_gradients_are_finite_when_all_are_absent(not_kept):
    pos = torch.zeros(2, requires_grad=True)
    neg = torch.full((2, 6), -INF, requires_grad=True)
    bce(pos, Hardest(2, not_kept=not_kept)(neg)).backward()
    assert torch.isfinite(pos.grad).all()
    assert (neg.grad == 0).all()


@pytest.mark.parametrize("not_kept", ["omit", "zero"])
def test_equal_scores_keep_exactly_k(not_kept):
    neg = torch.ones(3, 7, requires_grad=True)
    bce(torch.zeros(3), Hardest(2, not_kept=not_kept)(neg)).backward()
    assert (neg.grad > 0).sum(1).tolist() == [2, 2, 2]


def test_senseless_settings_are_refused():
    with pytest.raises(ValueError, match="must be >= 1, got 0"):
        Hardest(0)
    with pytest.raises(ValueError, match="'omit' or 'zero', got 'drop'"):
        Hardest(2, not_kept="drop")
