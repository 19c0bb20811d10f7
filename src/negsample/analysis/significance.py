"""Which differences between methods are significant: one table of p-values, from which all marks are read.

In each family of comparisons are all pairs of methods as the table shows them (each run at its chosen dial), and what
the advice says: what is taken for each purpose, at the dial that validation prefers for it, against the default, the
best baseline, and what is taken for accuracy. A comparison stands in its family once, so it has one p and one adjusted
p; Holm's correction is over all of a family. The same holds for practical equivalence: two one-sided tests (TOST;
Schuirmann, 1987) that the difference is within a margin, which is a share of the highest figure of all methods in the
table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import polars as pl

from negsample.analysis.advice import Advice
from negsample.analysis.difference import LEVEL
from negsample.analysis.difference import Difference as Difference
from negsample.analysis.equivalence import MARGIN, tost
from negsample.analysis.measures import ACCURACY, FAMILIES, KEYS, Key
from negsample.analysis.per_user import Entry, Sums, events_of, mean_sample, sums_by_user, users_of
from negsample.analysis.study import Study
from negsample.analysis.t_test import Sample, TTest, holm, seed_ratio, t_quantile, t_tests
from negsample.analysis.tables import TableRow
from negsample.models.baselines import is_baseline

LEAST_USERS = 30  # with an event in a scope: fewer are not tested, since a handful says nothing
POWER = 0.8  # with which the smallest detectable difference would have been found

Pair = tuple[Entry, Entry]


class Comparisons:
    """What was tested on one dataset, to be asked for. ``dials``: by method, of its runs in the table."""

    def __init__(
        self, found: Sequence[Difference] = (), dials: Mapping[str, Sequence[float | None]] | None = None
    ) -> None:
        self.found = list(found)
        self._dials = {method: dial_text(method, some) for method, some in (dials or {}).items()}
        both_ways = (each for one in self.found for each in (one, one.reversed))
        self._known = {each[2:8]: each for each in both_ways}  # from measure to dial_b

    def __bool__(self) -> bool:
        return bool(self.found)

    def between(self, measure: str, a: TableRow, b: TableRow) -> Difference | None:
        """``a`` less ``b``, rows at the dial that they name, by the measure of a purpose; None where not compared."""
        (one, dial), (other, dial_b) = ((row["method"], dial_text(row["method"], [row["dial"]])) for row in (a, b))
        return self._known.get((*KEYS[measure], one, dial, other, dial_b))

    def of_table(self, measure: str, scope: str, a: str, b: str) -> Difference | None:
        """The same of two methods as the table shows them."""
        return self._known.get((measure, scope, a, self._dials.get(a, ""), b, self._dials.get(b, "")))


def dial_text(method: str, dials: Sequence[float | None]) -> str:
    """``0.5``, or of runs at several settings ``0 0.5 0.5``; empty for a baseline, which has no dial."""
    texts = ["" if dial is None or is_baseline(method) else f"{dial:g}" for dial in dials]
    return texts[0] if len(set(texts)) == 1 else " ".join(texts)


def differences(study: Study, dataset: str, advice: Advice) -> Comparisons:
    """All that is compared on ``dataset``: each trained method with each other and with each baseline. Empty where no
    event was measured, or there is nothing to compare."""
    folds = events_of(study, dataset)
    methods = [method for method in study.methods_of(dataset) if study.repeats_of(dataset, method)]
    if not folds or len(methods) < 2:
        return Comparisons()
    runs = {method: study.runs_of(dataset, method) for method in methods}
    own = {method: (method, tuple(run.metrics["dial"] for run in runs[method])) for method in methods}

    def at(row: TableRow) -> Entry:
        return row["method"], (row["dial"] or 0.0,) * len(runs[row["method"]])

    of_trained = [pair for pair in combinations(own.values(), 2) if not all(is_baseline(name) for name, _ in pair)]
    pairs: dict[Key, dict[Pair, None]] = {key: dict.fromkeys(of_trained) for keys in FAMILIES.values() for key in keys}
    for measure, a, b in advised_pairs(advice):
        of_measure = pairs[KEYS[measure]]
        if {a["method"], b["method"]} <= runs.keys() and at(a) != at(b) and (at(b), at(a)) not in of_measure:
            of_measure[at(a), at(b)] = None
    if not any(pairs.values()):
        return Comparisons()
    entries = list(dict.fromkeys([*own.values(), *(each for some in pairs.values() for pair in some for each in pair)]))
    sums = sums_by_user(study, dataset, folds, entries)
    found = []
    for family, keys in FAMILIES.items():
        some = []
        for key in keys:
            means = [float(mean_sample(sums, entry, *key).figures_S.mean()) for entry in own.values()]
            highest = max((mean for mean in means if not np.isnan(mean)), default=np.nan)
            some += _tested(sums, dataset, family, key, list(pairs[key]), MARGIN * highest)
        found += corrected(some)
    return Comparisons(found, dict(own.values()))


def advised_pairs(advice: Advice) -> list[tuple[str, TableRow, TableRow]]:
    """What the advice is measured by on test: what is taken for each purpose, against the default, against the best
    baseline, and in accuracy against the most accurate."""
    taken = [(each.measure, each.chosen, other) for each in advice.purposes for other in (advice.default, each.rule)]
    costs = [(ACCURACY, each.chosen, advice.accuracy.chosen) for each in (advice.tail, advice.balance)]
    return [(measure, a, b) for measure, a, b in (*taken, *costs) if a is not None and b is not None]


def compared(
    folds: Sequence[Sums], dataset: str, family: str, keys: Sequence[Key], pairs: Sequence[Pair]
) -> list[Difference]:
    """The comparisons of ``pairs`` by ``keys`` of one family, corrected together; without equivalence."""
    return corrected([each for key in keys for each in _tested(folds, dataset, family, key, pairs, np.nan)])


def _tested(
    folds: Sequence[Sums], dataset: str, family: str, key: Key, pairs: Sequence[Pair], margin: float
) -> list[Difference]:
    """The comparisons of one measure in one scope, not yet corrected."""
    entries = list(dict.fromkeys(entry for pair in pairs for entry in pair))
    tests = tested(folds, family, key, entries, [(entries.index(a), entries.index(b)) for a, b in pairs])
    users = users_of(folds[0], *key)
    found = []
    for (a, b), each in zip(pairs, tests, strict=True):
        runs = min((len(folds[0].gains[entry]) for entry in (a, b) if not is_baseline(entry[0])), default=1)
        why = why_untested(users, runs, each)
        found.append(as_difference((dataset, family, *key), (a, b), each, users, runs, margin, why))
    return found


def as_difference(
    of: tuple[str, str, str, str], pair: Pair, test: TTest, users: int, runs: int, margin: float, untested: str
) -> Difference:
    """A test as a comparison, not yet corrected. ``of``: dataset, family, measure and scope; ``margin``: NaN where
    equivalence is not asked for; ``untested``: as of :func:`why_untested`."""
    (a, _), (b, _) = pair
    difference = None if np.isnan(test.difference) else test.difference
    error, freedom, p = (None, None, None) if untested else test[1:]
    within = (None, None) if untested or np.isnan(margin) else (margin, tost(test, margin))
    known = (difference, error, freedom, None, None, p, None, None)
    named = (a, dial_text(*pair[0]), b, dial_text(*pair[1]))
    return Difference(*of, *named, *known, users, runs, untested, *within)


def tested(
    folds: Sequence[Sums], family: str, key: Key, entries: Sequence[Entry], pairs: Sequence[tuple[int, int]]
) -> list[TTest]:
    """The tests of ``pairs`` of ``entries`` in one scope; how their runs scatter is estimated over the whole family.

    ``folds``: what they gained in each, the same groups of users in all; one where there are no folds.
    """
    return tests_of(
        {each: [mean_sample(folds, entry, *each) for entry in entries] for each in FAMILIES[family]}, key, pairs
    )


def tests_of(samples: Mapping[Key, Sequence[Sample]], key: Key, pairs: Sequence[tuple[int, int]]) -> list[TTest]:
    """The tests of ``pairs`` of the samples of ``key``; ``samples``: by all keys of its family."""
    least = [float(np.mean([seed_ratio(each) for each in some])) for some in zip(*samples.values(), strict=True)]
    return t_tests(samples[key], pairs, least)


def why_untested(users: int, runs: int, each: TTest) -> str:
    """Why a comparison is not tested; empty where it is."""
    if np.isnan(each.difference):
        return "undefined in a run"
    if runs < 2:
        return "one run of a method"
    if users < LEAST_USERS:
        return f"fewer than {LEAST_USERS} users"
    return "no variance" if np.isnan(each.p) else ""


def corrected(found: Sequence[Difference]) -> list[Difference]:
    """A whole family: with adjusted p of both tests, interval, and the smallest detectable difference."""
    freedom, error, p = np.array([(each.freedom, each.error, each.p) for each in found], np.float64).reshape(-1, 3).T
    first_step = LEVEL / max(int((~np.isnan(p)).sum()), 1)
    reach = t_quantile(LEVEL, freedom) * error
    least = (t_quantile(first_step, freedom) + t_quantile(2 * (1 - POWER), freedom)) * error
    same = holm(np.array([each.p_equivalent for each in found], np.float64))
    filled = []
    for each, *known in zip(found, reach, holm(p), least, same, strict=True):
        if each.p is not None and each.difference is not None:
            far, p_holm, seen, within = map(float, known)
            low, high = each.difference - far, each.difference + far
            each = each._replace(low=low, high=high, p_holm=p_holm, detectable=seen)
            each = each._replace(p_equivalent_holm=None if each.p_equivalent is None else within)
        filled.append(each)
    return filled


def significance_table(found: Sequence[Difference]) -> pl.DataFrame:
    """One row a comparison, fractions."""
    kinds: dict[str, type[pl.DataType]] = dict.fromkeys(Difference._fields, pl.Float64)
    kinds |= dict.fromkeys((*Difference._fields[:8], "untested", "verdict"), pl.String)
    kinds |= dict.fromkeys(("users", "runs"), pl.Int64)
    kinds |= {"equivalent": pl.Boolean}
    rows = [
        each._asdict() | {"verdict": each.verdict, "equivalent": each.equivalent if each.margin is not None else None}
        for each in found
    ]
    return pl.DataFrame(rows, schema=kinds, orient="row")
