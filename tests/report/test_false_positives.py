"""How often differences are called real where there are none, and found where there are: studies of simulated ranks."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from negsample.report.resamples import SCOPES, Entry, Resampled, Sums, gained
from negsample.report.significance import Difference, _Family, _tested
from negsample.stats import sums_of

METHODS, SEEDS, USERS, STUDIES, REPLICATES = 4, 3, 200, 200, 1000
SEED_SD = 0.4
"""Large: at it, seeds scatter by more than users do."""


def simulated(number: int, seed_sd: float, better: float = 0.0, seeds_known: bool = True) -> list[Difference]:
    """One study of four methods that draw from one law: NDCG in every scope, and Balance.

    Users have one or more events and a level of their own; each (method, user) leans to one side, and each (method,
    seed) by ``seed_sd``, in logits. ``better``: what the first method has over the others. Without ``seeds_known``
    the seeds are taken for all there are.
    """
    chance = np.random.default_rng(number)
    user_E = np.repeat(np.arange(USERS), 1 + chance.poisson(1.0, USERS))
    cohort_CE = np.eye(3)[chance.integers(0, 3, len(user_E))].T
    level_E = -1.5 + chance.normal(0, 1, USERS)[user_E] + np.array([0.5, 0.0, -0.5]) @ cohort_CE
    gains: dict[Entry, np.ndarray] = {}
    for method in range(METHODS):
        own_E = level_E + chance.normal(0, 0.5, USERS)[user_E] + (better if method == 0 else 0.0)
        runs = []
        for _ in range(SEEDS):
            hit_E = 1 / (1 + np.exp(-own_E - chance.normal(0, seed_sd)))
            luck_E = chance.random(len(user_E))
            ranks_E = np.where(luck_E < hit_E, np.floor(10 * luck_E / hit_E), 100.0)
            runs.append(gained(ranks_E, cohort_CE, user_E, USERS))
        gains[f"m{method}", (0.0,) * SEEDS] = np.stack(runs).astype(np.float32)
    entries, seeds = list(gains), tuple(range(SEEDS)) if seeds_known else ()
    users = (USERS, *(len(np.unique(user_E[each > 0])) for each in cohort_CE))
    sums = Sums(sums_of(cohort_CE, user_E, USERS), users, gains, dict.fromkeys(entries, seeds))
    resampled, pairs = Resampled(f"{number}", sums, REPLICATES, entries), list(combinations(range(METHODS), 2))
    families = [_Family("table", "ndcg@10", SCOPES, entries, pairs)]
    families.append(_Family("table", "balance@10", ("all",), entries, pairs))
    return [each for family in families for each in _tested(resampled, "simulated", family)]


def errors(seed_sd: float, studies: int = STUDIES, seeds_known: bool = True) -> dict[str, tuple[int, float]]:
    """By measure: studies with a difference called real, and the share of single tests below 5 %."""
    found = [simulated(number, seed_sd, seeds_known=seeds_known) for number in range(studies)]
    counted = {}
    for measure in ("ndcg@10", "balance@10"):
        of_measure = [[each for each in study if each.measure == measure] for study in found]
        assert all(each.p is not None for study in of_measure for each in study)
        single = float(np.mean([each.p < 0.05 for study in of_measure for each in study if each.p is not None]))
        counted[measure] = (sum(any(each.real for each in study) for study in of_measure), single)
    return counted


@pytest.mark.parametrize("seed_sd", [0.0, SEED_SD])
def test_identical_methods_are_told_apart_in_one_study_of_twenty_at_most(seed_sd):
    for measure, (studies, single) in errors(seed_sd).items():
        assert studies <= scipy_stats.binom.ppf(0.99, STUDIES, 0.05), measure
        assert 0.025 < single < 0.065, measure  # nor is the test so cautious that it holds by that alone


def test_users_alone_would_see_differences_that_are_of_the_seeds():
    """What the test above would catch: seeds taken for all there are, with an effect of the seed."""
    studies, single = errors(SEED_SD, studies=60, seeds_known=False)["ndcg@10"]
    assert studies > scipy_stats.binom.ppf(0.999, 60, 0.05)
    assert single > 0.08


def test_a_real_difference_is_found():
    found = [simulated(number, 0.05, better=1.2) for number in range(20)]
    of_first = [each for study in found for each in study if each.scope == "all" and each.measure == "ndcg@10"]
    leads = [each for each in of_first if each.a == "m0"]
    assert len(leads) == 60
    assert np.mean([each.real and each.difference is not None and each.difference > 0 for each in leads]) > 0.8
    assert np.mean([each.real for each in of_first if each.a != "m0"]) < 0.05
