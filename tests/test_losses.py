"""Losses against arithmetic written out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from negsample.losses import LOSSES, bce, bpr, bpr_max, corrected_log_q, gbce, gbce_beta, of_parts, sampled_softmax

INF = math.inf
LOG_2 = 0.6931471805599453

# softplus(x) = log(1 + e^x), to ten digits
SOFTPLUS = {-2: 0.1269280110, -1: 0.3132616875, 0: LOG_2, 1: 1.3132616875, 2: 2.1269280110, 3: 3.0485873516}
# The numbers below also use softplus(4) = 4.0181499279, and sigmoid(x), to ten digits:
# sigmoid(-2) = 0.1192029220, (-1) 0.2689414214, (1) 0.7310585786, (2) 0.8807970780, (3) 0.9525741268, (4) 0.9820137900


def two_positions():
    """Two negatives and one: what most sums below are of."""
    pos = torch.tensor([2.0, -1.0], dtype=torch.float64, requires_grad=True)
    neg = torch.tensor([[0.0, 1.0], [-INF, 3.0]], dtype=torch.float64, requires_grad=True)
    return pos, neg


def check(loss, pos, neg, value, pos_gradient, neg_gradient):
    loss.backward()
    assert loss.item() == pytest.approx(value, abs=1e-9)
    for grad, expected in ((pos.grad, pos_gradient), (neg.grad, neg_gradient)):
        torch.testing.assert_close(grad, torch.tensor(expected, dtype=torch.float64), atol=1e-9, rtol=0)


def random_scores(rng, positions=6, negatives=7):
    """(T,) and (T, K) of chance, some absent, no position without one."""
    both = 2 * torch.randn(positions, negatives + 1, generator=rng(1), dtype=torch.float64)
    both[0, 3:] = both[2, 5] = -INF
    return both[:, 0].clone().requires_grad_(), both[:, 1:].clone().requires_grad_()


def test_losses_by_name():
    assert [*LOSSES.items()] == [
        ("bce", bce),
        ("gbce", gbce),
        ("bpr", bpr),
        ("bpr_max", bpr_max),
        ("sampled_softmax", sampled_softmax),
        ("corrected_log_q", corrected_log_q),
    ]


@pytest.mark.parametrize(
    ("name", "options", "value", "pull"),
    [
        ("bce", {}, LOG_2, -0.25),
        ("bce", {"negatives": "sum"}, LOG_2, -0.25),
        ("gbce", {"items": 31, "t": 0.5}, LOG_2 * 0.55, -0.25 * 0.55),  # a = 3 / 30, beta = 1 - 0.5 * 0.9
        ("bpr", {}, 0, 0),
        ("bpr_max", {}, 0, 0),
        ("sampled_softmax", {}, 0, 0),
        ("corrected_log_q", {}, 0, 0),
    ],
)
def test_targets_alone_when_all_are_absent(name, options, value, pull):
    pos = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    neg = torch.full((2, 3), -INF, dtype=torch.float64, requires_grad=True)
    check(LOSSES[name](pos, neg, **options), pos, neg, value, [pull, pull], [[0.0] * 3] * 2)


@pytest.mark.parametrize("name", ["bpr_max", "sampled_softmax", "corrected_log_q"])
def test_a_position_without_a_negative_adds_nothing_and_stays_in_the_mean(name):
    pos, neg = torch.tensor([0.3, 2.0]), torch.tensor([[0.5, -1.0], [-INF, -INF]])
    torch.testing.assert_close(LOSSES[name](pos, neg), LOSSES[name](pos[:1], neg[:1]) / 2)


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


def test_bce_sum_by_hand():
    pos, neg = two_positions()
    # (0.6931471806 + 1.3132616875 + 3.0485873516) / 2 positions = 2.5274981099, to the targets' 0.7200948493
    # sigmoid(s) / 2: 0.5 / 2, 0.7310585786 / 2, 0, 0.9525741268 / 2
    push = [[0.25, 0.3655292893], [0.0, 0.4762870634]]
    check(bce(pos, neg, negatives="sum"), pos, neg, 3.2475929591, [-0.0596014610, -0.3655292893], push)


@pytest.mark.parametrize("options", [{"negatives": "mean"}, {"negatives": "sum"}])
def test_gbce_of_no_calibration_is_bce(options, rng):
    pos, neg = random_scores(rng)
    assert torch.equal(gbce(pos, neg, items=500, t=0, **options), bce(pos, neg, **options))


def test_gbce_by_hand():
    pos, neg = two_positions()
    # m = 2 columns as proposed, the absent one too: a = 2 / 20, beta = 0.1 (0.75 (1 - 10) + 10) = 0.325
    # 0.325 * 0.7200948493 = 0.2340308260; negatives as in BCE: 1.6849987399 or 2.5274981099
    pull = [-0.0193704748, -0.1187970190]  # 0.325 times those of BCE
    push = [[0.1666666667, 0.2436861929], [0.0, 0.3175247089]]
    check(gbce(pos, neg, items=21, t=0.75), pos, neg, 1.9190295659, pull, push)
    pos, neg = two_positions()
    push = [[0.25, 0.3655292893], [0.0, 0.4762870634]]
    check(gbce(pos, neg, items=21, t=0.75, negatives="sum"), pos, neg, 2.7615289359, pull, push)


def test_gbce_beta_by_hand():
    # a = 1 / 100: 0.01 (0.75 (1 - 100) + 100) = 0.01 * 25.75
    assert gbce_beta(1, 101, 0.75) == pytest.approx(0.2575, abs=1e-12)
    assert gbce_beta(1, 101, 0) == 1
    assert gbce_beta(25, 101, 1) == pytest.approx(0.25, abs=1e-12)  # a
    for m in (100, 101, 5000):  # every item but the target, or more draws than that: a stays 1
        assert gbce_beta(m, 101, 0.75) == 1


def test_gbce_is_what_gsasrec_computes(rng):
    """Their code: the mean of BCE over the m + 1 logits of a position, of which the target's is transformed."""
    pos = torch.randn(6, generator=rng(2), dtype=torch.float64)
    neg = torch.randn(6, 4, generator=rng(3), dtype=torch.float64)
    alpha = 4 / (50 - 1)
    beta = alpha * ((1 - 1 / alpha) * 0.75 + 1 / alpha)
    probability = torch.sigmoid(pos) ** beta
    logits = torch.cat([torch.log(probability / (1 - probability))[:, None], neg], 1)
    labels = torch.zeros_like(logits)
    labels[:, 0] = 1
    theirs = F.binary_cross_entropy_with_logits(logits, labels)
    torch.testing.assert_close(gbce(pos, neg, items=50, t=0.75, negatives="sum"), (4 + 1) * theirs)


