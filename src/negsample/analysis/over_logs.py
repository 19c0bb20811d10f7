"""Which method is best over several logs, and whether that can be told: of these logs, and of others.

Logs differ in how much can be reached on them, so each log's figures count as shares of its highest. A difference of
two methods over the logs is the mean of their differences on each::

    D = mean_l (a_l - b_l) / highest_l        var D = sum_l (error_l / (L highest_l))^2

with the errors of the tests on each log, since the people of one log are others than those of the next, and degrees of
freedom by Satterthwaite. That is of these logs, for other people and seeds. What is said of other logs needs logs as a
sample: an exact sign test, which with few of them can find nothing, whatever the figures are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from scipy.special import stdtr  # type: ignore[import-untyped]
from scipy.stats import binomtest, rankdata  # type: ignore[import-untyped]

from negsample.analysis.advice import MEASURES
from negsample.analysis.analyse import DatasetAnalysis
from negsample.analysis.difference import Difference
from negsample.analysis.equivalence import MARGIN, tost
from negsample.analysis.measures import KEYS
from negsample.analysis.significance import Comparisons, corrected, significance_table
from negsample.analysis.t_test import TTest, holm

TOGETHER = "all logs"
"""What stands in place of a log where all of them are meant."""
BEST_RULE = "the best rule of each log"
"""What stands in place of a method where it is another one on each log."""
TIED = 1e-9
"""Shares and figures that are nearer than this are the same but for rounding."""
_UNTESTED = (None, None, None, None, None, None, None)
_Logs = Mapping[str, DatasetAnalysis]


class OverLogs(NamedTuple):
    """What was found by one ``measure`` on L ``logs``.

    ``highest_L``: of all methods on each log; 0 where none has any: such a log does not count. ``figures``: of each
    method, None where it has none. ``ranks``, ``shares``: of the methods with a figure on every log that counts, the
    highest mean share first: on each log (ranks from 1, means where methods tie; None on a log that does not count).
    Empty with fewer than two logs that count. ``tests``: of the mean share, of pairs that were compared on the logs,
    with Holm's correction over all of them. ``signs``: p of the sign test of these pairs over the logs that count, with
    the same correction.
    """

    measure: str
    logs: tuple[str, ...]
    highest_L: tuple[float, ...]
    figures: Mapping[str, tuple[float | None, ...]]
    ranks: Mapping[str, tuple[float | None, ...]]
    shares: Mapping[str, tuple[float | None, ...]]
    tests: Comparisons
    signs: Mapping[tuple[str, str], float]

    @property
    def counted(self) -> list[str]:
        """The logs that count."""
        return [log for log, highest in zip(self.logs, self.highest_L, strict=True) if highest]

    @property
    def methods(self) -> list[str]:
        """Those that are compared over the logs, the highest mean share first."""
        return list(self.shares)

    def mean_share(self, method: str) -> float:
        """Of each log's highest figure, in the mean over the logs that count."""
        return float(np.mean([each for each in self.shares[method] if each is not None]))

    def mean_rank(self, method: str) -> float:
        """In the mean over the logs that count."""
        return float(np.mean([each for each in self.ranks[method] if each is not None]))

    def between(self, a: str, b: str) -> Difference | None:
        """The mean share of ``a`` less that of ``b``; None where they were not compared."""
        return self.tests.of_table(*KEYS[self.measure], a, b)

    @property
    def least_sign_p(self) -> float:
        """The lowest p that the sign test can give with so many logs, before any correction."""
        return min(1.0, 2.0 ** (1 - len(self.counted)))


def over_logs(found: _Logs) -> list[OverLogs]:
    """By NDCG@10, tail HR@10 and Balance@10, what was found on all logs together; ``found``: by the name of each."""
    return [_over(found, measure) for measure in MEASURES]


def _over(found: _Logs, measure: str) -> OverLogs:
    rows = [{row["method"]: row[measure] for row in each.rows} for each in found.values()]
    methods = list(dict.fromkeys(name for each in rows for name in each))
    figures = {name: tuple(each.get(name) for each in rows) for name in methods}
    highest_L = tuple(max((value for value in each.values() if value is not None), default=0.0) for each in rows)
    counts = [at for at, highest in enumerate(highest_L) if highest]
    common = [name for name in methods if len(counts) > 1 and all(figures[name][at] is not None for at in counts)]
    shares = {name: _at(counts, [_of(figures[name][at]) / highest_L[at] for at in counts], rows) for name in common}
    ranks_LM = [rankdata([-_rounded(_of(figures[name][at])) for name in common]) if common else [] for at in counts]
    ranks = {name: _at(counts, [float(each[number]) for each in ranks_LM], rows) for number, name in enumerate(common)}
    order = sorted(common, key=lambda name: -_rounded(float(np.mean([_of(shares[name][at]) for at in counts]))))
    logs = tuple(found)
    weighed = [(logs[at], found[logs[at]].tests, 1 / (len(counts) * highest_L[at])) for at in counts]
    pairs = [together(measure, weighed, a, [b] * len(counts)) for a, b in combinations(common, 2)]
    compared = [each for each in pairs if each is not None]
    signs = holm(np.array([_sign_test(figures[each.a], figures[each.b], counts) for each in compared], np.float64))
    return OverLogs(
        measure,
        logs,
        highest_L,
        figures,
        {name: ranks[name] for name in order},
        {name: shares[name] for name in order},
        Comparisons(corrected(compared)),
        {(each.a, each.b): float(p) for each, p in zip(compared, signs, strict=True)},
    )


