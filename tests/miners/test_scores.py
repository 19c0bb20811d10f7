"""Selectors against arithmetic written out by hand, slow and obvious versions, and their stated laws."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import scipy.stats
import torch
from torch.nn.functional import cross_entropy

from negsample.losses import bce, sampled_softmax
from negsample.miners import BatchMix, Chain, Hardest, KeepAll, LogQ, OneOfHardest, Resample, Scored, Temperature
from negsample.samplers import Cache

INF = math.inf
LOG_2 = 0.6931471805599453


def selected(miner, neg, rng, **more):
    """The negatives that ``miner`` makes of these, for targets of score 0."""
    return miner(Scored(torch.zeros(len(neg), dtype=neg.dtype), neg, **more), rng=rng(0)).neg_TK


def p_value(counts, law):
    """Chi-square goodness of fit; 0 when something impossible happened."""
    if any(n and not share for n, share in zip(counts, law, strict=True)):
        return 0.0
    total = sum(counts)
    expected = [total * share for share in law if share]
    seen = [n for n, share in zip(counts, law, strict=True) if share]
    return float(scipy.stats.chisquare(seen, expected).pvalue)


def a_little_wrong(law):
    """0.01 of probability moved from the most probable to the second."""
    first, second = sorted(range(len(law)), key=law.__getitem__)[-1:-3:-1]
    return [p - 0.01 * (i == first) + 0.01 * (i == second) for i, p in enumerate(law)]


def test_hardest_omit_keeps_the_highest_of_each_position_with_their_facts(rng):
    neg = torch.tensor([[1.0, 5.0, -2.0, 3.0], [-9.0, -8.0, -7.0, -6.0]])
    ids = torch.tensor([[11, 12, 13, 14], [21, 22, 23, 24]])
    kept = Hardest(2)(Scored(torch.zeros(2), neg, log_q_TK=-ids.float(), ids_TK=ids), rng=rng(0))
    assert kept.neg_TK.sort(1).values.tolist() == [[3.0, 5.0], [-7.0, -6.0]]
    assert kept.ids_TK.sort(1).values.tolist() == [[12, 14], [23, 24]]
    assert torch.equal(kept.log_q_TK, -kept.ids_TK.float())
    assert torch.equal(kept.neg_TK, neg.flatten()[kept.ids_TK % 10 - 1 + torch.tensor([[0], [4]])])


def test_hardest_zero_makes_the_others_zero_where_they_stand(rng):
    neg = torch.tensor([[1.0, 5.0, -2.0, 3.0], [-9.0, -8.0, -7.0, -6.0]])
    kept = selected(Hardest(2, not_kept="zero"), neg, rng)
    assert kept.tolist() == [[0.0, 5.0, 0.0, 3.0], [0.0, 0.0, -7.0, -6.0]]


def test_hardest_omit_by_hand(rng):
    # the two highest, 3 and 2: (3.0485873516 + 2.1269280110) / 2 = 2.5877576813
    kept = selected(Hardest(2), torch.tensor([[-1.0, 3.0, 1.0, 2.0]]), rng)
    assert float(bce(torch.zeros(1), kept)) == pytest.approx(LOG_2 + 2.5877576813)


def test_hardest_zero_adds_the_constant_log_2_and_scales_the_gradient(rng):
    k, K = 2, 5
    omitted = torch.tensor([[-1.0, 3.0, 1.0, 2.0, 0.5], [4.0, 0.0, -3.0, 1.0, 2.5]], dtype=torch.float64)
    zeroed = omitted.clone().requires_grad_()
    omitted.requires_grad_()
    pos = torch.zeros(2, dtype=torch.float64)
    first = bce(pos, selected(Hardest(k), omitted, rng))
    second = bce(pos, selected(Hardest(k, not_kept="zero"), zeroed, rng))
    first.backward()
    second.backward()
    # FIELD: what is not kept stays in the mean with score 0, so softplus(0) = log 2 for K - k of K
    expected = LOG_2 + ((first.item() - LOG_2) * k + LOG_2 * (K - k)) / K
    assert second.item() == pytest.approx(expected, abs=1e-12)
    torch.testing.assert_close(zeroed.grad, omitted.grad * k / K)
    assert (zeroed.grad != 0).sum(1).tolist() == [k, k]


@pytest.mark.parametrize("not_kept", ["omit", "zero"])
@pytest.mark.parametrize("k", [3, 4, 100])
def test_hardest_of_fewer_than_k_keeps_all(k, not_kept, rng):
    neg = torch.tensor([[1.0, -INF, 2.0], [0.0, -1.0, 3.0]])
    assert selected(Hardest(k, not_kept=not_kept), neg, rng).tolist() == neg.tolist()


def test_hardest_keeps_absent_ones_absent(rng):
    neg = torch.tensor([[-INF, 1.0, -INF, -5.0, -INF], [2.0, 1.0, 3.0, -INF, 0.5], [-INF] * 5])
    omitted = selected(Hardest(3), neg, rng).sort(1).values.tolist()
    assert omitted == [[-INF, -5.0, 1.0], [1.0, 2.0, 3.0], [-INF] * 3]
    zeroed = selected(Hardest(3, not_kept="zero"), neg, rng).tolist()
    assert zeroed == [[-INF, 1.0, -INF, -5.0, -INF], [2.0, 1.0, 3.0, -INF, 0.0], [-INF] * 5]


@pytest.mark.parametrize("not_kept", ["omit", "zero"])
def test_equal_scores_keep_exactly_k(not_kept, rng):
    neg = torch.ones(3, 7, requires_grad=True)
    bce(torch.zeros(3), selected(Hardest(2, not_kept=not_kept), neg, rng)).backward()
    assert (neg.grad > 0).sum(1).tolist() == [2, 2, 2]


@pytest.mark.parametrize("n", [1, 2, 4, 100])
def test_one_of_hardest_is_uniform_over_the_n_highest_present(n, rng):
    row = [0.5, -INF, 3.0, 1.0, -INF, -2.0]
    best = sorted((i for i in range(6) if row[i] > -INF), key=lambda i: -row[i])[:n]
    picks = selected(OneOfHardest(n), torch.tensor([row]).expand(200_000, -1), rng)
    assert picks.shape == (200_000, 1)
    counts = Counter(row.index(pick) for pick in picks.flatten().tolist())
    assert set(counts) == set(best)
    if n > 1:
        seen = [counts[i] for i in best]
        assert p_value(seen, [1 / len(best)] * len(best)) > 1e-3
        assert p_value(seen, a_little_wrong([1 / len(best)] * len(best))) < 1e-6


def test_one_of_one_is_the_hardest(rng):
    neg = torch.randn(50, 8, generator=rng(1)).masked_fill(torch.rand(50, 8, generator=rng(2)) < 0.5, -INF)
    assert torch.equal(selected(OneOfHardest(1), neg, rng), selected(Hardest(1), neg, rng))


ROW = [1.0, -0.5, -INF, 2.0, 0.3, -INF, 0.3]  # the third was excluded at the draw, the sixth masked at the score
LOG_Q = [-1.0, -3.0, -INF, -0.7, -2.0, -0.1, -2.5]
WEIGHTS = [math.exp(s - q) if s > -INF else 0.0 for s, q in zip(ROW, LOG_Q, strict=True)]
POOL = math.log(sum(WEIGHTS) / 6)  # six were drawn


def pool(rows, *, learn=False):
    neg = torch.tensor([ROW], dtype=torch.float64, requires_grad=learn)
    facts = torch.tensor([LOG_Q], dtype=torch.float64), None, torch.arange(1, 8).unsqueeze(0)
    log_q, _, ids = (None if each is None else each.expand(rows, -1) for each in facts)
    return neg, Scored(torch.full((rows,), 0.8, dtype=torch.float64), neg.expand(rows, -1), log_q, None, ids)


def test_resample_follows_its_law_and_states_it(rng):
    law = [weight / sum(WEIGHTS) for weight in WEIGHTS]
    taken = Resample(1000)(pool(1000)[1], rng=rng(0))
    counts = torch.bincount(taken.ids_TK.flatten(), minlength=8)[1:].tolist()
    assert p_value(counts, law) > 1e-3
    plain = [math.exp(s) for s in ROW]
    for wrong in (a_little_wrong(law), [weight / sum(plain) for weight in plain]):
        assert p_value(counts, wrong) < 1e-6
    stated = torch.tensor([score - POOL for score in ROW], dtype=torch.float64)[taken.ids_TK - 1]
    torch.testing.assert_close(taken.log_q_TK, stated)


def test_resample_then_log_q_has_the_value_of_the_pool_and_on_average_its_gradient(rng):
    neg, scored = pool(40_000, learn=True)
    whole = LogQ()(scored, rng=rng(0))
    torch.testing.assert_close(torch.logsumexp(whole.neg_TK, 1), torch.full((40_000,), POOL, dtype=torch.float64))
    sampled_softmax(whole.pos_T, whole.neg_TK).backward()
    expected, neg.grad = neg.grad.clone(), None
    drawn = Chain(Resample(3), LogQ())(scored, rng=rng(1))
    for each in range(5):  # the value, whatever was drawn
        rows = slice(each, each + 1)
        value = sampled_softmax(drawn.pos_T[rows], drawn.neg_TK[rows])
        torch.testing.assert_close(value, sampled_softmax(whole.pos_T[rows], whole.neg_TK[rows]))
    sampled_softmax(drawn.pos_T, drawn.neg_TK).backward()
    noise = expected.sum() * 0.5 / math.sqrt(3 * 40_000)  # of a share, at most
    assert ((neg.grad - expected).abs() < 5 * noise).all()
    assert not neg.grad[0, [2, 5]].any()


def test_the_cache_is_told_the_first_that_each_position_took(rng, batch_of):
    told = []
    spy = type("Spy", (), {"remember": lambda self, ids: told.append(ids.tolist())})()
    scored = pool(2)[1]
    scored = scored._replace(neg_TK=torch.stack([scored.neg_TK[0], torch.full((7,), -INF, dtype=torch.float64)]))
    taken = Resample(5, cache=spy)(scored, rng=rng(0))
    assert told == [[int(taken.ids_TK[0, 0]), 0]], "where nothing could be taken, nothing"
    cache = Cache(7, 200, size=1)
    Resample(5, cache=cache)(scored, rng=rng(0))
    assert set(cache.draw(batch_of([[1, 2]], 7), rng=rng(1)).ids.tolist()) == {int(taken.ids_TK[0, 0])}


def test_resample_passes_over_what_its_law_cannot_give(rng):
    """As an in-batch target that the given counts do not know."""
    log_q = torch.tensor([[-1.0, -INF, -2.0]]).expand(100, -1)
    taken = Resample(4)(Scored(torch.zeros(100), torch.randn(100, 3, generator=rng(1)), log_q), rng=rng(0))
    assert torch.isfinite(taken.log_q_TK).all()


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_log_q_by_hand(strength, rng):
    neg, scored = pool(1)
    m = 6  # drawn: what is masked at the score counts, what was excluded at the draw does not
    expected = [s if s == -INF else s - strength * (math.log(m) + q) for s, q in zip(ROW, LOG_Q, strict=True)]
    corrected = LogQ(strength)(scored, rng=rng(0))
    assert corrected.neg_TK[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert torch.equal(corrected.pos_T, scored.pos_T)
    if strength == 0:
        assert torch.equal(corrected.neg_TK, neg)


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_log_q_of_positives_too_is_cross_entropy_over_both_corrected(strength, rng):
    pos_log_q = torch.tensor([-2.5], dtype=torch.float64)
    scored = pool(1)[1]._replace(pos_log_q_T=pos_log_q)
    corrected = LogQ(strength, positives=True)(scored, rng=rng(0))
    both = [0.8 + strength * 2.5, *(s - strength * q for s, q in zip(ROW, LOG_Q, strict=True) if s > -INF)]
    expected = cross_entropy(torch.tensor([both], dtype=torch.float64), torch.tensor([0]))
    torch.testing.assert_close(sampled_softmax(corrected.pos_T, corrected.neg_TK), expected)


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_log_q_without_what_is_masked_by_hand(strength, rng):
    scored = pool(1)[1]._replace(masked_T=torch.tensor([0.2], dtype=torch.float64))
    corrected = LogQ(strength, without_masked=True)(scored, rng=rng(0))
    m = 5  # not masked
    expected = [
        s if s == -INF else s - strength * (math.log(m) + math.log(math.exp(q) / (1 - 0.2)))
        for s, q in zip(ROW, LOG_Q, strict=True)
    ]
    assert corrected.neg_TK[0].tolist() == pytest.approx(expected, abs=1e-6)
    assert torch.equal(corrected.pos_T, scored.pos_T)


def test_log_q_of_strength_0_does_nothing_even_to_a_target_of_no_probability(rng):
    scored = pool(1)[1]._replace(pos_log_q_T=torch.tensor([-INF], dtype=torch.float64))
    assert LogQ(0, positives=True)(scored, rng=rng(0)).pos_T.tolist() == [0.8]


def test_log_q_makes_draws_as_frequent_as_their_law_the_whole_catalogue(rng):
    """Item i, drawn exactly m q(i) times, stands for itself once: full cross-entropy, with no other sign or law."""
    scores, often = torch.tensor([0.5, -1.0, 2.0, 1.5], dtype=torch.float64), torch.tensor([1, 2, 3, 4])
    drawn = torch.repeat_interleave(torch.arange(4), often)
    pos = torch.ones(1, dtype=torch.float64)
    full = cross_entropy(torch.cat([pos, scores]).unsqueeze(0), torch.tensor([0]))

    def estimate(log_q, sign=1):
        scored = Scored(pos, scores[drawn].unsqueeze(0), sign * log_q[drawn].unsqueeze(0))
        return float(sampled_softmax(*LogQ()(scored, rng=rng(0))[:2]))

    law = torch.log(often.double() / 10)
    assert estimate(law) == pytest.approx(float(full), abs=1e-6)
    wrong = [estimate(law, sign=-1), estimate(torch.full((4,), -math.log(4))), estimate(torch.log(often.double()))]
    assert all(abs(value - float(full)) > 0.05 for value in wrong)


def test_temper_by_hand_and_then_goes_in_order(rng):
    scored = pool(1)[1]
    tempered = Temperature(0.25)(scored, rng=rng(0))
    assert tempered.pos_T.tolist() == [3.2]
    assert tempered.neg_TK[0].tolist() == [4 * score for score in ROW]
    first, second = ([4 * ROW[0] - (LOG_Q[0] + math.log(6))], [4 * (ROW[0] - (LOG_Q[0] + math.log(6)))])
    assert Chain(Temperature(0.25), LogQ())(scored, rng=rng(0)).neg_TK[0, :1].tolist() == pytest.approx(first)
    assert Chain(LogQ(), Temperature(0.25))(scored, rng=rng(0)).neg_TK[0, :1].tolist() == pytest.approx(second)
    assert KeepAll()(scored, rng=rng(0)) is scored
    assert Chain(Temperature(0.25), LogQ(positives=True), KeepAll()).needs == {"log_q", "pos_log_q"}


def test_batch_mix_scores_the_mixture_of_two_vectors(rng):
    """Recovered from the scores of several states: one pair and one lambda serve them all."""
    states, vectors = (torch.randn(n, 4, generator=rng(n), dtype=torch.float64) for n in (5, 3))
    mixed_TN = selected(BatchMix(3000), states @ vectors.T, rng)[:, 3:]
    seen = Counter()
    first, second = torch.triu_indices(3, 3)
    for mixed_T in mixed_TN.T:
        s_first, s_second = (states @ vectors[of].T for of in (first, second))
        gap = s_first - s_second
        share = ((mixed_T.unsqueeze(1) - s_second) * gap).sum(0) / gap.square().sum(0).clamp(min=1e-12)
        synthetic = share.unsqueeze(1) * vectors[first] + (1 - share.unsqueeze(1)) * vectors[second]
        fits = torch.isclose(states @ synthetic.T, mixed_T.unsqueeze(1), rtol=0, atol=1e-9).all(0)
        fits &= (first == second) | ((share > 1e-9) & (share < 1 - 1e-9))
        pair = int(torch.nonzero(fits)[0])
        seen[int(first[pair]), int(second[pair])] += 1
    law = {(i, j): (1 if i == j else 2) / 9 for i in range(3) for j in range(i, 3)}
    assert p_value([seen[pair] for pair in law], list(law.values())) > 1e-3


@pytest.mark.parametrize("a", [0.5, 1.0, 4.0])
def test_batch_mix_draws_lambda_from_beta(a, rng):
    mixed = selected(BatchMix(20_000, a=a), torch.tensor([[0.0, 1.0]], dtype=torch.float64), rng)[0, 2:]
    share = mixed[(mixed > 1e-9) & (mixed < 1 - 1e-9)].numpy()  # of 0 and 1; the others are of one with itself
    assert 9_000 < len(share) < 11_000
    assert scipy.stats.kstest(share, scipy.stats.beta(a, a).cdf).pvalue > 1e-3
    assert scipy.stats.kstest(share, scipy.stats.beta(1.2 * a, a).cdf).pvalue < 1e-6


@pytest.mark.parametrize("a", [1.0, 0.01])  # 0.01: lambda would be 0 or 1 at times, and 0 * inf no number
def test_batch_mix_of_an_absent_one_is_absent(a, rng):
    mixed = selected(BatchMix(10_000, a=a), torch.tensor([[2.0, -INF, 2.0]]), rng)[0]
    assert mixed[:3].tolist() == [2.0, -INF, 2.0]
    assert not torch.isnan(mixed).any()
    present = mixed[3:] > -INF
    assert 4_200 < int(present.sum()) < 4_700, "both parents of 4 in 9 are present"
    torch.testing.assert_close(mixed[3:][present], torch.full((int(present.sum()),), 2.0))


SENSELESS = {
    "kept hardest must be >= 1, got 0": lambda: Hardest(0),
    "'omit' or 'zero', got 'drop'": lambda: Hardest(2, not_kept="drop"),
    "one is picked, must be >= 1, got 0": lambda: OneOfHardest(0),
    "resampled must be >= 1, got 0": lambda: Resample(0),
    "in .0, 1., got -0.1": lambda: LogQ(-0.1),
    "in .0, 1., got 1.1": lambda: LogQ(1.1),
    "in .0, 1., got nan": lambda: LogQ(math.nan),
    "positives. or taken out of q .without_masked., not both": lambda: LogQ(positives=True, without_masked=True),
    "temperature must be > 0, got 0": lambda: Temperature(0),
    "temperature must be > 0, got inf": lambda: Temperature(INF),
    "mixed negatives must be >= 1, got 0": lambda: BatchMix(0),
    "a must be > 0, got 0": lambda: BatchMix(2, a=0),
    "at least one miner": Chain,
}


@pytest.mark.parametrize("says", SENSELESS)
def test_senseless_settings_are_refused(says):
    with pytest.raises(ValueError, match=says):
        SENSELESS[says]()


def test_scores_without_what_a_miner_needs_are_refused(rng):
    bare = Scored(torch.zeros(1), torch.zeros(1, 3))
    with pytest.raises(ValueError, match="needs log_q, which the scores came without"):
        LogQ()(bare, rng=rng(0))
    with pytest.raises(ValueError, match="needs pos_log_q"):
        LogQ(positives=True)(bare._replace(log_q_TK=torch.zeros(1, 3)), rng=rng(0))
    with pytest.raises(ValueError, match="needs log_q"):
        Chain(BatchMix(2), LogQ())(bare._replace(log_q_TK=torch.zeros(1, 3)), rng=rng(0))
    with pytest.raises(ValueError, match="needs log_q"):
        Resample(2)(bare, rng=rng(0))


def test_a_target_that_the_law_cannot_give_stays_as_it_is(rng):
    scored = Scored(torch.tensor([1.0, 2.0]), torch.zeros(2, 1), torch.zeros(2, 1), torch.tensor([-math.inf, -1.0]))
    assert LogQ(positives=True)(scored, rng=rng(0)).pos_T.tolist() == [1.0, 3.0]
