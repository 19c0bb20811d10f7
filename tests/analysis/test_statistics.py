"""The test of differences against SciPy and arithmetic by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from negsample.analysis.resampling import draws
from negsample.analysis.t_test import Sample, holm, t_quantile, t_tests


def chance(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def sample(values_SU: np.ndarray, counts_U: np.ndarray, model: str, random: bool = True) -> Sample:
    """A ratio of sums of each run: ``values_SU`` gained by each user over ``counts_U`` events."""
    figures_S = values_SU.sum(1) / counts_U.sum()
    influence_SU = (values_SU - figures_S[:, None] * counts_U) / counts_U.sum()
    return Sample(figures_S, influence_SU, model, random)


def scattered(figures_S: list[float], number: int, model: str, size: float = 0.002) -> Sample:
    """Runs whose users differ by chance alone, on users of their own: the mean over the runs never moves."""
    runs = len(figures_S)
    turned_S = np.arange(runs) - (runs - 1) / 2
    own_N = np.eye(4).repeat(10, axis=1)[number] * size
    return Sample(np.array(figures_S), turned_S[:, None] * own_N, model)


@pytest.mark.parametrize("freedom", [0.3, 1.0, 2.5, 7.0, 500.0, 8191.0, 1e6])
def test_the_t_that_is_exceeded_with_a_probability(freedom):
    for beyond in (0.5, 0.05, 1e-3):
        expected = scipy_stats.t.isf(beyond / 2, freedom)
        assert t_quantile(beyond, np.array([freedom]))[0] == pytest.approx(expected, rel=1e-6)


def test_two_methods_without_seeds_get_a_paired_t_test_over_users():
    """120 users with one event; differences like a normal's, so that users count for about as many as they are."""
    a_U = chance(1).exponential(1.0, 120)
    b_U = a_U + chance(2).normal(0.1, 0.6, 120)
    one, other = (sample(each[None], np.ones(120), name, False) for each, name in ((a_U, "a"), (b_U, "b")))
    (found,) = t_tests([one, other], [(0, 1)])
    theirs = scipy_stats.ttest_rel(a_U, b_U)
    assert found.difference == pytest.approx((a_U - b_U).mean())
    assert found.error == pytest.approx((a_U - b_U).std(ddof=1) / np.sqrt(120))
    assert 0.01 < theirs.pvalue < 0.2
    assert found.p == pytest.approx(theirs.pvalue, rel=0.02)


def test_users_with_several_events_count_as_a_whole():
    """The error is that of the cluster-robust variance of a ratio, and not the narrower one of single events."""
    counts_U = 1.0 + chance(1).poisson(3.0, 400)
    leaning_U = chance(2).normal(0.0, 0.3, 400)  # all of a user's events differ alike
    a_SU, b_SU = (counts_U * (0.5 + sign * leaning_U / 2)[None] for sign in (1, -1))
    (found,) = t_tests([sample(a_SU, counts_U, "a", False), sample(b_SU, counts_U, "b", False)], [(0, 1)])
    gain_U = (a_SU - b_SU)[0]
    residual_U = gain_U - gain_U.sum() / counts_U.sum() * counts_U
    error = np.sqrt((residual_U**2).sum() * 400 / 399) / counts_U.sum()
    assert found.error == pytest.approx(error)
    assert error > 1.5 * np.sqrt((counts_U * (gain_U / counts_U) ** 2).sum()) / counts_U.sum()


def test_the_error_is_that_of_resampled_users():
    """The bootstrap as a check of influences, for a ratio of sums."""
    counts_U = 1.0 + chance(1).poisson(1.0, 300)
    hits = [(chance(seed).random((1, 300)) < 0.2) * counts_U for seed in (2, 3)]
    one, other = (sample(each, counts_U, name, False) for each, name in zip(hits, "ab", strict=True))
    (found,) = t_tests([one, other], [(0, 1)])
    drawn = draws(300, 4000, chance())
    moved_R = (drawn @ (hits[0] - hits[1])[0]) / (drawn @ counts_U)
    assert found.error == pytest.approx(moved_R.std(), rel=0.05)


def test_a_few_heavy_users_are_few():
    """Five users differ, all one way: the sign test has 6 %, a normal law 2.5 %."""
    a_U = np.zeros((1, 1000))
    a_U[0, :5] = 1.0
    one, other = sample(a_U, np.ones(1000), "a", False), sample(0 * a_U, np.ones(1000), "b", False)
    (found,) = t_tests([one, other], [(0, 1)])
    assert 9 < found.freedom < 11
    assert 0.045 < found.p < 0.0625