def test_bpr_by_hand():
    pos, neg = two_positions()
    # s_neg - s_pos: -2, -1 and 4, so (0.1269280110 + 0.3132616875 + 4.0181499279) / 3 = 1.4861132088
    # sigmoid(s_neg - s_pos) / 3: 0.1192029220 / 3, 0.2689414214 / 3, 0.9820137900 / 3; the target has minus their sum
    push = [[0.0397343073, 0.0896471405], [0.0, 0.3273379300]]
    check(bpr(pos, neg), pos, neg, 1.4861132088, [-0.1293814478, -0.3273379300], push)


def test_bpr_is_bpr():
    """The trap: 1 - sigma(s_pos - s_neg), as in Spotlight, is 1/2 at a tie, and learns least where it errs most."""
    pos, neg = torch.tensor([0.0], requires_grad=True), torch.tensor([[0.0]])
    assert bpr(pos, neg).item() == pytest.approx(LOG_2)
    bpr(pos, neg + 20).backward()
    assert pos.grad.item() == pytest.approx(-1)


def test_bpr_weighs_every_present_negative_the_same_not_every_position():
    pos = torch.zeros(2)
    neg = torch.tensor([[3.0, 3.0, 3.0], [0.0, -INF, -INF]])
    assert float(bpr(pos, neg)) == pytest.approx((3 * SOFTPLUS[3] + LOG_2) / 4)


