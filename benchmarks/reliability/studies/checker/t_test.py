"""Student's t test as the page's glossary states it, computed again with numpy and scipy.

Variance between users, and between runs with different seeds beyond that; Holm over a family. The tests of the report
are in `negsample.analysis`, of which nothing is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import betainc, stdtrit  # type: ignore[import-untyped]

from benchmarks.reliability.studies.checker.raw import BASELINES, COHORTS
from benchmarks.reliability.studies.checker.users import Entry, Moved, Users

FAMILIES = {
    "NDCG@10 in total": [("ndcg@10", "all")],
    "HR@10 in total": [("hr@10", "all")],
    "NDCG@10 by cohort": [("ndcg@10", cohort) for cohort in COHORTS],
    "HR@10 by cohort": [("hr@10", cohort) for cohort in COHORTS],
    "Balance": [("balance@10", "all")],
}
LEAST_USERS = 30


class Test(NamedTuple):
    """Of a difference of two means: its standard error, degrees of freedom, and two-sided p; NaN: not tested."""

    difference: float
    error: float
    freedom: float
    p: float


def _seed_scatter(of: Moved) -> tuple[float, float]:
    """The squared error of the mean that chance at each user explains, and how the runs scatter as a ratio to it."""
    runs = len(of.figure_S)
    if of.rule or runs < 2:
        return 0.0, 0.0
    by_chance = float(((of.moved_SU - of.moved_SU.mean(0)) ** 2).sum() / (runs * (runs - 1)))
    return (by_chance, float(np.var(of.figure_S, ddof=1) / runs / by_chance)) if by_chance > 0 else (0.0, 0.0)


def test_pairs(samples: Sequence[Moved], pairs: Sequence[tuple[int, int]], least: Sequence[float]) -> list[Test]:
    """Each pair of ``samples``; ``least``: what the ratio of a sample is at least, by the other cohorts."""
    scatters = [_seed_scatter(each) for each in samples]
    ratios: dict[str, list[float]] = {}
    for each, (by_chance, ratio) in zip(samples, scatters, strict=True):
        if by_chance > 0:
            ratios.setdefault(each.method, []).append(ratio)
    runs = {each.method: len(each.figure_S) - 1 for each in samples}
    means = {method: float(np.mean(some)) for method, some in ratios.items()}

    def level(methods: Sequence[str]) -> float:
        weights = [runs[name] for name in methods]
        return max(1.0, float(np.average([means[name] for name in methods], weights=weights)) if methods else 1.0)

    common = level(list(means))
    freedom = (len(means) - 1) * sum(runs[name] for name in means) / len(means) if len(means) > 1 else None
    if freedom is None:
        freedom = sum(runs[name] for name in means) / 2
    tests = []
    for a, b in pairs:
        one, other = samples[a], samples[b]
        parts = []
        for at in (a, b):
            if not samples[at].rule:
                by_chance, ratio = scatters[at]
                others = level([name for name in means if name != samples[at].method])
                parts.append((by_chance, max(ratio, least[at]), len(samples[at].figure_S) - 1, others))
        tests.append(_test(one, other, parts, common, freedom))
    return tests


def _test(
    one: Moved, other: Moved, parts: list[tuple[float, float, int, float]], common: float, freedom: float
) -> Test:
    difference = float(one.figure_S.mean() - other.figure_S.mean())
    if abs(difference) < 1e-12:
        difference = 0.0
    if any(part[2] < 1 for part in parts):
        return Test(difference, np.nan, np.nan, np.nan)
    moved_U = one.moved_SU.mean(0) - other.moved_SU.mean(0)
    users = len(moved_U)
    squares = float((moved_U**2).sum())
    of_users, most = squares * users / max(users - 1, 1), max(users - 1, 1)
    users_freedom = float(most)
    if squares > 0:
        uneven = float((moved_U**4).sum()) / squares**2 - 1 / users
        users_freedom = min(2 / uneven, most) if uneven > 2 / most else most
    if one.method == other.method:
        apart = Moved(one.method, one.figure_S - other.figure_S, one.moved_SU - other.moved_SU)
        by_chance, ratio = _seed_scatter(apart)
        common, freedom = 1.0, len(apart.figure_S) - 1.0
        parts = [(by_chance, ratio, len(apart.figure_S) - 1, 0.0)]
    parts = [part for part in parts if part[0] > 0]
    together = sum(part[0] for part in parts)
    variance, spread = max(of_users, together), of_users**2 / users_freedom
    if parts:
        spread += (common * together) ** 2 / freedom
    for by_chance, ratio, own, others in parts:
        variance += (max(common, ratio) - 1) * by_chance
        if ratio > common:
            outlier = min(1.0, max(0.0, (ratio / others - 1) / 2)) if others else 1.0
            spread += (outlier * ratio * by_chance) ** 2 / own
    degrees = variance**2 / spread if spread > 0 else users_freedom
    if any(part[2] == 1 for part in parts):
        degrees = min(degrees, 1.0)
    if not (np.isfinite(difference) and np.isfinite(variance) and (variance > 0 or difference == 0)):
        return Test(difference, np.nan, np.nan, np.nan)
    error = float(np.sqrt(variance))
    p = 1.0 if difference == 0 else float(betainc(degrees / 2, 0.5, degrees / (degrees + (difference / error) ** 2)))
    return Test(difference, error, degrees, p)


def seed_ratio(of: Moved) -> float:
    """How the runs scatter, as a ratio to what chance at each user explains."""
    return _seed_scatter(of)[1]


def within(test: Test, margin: float) -> float:
    """The p of two one-sided tests that a difference is within ``margin``, the larger of the two."""
    if np.isnan(test.error):
        return np.nan
    if test.error == 0:
        return float(abs(test.difference) >= margin)
    t = (margin - abs(test.difference)) / test.error
    tail = float(betainc(test.freedom / 2, 0.5, test.freedom / (test.freedom + t * t))) / 2
    return tail if t > 0 else 1 - tail


def beyond(share: float, freedom: float) -> float:
    """What Student's t is above with the probability ``share``."""
    return -float(stdtrit(freedom, share))