def test_seeds_alone_by_hand():
    """Four methods, three seeds: the mean ratio with (4 - 1)(3 - 1) degrees of freedom, and what outliers lose."""
    figures = [[0.30, 0.33, 0.31], [0.29, 0.30, 0.30], [0.35, 0.33, 0.36], [0.31, 0.30, 0.33]]
    samples = [scattered(each, number, f"m{number}") for number, each in enumerate(figures)]
    runs = 10 * 2 * 0.002**2 / 6  # of each: ten users, deviations of one step up and down, three runs
    ratio = np.var(figures, axis=1, ddof=1) / 3 / runs
    mean = ratio.mean()
    for pair, (a, b) in zip(((0, 1), (0, 2)), ((ratio[0], ratio[1]), (ratio[0], ratio[2])), strict=True):
        square = runs * (max(a, mean) + max(b, mean))
        spread = (2 * mean * runs) ** 2 / 6
        for number in pair:
            others = np.delete(ratio, number).mean()
            if ratio[number] > mean:
                share = min(1.0, (ratio[number] / others - 1) / 2)
                spread += (share * ratio[number] * runs) ** 2 / 2
        freedom = square**2 / spread
        (found,) = t_tests(samples, [pair])
        t = (np.mean(figures[pair[0]]) - np.mean(figures[pair[1]])) / np.sqrt(square)
        assert found.freedom == pytest.approx(freedom)
        assert found.p == pytest.approx(2 * scipy_stats.t.sf(abs(t), freedom))


def test_a_noisy_method_borrows_no_certainty_from_quiet_ones():
    quiet = [scattered([0.300, 0.302, 0.301], number, f"m{number}") for number in range(3)]
    noisy = scattered([0.30, 0.45, 0.36], 3, "noisy")
    found = t_tests([*quiet, noisy], [(0, 1), (0, 3)])
    assert 2 <= found[1].freedom < 3
    assert found[1].error > 0.04
    assert t_tests(quiet, [(0, 1)])[0].freedom > 3


def test_seeds_that_scatter_by_less_than_chance_are_not_believed():
    """Both runs of each method hit as often, though not the same users: the scatter seen is 0."""
    hits = np.zeros((2, 2, 400))
    hits[0, 0, :12] = hits[0, 1, 100:112] = hits[1, 0, 200:208] = hits[1, 1, 300:308] = 1.0
    (found,) = t_tests([sample(each, np.ones(400), name) for each, name in zip(hits, "ab", strict=True)], [(0, 1)])
    assert found.difference == pytest.approx(0.01)
    assert found.error > 0.0075  # of about ten hits by chance in each of two runs
    assert found.freedom <= 1.0
    assert found.p > 0.05


def test_one_run_is_not_tested_and_what_draws_nothing_is():
    values = (chance(1).random((5, 80)) < 0.3).astype(float)
    samples = [
        sample(values, np.ones(80), "five"),
        sample(values[:1] * 0.5, np.ones(80), "one"),
        sample(values[:1] * 0, np.ones(80), "fixed", False),
    ]
    five_one, five_fixed, one_fixed = t_tests(samples, [(0, 1), (0, 2), (1, 2)])
    assert np.isnan([five_one.p, five_one.error, five_one.freedom, one_fixed.p]).all()
    assert five_one.difference > 0
    assert five_fixed.p < 0.01


def test_two_settings_of_one_method_share_what_its_runs_are():
    """Runs far apart, but all of them gain as much by the other setting: the difference is certain."""
    base = (chance(1).random((3, 200)) < np.array([[0.1], [0.3], [0.6]])).astype(float)
    gained = base + 0.05 + 0.01 * chance(2).random((3, 200))
    samples = [sample(base, np.ones(200), "a"), sample(gained, np.ones(200), "a"), sample(gained, np.ones(200), "b")]
    same, other = t_tests(samples, [(0, 1), (0, 2)])
    assert same.p < 1e-4
    assert other.p > 0.5


def test_the_same_ranks_never_differ_and_order_does_not_matter():
    counts_U = np.ones(50)
    values_SU = (chance(1).random((3, 50)) < 0.3).astype(float)
    better_SU = np.maximum(values_SU, chance(2).random((3, 50)) < 0.5)
    samples = [
        sample(each, counts_U, name) for each, name in zip((values_SU, values_SU, better_SU), "abc", strict=True)
    ]
    same, there, back = t_tests(samples, [(0, 1), (0, 2), (2, 0)])
    assert (same.difference, same.p) == (0.0, 1.0)
    assert there.p == back.p < 0.05
    assert there.difference == -back.difference
    assert t_tests(samples, []) == []


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