def test_bpr_max_by_hand():
    pos, neg = two_positions()
    # first position: w = 0.2689414214, 0.7310585786; sigma(s_pos - s) = 0.8807970780, 0.7310585786
    #   L = sum w sigma = 0.2368828181 + 0.5344466454 = 0.7713294635, -log L = 0.2596396770
    #   P = sum w s^2 = 0.7310585786
    # second: w = 1, -log sigma(-4) = 4.0181499279, P = 9
    # (0.2596396770 + 0.7310585786 + 4.0181499279 + 9) / 2 = 7.0044240918
    # d/ds_pos -log L = -sum w sigma (1 - sigma) / L = -(0.0282371241 + 0.1437348405) / L = -0.2229552647, over 2
    # d/ds_j -log L = -(w (sigma - L) - w sigma (1 - sigma)) / L
    #   = -(0.0294403758 - 0.0282371241) / L = -0.0015599712, -(-0.0294403758 - 0.1437348405) / L = 0.2245152357
    # d/ds_j P = w (s^2 - P) + 2 w s = -0.1966119332, 1.6587290905
    # second position: -sigma(4) for the target, sigma(4) + 2 * 3 for the negative, each over 2
    pull = [-0.1114776323, -0.4910068950]
    push = [[-0.0990859522, 0.9416221631], [0.0, 3.4910068950]]
    check(bpr_max(pos, neg), pos, neg, 7.0044240918, pull, push)
    # -log L over 2, and with half the penalty
    assert bpr_max(pos, neg, reg=0).item() == pytest.approx(2.1388948025, abs=1e-9)
    assert bpr_max(pos, neg, reg=0.5).item() == pytest.approx(4.5716594471, abs=1e-9)


def test_bpr_max_of_one_negative_is_bpr(rng):
    pos, neg = random_scores(rng)
    torch.testing.assert_close(bpr_max(pos, neg[:, :1], reg=0), bpr(pos, neg[:, :1]))


def test_bpr_max_against_its_formula_as_written(rng):
    pos, neg = random_scores(rng)
    terms = []
    for target, row in zip(pos, neg, strict=True):
        present = row[row > -INF]
        weights = torch.softmax(present, 0)
        beaten = (weights * torch.sigmoid(target - present)).sum()
        terms.append(-torch.log(beaten) + 0.3 * (weights * present**2).sum())
    torch.testing.assert_close(bpr_max(pos, neg, reg=0.3), torch.stack(terms).mean())


def test_sampled_softmax_by_hand():
    pos, neg = two_positions()
    # first position: Z = e^2 + 1 + e = 11.1073379274, log Z - 2 = 0.4076059644; second: softplus(3 + 1) = 4.0181499279
    # probabilities over 2 positions: 1 / Z / 2, e / Z / 2, sigmoid(4) / 2; the target has minus their sum
    push = [[0.0450152866, 0.1223642355], [0.0, 0.4910068950]]
    check(sampled_softmax(pos, neg), pos, neg, 2.2128779462, [-0.1673795221, -0.4910068950], push)


def test_temperature_by_hand():
    pos, neg = two_positions()
    # scores doubled: Z = e^4 + 1 + e^2, log Z - 4 = 0.1429316285; softplus(8) = 8.0003354064
    # 2 (twice the score) / 2 (positions) times 1 / Z, e^2 / Z, sigmoid(8)
    push = [[0.0158762400, 0.1173104278], [0.0, 0.9996646499]]
    loss = sampled_softmax(pos, neg, temperature=0.5)
    check(loss, pos, neg, 4.0716335174, [-0.1331866678, -0.9996646499], push)


@pytest.mark.parametrize("temperature", [1.0, 0.07, 3.0])
def test_sampled_softmax_is_the_cross_entropy_of_the_target(temperature, rng):
    pos, neg = random_scores(rng)
    logits = torch.cat([pos[:, None], neg], 1) / temperature
    expected = F.cross_entropy(logits, torch.zeros(len(pos), dtype=torch.long))
    actual = sampled_softmax(pos, neg, temperature=temperature)
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(
        torch.autograd.grad(actual, (pos, neg)), torch.autograd.grad(expected, (pos, neg)), atol=1e-7, rtol=1e-7
    )