def holm(values: Sequence[float]) -> list[float]:
    """Adjusted p-values of those that were tested; NaN stays."""
    tested = sorted((p, at) for at, p in enumerate(values) if not np.isnan(p))
    found, highest = [np.nan] * len(values), 0.0
    for step, (p, at) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - step) * p))
        found[at] = highest
    return found


def tested(
    users: Users, family: str, key: tuple[str, str], pairs: Sequence[tuple[Entry, Entry]]
) -> list[tuple[Test, str]]:
    """The tests of pairs by a measure in a scope, and why one does not count; how runs scatter is by the family."""
    entries = list(dict.fromkeys(each for pair in pairs for each in pair))
    samples = {each: [users.moved(entry, *each) for entry in entries] for each in FAMILIES[family]}
    least = [float(np.mean([seed_ratio(some[at]) for some in samples.values()])) for at in range(len(entries))]
    found = test_pairs(samples[key], [(entries.index(a), entries.index(b)) for a, b in pairs], least)
    return [(test, _why(users, key, (a[0], b[0]), test)) for (a, b), test in zip(pairs, found, strict=True)]


def _why(users: Users, key: tuple[str, str], methods: tuple[str, str], test: Test) -> str:
    if np.isnan(test.difference):
        return "undefined in a run"
    runs = [len(users.raw.whole(users.log, name)) for name in methods if name not in BASELINES]
    if min(runs, default=1) < 2:
        return "one run of a method"
    if users.least(*key) < LEAST_USERS:
        return f"fewer than {LEAST_USERS} users"
    return "no variance" if np.isnan(test.p) else ""
