"""The test of differences against SciPy and arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from negsample.stats import Sample, compare, draws, draws_in_parts, holm


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sample(values_SU: np.ndarray, counts_U: np.ndarray, drawn_RU: np.ndarray, fixed: bool = False) -> Sample:
    """A ratio of sums of each run, resampled: ``values_SU`` gained by each user over ``counts_U`` events."""
    figures_S = values_SU.sum(1) / counts_U.sum()
    influence_SU = (values_SU - figures_S[:, None] * counts_U) / counts_U.sum()
    resampled_R = drawn_RU @ values_SU.mean(0) / (drawn_RU @ counts_U)
    return Sample(figures_S, influence_SU, resampled_R, () if fixed else tuple(range(len(values_SU))))


def test_one_run_against_scipys_paired_bootstrap_and_t_test():
    """120 users with one event: interval of ``scipy.stats.bootstrap``, p of a paired t-test."""
    a_U = chance(1).exponential(1.0, 120)
    b_U = a_U + chance(2).normal(0.1, 0.6, 120)
    drawn = draws(120, 20_000, chance())
    one, other = (sample(each[None], np.ones(120), drawn) for each in (a_U, b_U))
    (found,) = compare([one, other], [(0, 1)], chance())
    theirs = scipy_stats.bootstrap(
        (a_U - b_U,), np.mean, n_resamples=20_000, method="percentile", rng=chance(3)
    ).confidence_interval
    assert found.difference == pytest.approx((a_U - b_U).mean())
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=0.008)
    p = scipy_stats.ttest_rel(a_U, b_U).pvalue
    assert 0.01 < p < 0.2
    assert found.p == pytest.approx(p, rel=0.1)


def test_users_with_several_events_are_drawn_as_a_whole():
    """The interval is that of the cluster-robust variance of a ratio, and not the narrower one of single events."""
    counts_U = 1.0 + chance(1).poisson(3.0, 400)
    leaning_U = chance(2).normal(0.0, 0.3, 400)  # all of a user's events differ alike
    a_SU, b_SU = (counts_U * (0.5 + sign * leaning_U / 2)[None] for sign in (1, -1))
    drawn = draws(400, 10_000, chance())
    (found,) = compare([sample(a_SU, counts_U, drawn), sample(b_SU, counts_U, drawn)], [(0, 1)], chance())
    gain_U = (a_SU - b_SU)[0]
    residual_U = gain_U - gain_U.sum() / counts_U.sum() * counts_U
    error = np.sqrt((residual_U**2).sum()) / counts_U.sum()
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.04)
    of_events = np.sqrt((counts_U * (gain_U / counts_U) ** 2).sum()) / counts_U.sum()
    assert error > 1.5 * of_events


def only_seeds(figures_S: list[float], seed: int, runs: int = 5000) -> Sample:
    """Runs whose users differ by chance alone: what one run has more, another has less, and the mean never moves."""
    influence_SN = chance(seed).normal(0, 0.001, (len(figures_S), 40))
    influence_SN -= influence_SN.mean(0)
    return Sample(np.array(figures_S), influence_SN, np.full(runs, np.mean(figures_S)), tuple(range(len(figures_S))))


def test_two_methods_that_differ_by_seed_alone_get_a_paired_t_test():
    a, b = [0.30, 0.34, 0.31, 0.36], [0.29, 0.30, 0.30, 0.31]
    (found,) = compare([only_seeds(a, 1, 50_000), only_seeds(b, 2, 50_000)], [(0, 1)], chance())
    theirs = scipy_stats.ttest_rel(a, b)
    assert found.p == pytest.approx(theirs.pvalue, rel=0.06)
    ends = theirs.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high), abs=0.003)


def test_one_method_against_what_draws_nothing_gets_a_t_test_of_its_runs():
    a = [0.30, 0.34, 0.31, 0.36]
    fixed = Sample(np.array([0.29]), np.zeros((1, 40)), np.full(50_000, 0.29), ())
    (found,) = compare([only_seeds(a, 1, 50_000), fixed], [(0, 1)], chance())
    assert found.p == pytest.approx(scipy_stats.ttest_1samp(a, 0.29).pvalue, rel=0.06)


def test_several_methods_share_what_they_know_of_seeds():
    """Four methods, three seeds, all of the same noise: t with (4 - 1)(3 - 1) degrees of freedom, as in an ANOVA."""
    figures = [[0.30, 0.33, 0.31], [0.29, 0.30, 0.30], [0.35, 0.33, 0.36], [0.31, 0.30, 0.33]]
    influence_SN = only_seeds([0.0] * 3, 5).influence_SN
    unlike = [np.roll(influence_SN, 10 * number, axis=1) for number in range(4)]  # equal squares
    for each in unlike[1:]:
        assert (each * each).sum() == pytest.approx((unlike[0] * unlike[0]).sum())
    samples = [only_seeds(each, 1, 50_000) for each in figures]
    gram = np.eye(4).repeat(10, axis=1) * 0.002  # four methods on users of their own: no product of two, equal squares
    for number in range(4):
        moved_SN = np.array([1.0, 0.0, -1.0])[:, None] * gram[number]
        samples[number] = samples[number]._replace(influence_SN=moved_SN)
    (found,) = compare(samples, [(0, 1)], chance())
    rows = np.array(figures)
    residual = rows - rows.mean(1, keepdims=True) - rows.mean(0) + rows.mean()
    error = np.sqrt(2 * (residual**2).sum() / 6 / 3)
    p = 2 * scipy_stats.t.sf(abs(rows[0].mean() - rows[1].mean()) / error, 6)
    assert found.p == pytest.approx(p, rel=0.06)


def test_the_same_ranks_are_never_told_apart_and_order_does_not_matter():
    counts_U = np.ones(50)
    values_SU = (chance(1).random((3, 50)) < 0.3).astype(float)
    better_SU = np.maximum(values_SU, chance(2).random((3, 50)) < 0.4)
    drawn = draws(50, 2000, chance())
    samples = [sample(each, counts_U, drawn) for each in (values_SU, values_SU.copy(), better_SU)]
    same, there, back = compare(samples, [(0, 1), (0, 2), (2, 0)], chance())
    assert (same.difference, same.p) == (0.0, 1.0)
    assert same.low == same.high == pytest.approx(0.0, abs=1e-9)
    assert there.p == back.p < 0.05
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))


def test_the_interval_leaves_out_zero_where_p_is_below_the_level():
    counts_U, drawn = np.ones(60), draws(60, 2000, chance())
    for seed in range(30):
        samples = [sample((chance(seed + of).random((2, 60)) < 0.3 + of / 900).astype(float), counts_U, drawn)
                   for of in (0, 100)]  # fmt: skip
        (found,) = compare(samples, [(0, 1)], chance())
        assert (found.low > 0 or found.high < 0) == (found.p < 0.0501)


def test_what_is_often_undefined_is_not_tested():
    one, other = only_seeds([0.1, 0.2], 1), only_seeds([0.1, 0.3], 2)
    one.resampled_R[: len(one.resampled_R) // 10] = np.nan
    (found,) = compare([one, other], [(0, 1)], chance())
    assert np.isnan([found.low, found.high, found.p]).all()


def test_draws_in_parts_are_as_many_draws_with_replacement():
    parts = list(draws_in_parts(30, 2500, chance()))
    assert [len(each) for each in parts] == [1024, 1024, 452]
    together = np.concatenate(parts)
    assert (together.sum(1) == 30).all()
    assert together.var() == pytest.approx(1 - 1 / 30, rel=0.05)


def test_holm_by_hand():
    """As ``statsmodels.stats.multitest.multipletests(p, method="holm")`` gives: 4 x 0.005, 3 x 0.01, 2 x 0.03, then no
    less than the one before."""
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.9, 0.5])) == pytest.approx([1.0, 1.0, 1.0])
    assert holm(np.array([0.02, 0.02])) == pytest.approx([0.04, 0.04])


def test_holm_leaves_out_what_was_not_tested():
    adjusted = holm(np.array([0.01, np.nan, 0.04]))
    assert adjusted[[0, 2]] == pytest.approx([0.02, 0.04])
    assert np.isnan(adjusted[1])
    assert len(holm(np.array([]))) == 0


def test_two_seeds_with_as_many_hits_are_not_taken_for_seeds_without_scatter():
    """Both runs of each method hit as often, though not the same users: the scatter seen is 0, and is not believed."""
    hits = np.zeros((2, 2, 400))
    hits[0, 0, :12] = hits[0, 1, 100:112] = hits[1, 0, 200:208] = hits[1, 1, 300:308] = 1.0
    drawn = draws(400, 4000, chance())
    (found,) = compare([sample(each, np.ones(400), drawn) for each in hits], [(0, 1)], chance())
    assert found.difference == pytest.approx(0.01)
    assert found.p > 0.02
