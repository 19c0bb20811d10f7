"""Which differences are called significant: in studies without a difference on real users, and number by number."""

from __future__ import annotations

import json
from collections import Counter
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from make_study import make_study
from scipy import stats as known
from slow import figures, nulls, split

from negsample.analysis.reading import read_study
from negsample.analysis.significance import differences, significance_table
from negsample.analysis.t_test import Sample, holm, t_tests
from negsample.analysis.verdict import advice_of

LEVEL, STUDIES = 0.05, 150
WORLDS = [
    nulls.Null(seeds=2, sd=0.2),
    nulls.Null(seeds=3),
    nulls.Null(seeds=3, sd=0.2),
    nulls.Null(seeds=3, sd=0.02, noisy=0.3),
    nulls.Null(seeds=3, sd=0.1, noisy=0.3, lean=0.0),
    nulls.Null(seeds=5, sd=0.2),
    nulls.Null(seeds=5, sd=0.02, noisy=0.3),
]


@pytest.fixture(scope="module")
def events_of_user(log, whole_log):
    """Measured test events of each user of a whole log (700 users at most): a few have many."""
    rows = whole_log(log)
    whose = list(zip(rows.user, split.parts(rows.time, "timestamp"), strict=True))
    known_before = {user for user, part in whose if part != split.TEST}
    counted = Counter(user for user, part in whose if part == split.TEST and user in known_before)
    return np.array([counted[user] for user in sorted(counted)][:700])


def p_of_pairs(null, events, chance, ahead=0.0):
    """p of every pair of methods."""
    drawn = nulls.hits(null, events, chance, ahead)
    samples = [Sample(*nulls.influences(each, events), model=f"m{number}") for number, each in enumerate(drawn)]
    return [each.p for each in t_tests(samples, list(combinations(range(null.methods), 2)))]


@pytest.mark.parametrize("null", WORLDS, ids=lambda null: f"{null.seeds}-{null.sd}-{null.noisy}-{null.lean}")
def test_methods_that_do_not_differ(events_of_user, null):
    """At most one study in twenty calls anything significant, within the error of so many studies."""
    chance = np.random.default_rng(20261129)
    wrong = sum(min(nulls.holm(p_of_pairs(null, events_of_user, chance))) < LEVEL for _ in range(STUDIES))
    assert wrong <= known.binom.ppf(0.99, STUDIES, LEVEL)


def test_one_run_a_method_says_nothing(events_of_user):
    p = p_of_pairs(nulls.Null(seeds=1), events_of_user, np.random.default_rng(1), ahead=5.0)
    assert np.isnan(p).all()


def test_a_method_that_is_far_ahead_is_found(events_of_user):
    """Nor is the law so cautious that it holds by that alone."""
    chance = np.random.default_rng(2)
    null, found = nulls.Null(methods=4, seeds=5, sd=0.02), []
    for _ in range(20):
        p = nulls.holm(p_of_pairs(null, events_of_user, chance, ahead=1.5))
        pairs = zip(combinations(range(4), 2), p, strict=True)
        found += [each < LEVEL for (_, second), each in pairs if second == 3]
    assert np.mean(found) > 0.9


def test_the_standard_error_is_that_of_a_paired_bootstrap_over_users(events_of_user):
    """Without an effect of the seed; users drawn by hand, the same for both methods."""
    chance, ratios = np.random.default_rng(3), []
    for _ in range(5):
        drawn = nulls.hits(nulls.Null(methods=2, seeds=5), events_of_user, chance)
        samples = [Sample(*nulls.influences(each, events_of_user), model=str(n)) for n, each in enumerate(drawn)]
        (found,) = t_tests(samples, [(0, 1)])
        rates = drawn.sum(2).mean(1) / events_of_user.sum()
        assert found.difference == pytest.approx(rates[0] - rates[1], abs=1e-12)
        ratios.append(found.error / np.std(nulls.bootstrap(drawn[0], drawn[1], events_of_user, 400, chance)))
        assert found.p == pytest.approx(2 * known.t.sf(abs(found.difference) / found.error, found.freedom), rel=1e-6)
    assert 0.9 < np.mean(ratios) < 1.3  # what the seeds seem to scatter by is added, never taken off


def test_holm_by_hand():
    assert nulls.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    chance = np.random.default_rng(4)
    for _ in range(20):
        p = (chance.random(chance.integers(1, 40)) ** 3).round(2)  # ties among them
        assert holm(p).tolist() == pytest.approx(nulls.holm(p.tolist()), abs=1e-15)
    assert holm(np.array([0.02, np.nan, 0.03])).tolist() == pytest.approx([0.04, np.nan, 0.04], nan_ok=True)


class Folder:
    """A study's folder, read without the product."""

    def __init__(self, path):
        about = json.loads((path / "study.json").read_text())
        events = np.load(path / "datasets" / "0.npz")
        self.cohort, self.user = events["cohort_E"], events["user_E"]
        self.runs = {}
        for name in about["runs"]:
            folder = path / "runs" / name
            config = json.loads((folder / "config.json").read_text())
            betas = json.loads((folder / "dial.json").read_text())["betas"]
            ranks = dict(zip(betas, np.load(folder / "ranks.npz")["test_GE"], strict=True))
            self.runs.setdefault(config["method"], []).append(ranks)

    def figure(self, method, dials, measure, scope):
        """Mean over the runs, each at its dial."""
        runs = self.runs[method]
        betas = [float(each) for each in dials.split()] if dials else [0.0]
        betas = betas * len(runs) if len(betas) == 1 else betas
        return figures.mean([self.of_run(ranks[beta], measure, scope) for ranks, beta in zip(runs, betas, strict=True)])

    def of_run(self, ranks, measure, scope):
        if measure.startswith("balance"):
            return 1 - figures.gini([self.of_run(ranks, "hr@10", each) for each in figures.NAMES])
        there = ranks if scope == "all" else ranks[self.cohort == figures.NAMES.index(scope)]
        return figures.mean([figures.gain(measure.split("@")[0], rank, 10) for rank in there.tolist()])


def test_every_number_of_a_study(tmp_path):
    """Differences from the ranks in its folder, p and intervals from Student's t, Holm over each family."""
    path = make_study(tmp_path / "study", datasets=("beauty",), methods=("random", "in-batch", "mixed", "PopRec"))
    study, folder = read_study(path), Folder(path)
    found = significance_table(differences(study, "beauty", advice_of(study, "beauty")).found)
    assert found.height > 40
    for row in found.iter_rows(named=True):
        a, b = (folder.figure(row[m], row[f"dial_{m}"], row["measure"], row["scope"]) for m in "ab")
        assert row["difference"] == pytest.approx(a - b, abs=1e-9)
        if row["p"] is not None:
            law = known.t(row["freedom"])
            assert row["p"] == pytest.approx(2 * law.sf(abs(row["difference"]) / row["error"]), rel=1e-6)
            half = law.ppf(0.975) * row["error"]
            assert (row["low"], row["high"]) == pytest.approx((row["difference"] - half, row["difference"] + half))
        here = folder.cohort >= 0 if row["scope"] == "all" else folder.cohort == figures.NAMES.index(row["scope"])
        if not row["measure"].startswith("balance"):
            assert row["users"] == len(set(folder.user[here].tolist()))
    for _, family in found.filter(pl.col("p").is_not_null()).group_by("family"):
        assert family["p_holm"].to_list() == pytest.approx(nulls.holm(family["p"].to_list()))
        assert not family.select("measure", "scope", "a", "dial_a", "b", "dial_b").is_duplicated().any()