def _rounded(value: float) -> float:
    """What is equal but for the last bits is equal."""
    return round(value / TIED) * TIED


def _of(figure: float | None) -> float:
    assert figure is not None, "only methods with a figure on every log are compared"
    return figure


def _at(counts: Sequence[int], values: Sequence[float], logs: Sequence[Any]) -> tuple[float | None, ...]:
    """A value for each of ``logs``: those at ``counts``, None for the others."""
    known = dict(zip(counts, values, strict=True))
    return tuple(known.get(at) for at in range(len(logs)))


def together(
    measure: str, logs: Sequence[tuple[str, Comparisons, float]], a: str, b: Sequence[str]
) -> Difference | None:
    """The test of ``a`` less the method ``b`` of each log, over ``logs``: name, tests and weight of each.

    It is not corrected yet. None where no log compares the two.
    """
    each = [(log, tests.of_table(*KEYS[measure], a, other)) for (log, tests, _), other in zip(logs, b, strict=True)]
    known = [one for _, one in each if one is not None]
    if not known:
        return None
    other = b[0] if len(set(b)) == 1 else BEST_RULE
    named = (TOGETHER, f"{measure} over logs", *KEYS[measure], a, "", other, "")
    users, runs = sum(one.users for one in known), min(one.runs for one in known)
    reasons = [(log, "not compared" if one is None else one.untested) for log, one in each]
    why = next((f"{reason} on {log}" for log, reason in reasons if reason), "")
    weight_L = np.array([weight for _, _, weight in logs])
    apart = [one.difference for one in known]
    whole = len(known) == len(logs) and None not in apart
    difference = float(weight_L @ np.array(apart, np.float64)) if whole else None
    found = Difference(*named, difference, *_UNTESTED, users, runs, why)
    if why or difference is None:
        return found
    error_L = weight_L * np.array([one.error for one in known], np.float64)
    freedom_L = np.array([one.freedom for one in known], np.float64)
    square = float((error_L**2).sum())
    freedom = square**2 / float((error_L**4 / freedom_L).sum()) if square else float(freedom_L.min())
    p = 2 * float(stdtr(freedom, -abs(difference) / np.sqrt(square))) if square else float(difference == 0)
    test = TTest(difference, float(np.sqrt(square)), freedom, p)
    return found._replace(error=test.error, freedom=freedom, p=p, margin=MARGIN, p_equivalent=tost(test, MARGIN))


def _sign_test(a: Sequence[float | None], b: Sequence[float | None], counts: Sequence[int]) -> float:
    """The two-sided p of one being higher on so many logs; logs where both have as much are left out."""
    pairs = [(_rounded(_of(a[at])), _rounded(_of(b[at]))) for at in counts]
    higher = [one > other for one, other in pairs if one != other]
    return float(binomtest(sum(higher), len(higher)).pvalue) if higher else 1.0


def over_logs_table(found: Sequence[OverLogs]) -> pl.DataFrame:
    """One row a (measure, log, method), fractions; and of each method that is compared its means, as of all logs."""
    rows: list[tuple[Any, ...]] = []
    for one in found:
        for method, figures in one.figures.items():
            nothing = (None,) * len(one.logs)
            each = zip(one.logs, figures, one.ranks.get(method, nothing), one.shares.get(method, nothing), strict=True)
            rows += [(one.measure, log, method, *values) for log, *values in each]
        means = [(method, None, one.mean_rank(method), one.mean_share(method)) for method in one.methods]
        rows += [(one.measure, TOGETHER, *values) for values in means]
    kinds = dict.fromkeys(("measure", "log", "method"), pl.String) | dict.fromkeys(
        ("figure", "rank", "share"), pl.Float64
    )
    return pl.DataFrame(rows, schema=kinds, orient="row")


def over_logs_significance(found: Sequence[OverLogs]) -> pl.DataFrame:
    """One row a (measure, pair) as ``significance.csv``, of mean shares; ``sign_p``: of the sign test over the logs."""
    table = significance_table([each for one in found for each in one.tests.found])
    signs = [one.signs[each.a, each.b] for one in found for each in one.tests.found]
    return table.with_columns(pl.Series("sign_p", signs, pl.Float64))