@pytest.mark.parametrize("loss", [sampled_softmax, corrected_log_q])
def test_columns_merged_by_their_logsumexp_change_nothing(loss, rng):
    pos, neg = random_scores(rng)
    expected = torch.autograd.grad(loss(pos, neg), (pos, neg))
    for merged in (
        torch.logsumexp(neg, 1, keepdim=True),
        torch.cat([neg[:, :2], torch.logsumexp(neg[:, 2:], 1, keepdim=True)], 1),
    ):
        torch.testing.assert_close(loss(pos, merged), loss(pos, neg))
    merged = torch.logsumexp(neg, 1, keepdim=True)
    torch.testing.assert_close(torch.autograd.grad(loss(pos, merged), (pos, neg)), expected)


def test_corrected_log_q_by_hand():
    pos, neg = two_positions()
    # first position: logsumexp(0, 1) = 1.3132616875; 1 - P = (1 + e) / 11.1073379274 = 0.3347590442
    #   0.3347590442 * (1.3132616875 - 2) = -0.2298918611
    # second: 1 - P = sigmoid(4), 0.9820137900 * (3 + 1) = 3.9280551602
    # (-0.2298918611 + 3.9280551602) / 2 = 1.8490816495
    # gradient: -(1 - P) / 2 for the target, (1 - P) softmax_j / 2 for a negative:
    #   0.3347590442 * 0.2689414214 / 2, 0.3347590442 * 0.7310585786 / 2, 0.9820137900 / 2
    push = [[0.0450152866, 0.1223642355], [0.0, 0.4910068950]]
    check(corrected_log_q(pos, neg), pos, neg, 1.8490816495, [-0.1673795221, -0.4910068950], push)


def test_corrected_log_q_learns_what_sampled_softmax_learns(rng):
    """d/ds_pos = -(1 - P) and d/ds_j = (1 - P) softmax_j = exp(s_j) / (exp(s_pos) + sum exp(s)) in both."""
    pos, neg = random_scores(rng)
    ours, softmax = corrected_log_q(pos, neg), sampled_softmax(pos, neg)
    assert abs(ours.item() - softmax.item()) > 0.01
    torch.testing.assert_close(torch.autograd.grad(ours, (pos, neg)), torch.autograd.grad(softmax, (pos, neg)))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("bce", {"negatives": "max"}, "negatives must be 'mean' or 'sum', got 'max'"),
        ("gbce", {"items": 9, "negatives": "max"}, "negatives must be 'mean' or 'sum', got 'max'"),
        ("gbce", {"items": 9, "t": -0.1}, r"t must be in \[0, 1\], got -0.1; take 0 for plain BCE"),
        ("gbce", {"items": 9, "t": 1.5}, r"t must be in \[0, 1\], got 1.5"),
        ("gbce", {"items": 9, "t": math.nan}, r"t must be in \[0, 1\], got nan"),
        ("gbce", {"items": 1}, "items must be >= 2, got 1; give the size of the whole catalogue"),
        ("sampled_softmax", {"temperature": 0}, "temperature must be > 0, got 0; 1 leaves the scores"),
        ("sampled_softmax", {"temperature": -1.0}, "temperature must be > 0, got -1.0"),
        ("sampled_softmax", {"temperature": math.nan}, "temperature must be > 0, got nan"),
    ],
)
def test_senseless_settings_are_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        LOSSES[name](*two_positions(), **options)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("bce", {}),
        ("bce", {"negatives": "sum"}),
        ("gbce", {"items": 31}),
        ("gbce", {"items": 31, "negatives": "sum"}),
        ("bpr", {}),
        ("bpr_max", {"reg": 0.3}),
        ("sampled_softmax", {"temperature": 0.7}),
        ("corrected_log_q", {}),
    ],
)
@pytest.mark.parametrize("absent", ["some", "whole rows", "all"])
def test_the_loss_of_the_parts_is_that_of_the_whole(name, options, absent, rng):
    pos, neg = random_scores(rng)
    with torch.no_grad():
        if absent == "whole rows":
            neg[[1, 4, 5]] = -INF  # the last part has none at all
        if absent == "all":
            neg[:] = -INF
    whole = LOSSES[name](pos, neg, **options)
    cuts = [slice(0, 3), slice(3, 4), slice(4, 6)]
    parts = of_parts(sum(LOSSES[name](pos[cut], neg[cut], **options, parts=True) for cut in cuts))
    assert parts.shape == ()
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(torch.autograd.grad(parts, (pos, neg)), torch.autograd.grad(whole, (pos, neg)))
