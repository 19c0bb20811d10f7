"""Which differences between methods are real: every pair of a dataset, in total and by cohort.

Four families of tests a dataset, named in ``at``: ``table`` compares the methods as the table shows them, each run at
its chosen dial; ``accuracy``, ``tail`` and ``balance`` compare them at the dial that validation prefers for that
purpose, as the words do; ``price`` compares every method at its dial for the tail with every method at its dial for
accuracy. Holm's correction is over all pairs and scopes of one measure in one of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import polars as pl

from negsample.report.noise import Judge, Price, Row
from negsample.report.offers import Offers
from negsample.report.reading import POPULAR, Study
from negsample.report.resamples import REPLICATES, SCOPES, Entry, Resampled, sums_by_user
from negsample.seeds import resampling
from negsample.stats import CONFIDENCE, compare, holm

LEAST_USERS = 30
"""Fewer users with an event in a scope are not tested: resamples of a handful say nothing."""
_A_COMPARISON = 40  # replicates: Holm's first step needs p below 0.05 / comparisons, and 1 / replicates is the least
_LEVEL = 1 - CONFIDENCE
_PURPOSES = {"ndcg@10": "accuracy", "tail_hr@10": "tail", "balance@10": "balance"}


class Difference(NamedTuple):
    """``a`` less ``b``: fractions. ``low``, ``high``: 95 % interval, not adjusted; None where nothing was tested.

    ``users`` with an event in the scope; ``seeds`` that are resampled too: 1 means users alone. ``at``: the family.
    """

    dataset: str
    measure: str
    scope: str
    a: str
    b: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_holm: float | None
    users: int
    seeds: int
    at: str

    @property
    def real(self) -> bool:
        """Whether it is told apart from chance at 5 %, after Holm's correction."""
        return self.p_holm is not None and self.p_holm < _LEVEL


def differences(study: Study, dataset: str, offered: Offers) -> list[Difference]:
    """All that is compared on ``dataset``; empty where a run has no ranks by event, or there is nothing to compare."""
    events = study.events.get(dataset)
    methods = study.methods_of(dataset)
    if events is None or not len(events["user_E"]) or len(methods) < 2:
        return []
    popular = [method for method in methods if method == POPULAR]

    def at_own() -> list[Entry]:
        return [
            (method, tuple(run.metrics.get("dial", 0.0) for run in study.runs_of(dataset, method)))
            for method in methods
        ]

    def at_offer(rows: Sequence[Row]) -> list[Entry]:
        dials = {row["method"]: row["dial"] for row in rows} | dict.fromkeys(popular, 0.0)
        return [(method, (dials[method],) * len(study.runs_of(dataset, method))) for method in methods]

    table, accurate, tail, even = (at_own(), *(at_offer(rows) for rows in offered[:3]))
    pairs = list(combinations(range(len(methods)), 2))
    trained = [number for number, method in enumerate(methods) if method != POPULAR]
    crossed = [
        (a, len(methods) + b)
        for a in trained
        for b in trained
        if tail[a] != accurate[b]  # one thing with itself
    ]
    families = [
        _Family("table", "ndcg@10", SCOPES, table, pairs),
        _Family("table", "hr@10", SCOPES, table, pairs),
        _Family("table", "balance@10", ("all",), table, pairs),
        _Family("accuracy", "ndcg@10", ("all",), accurate, pairs),
        _Family("tail", "hr@10", ("tail",), tail, pairs),
        _Family("balance", "balance@10", ("all",), even, pairs),
        _Family("price", "hr@10", ("tail",), [*tail, *accurate], crossed),
        _Family("price", "ndcg@10", ("all",), [*tail, *accurate], crossed),
    ]
    entries = list(dict.fromkeys(entry for family in families for entry in family.entries))
    sums = sums_by_user(study, dataset, entries)
    if sums is None:
        return []
    replicates = max(REPLICATES, _A_COMPARISON * max(len(each.pairs) * len(each.scopes) for each in families))
    resampled = Resampled(dataset, sums, replicates, [*table, *even])
    return [each for family in families for each in _tested(resampled, dataset, family)]


class _Family(NamedTuple):
    at: str
    measure: str
    scopes: Sequence[str]
    entries: list[Entry]
    pairs: list[tuple[int, int]]


def _tested(resampled: Resampled, dataset: str, family: _Family) -> list[Difference]:
    """Every pair and scope of ``family``."""
    models = len({method for method, _ in family.entries})
    found = []
    for scope in family.scopes:
        samples = [resampled.sample(entry, family.measure, scope) for entry in family.entries]
        rng = resampling(f"{dataset}/{family.at}/{family.measure}/{scope}")
        users = resampled.users(family.measure, scope)
        for (a, b), each in zip(family.pairs, compare(samples, family.pairs, rng, models), strict=True):
            drawn = [len(samples[number].seeds) for number in (a, b) if samples[number].seeds]
            low, high, p = (_or_none(value) if users >= LEAST_USERS else None for value in each[1:])
            names = (family.entries[a][0], family.entries[b][0])
            key = (dataset, family.measure, scope, *names, _or_none(each.difference))
            found.append(Difference(*key, low, high, p, None, users, min(drawn, default=1), family.at))
    adjusted = holm(np.array([np.nan if each.p is None else each.p for each in found]))
    return [each._replace(p_holm=_or_none(p_holm)) for each, p_holm in zip(found, adjusted, strict=True)]


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def significance_table(found: Sequence[Difference]) -> pl.DataFrame:
    """One row a comparison, fractions."""
    text = ("dataset", "measure", "scope", "a", "b", "at")
    kinds: dict[str, type[pl.DataType]] = dict.fromkeys(Difference._fields, pl.Float64)
    kinds |= dict.fromkeys(text, pl.String) | dict.fromkeys(("users", "seeds"), pl.Int64)
    return pl.DataFrame([each._asdict() for each in found], schema=kinds, orient="row")


def judge_by(found: Sequence[Difference]) -> Judge:
    """Tells methods apart by what was tested at the settings that the words speak of."""
    known = {(each.at, each.measure, each.scope, *sorted((each.a, each.b))): each for each in found}
    priced = {(each.measure, each.a, each.b): each for each in found if each.at == "price"}

    def close(a: Row, b: Row, measure: str) -> bool:
        scope, name = ("tail", "hr@10") if measure == "tail_hr@10" else ("all", measure)
        each = known[(_PURPOSES[measure], name, scope, *sorted((a["method"], b["method"])))]
        return a[measure] is not None and b[measure] is not None and a[measure] != b[measure] and not each.real

    def price(tail: str, accurate: str) -> Price | None:
        gain, cost = priced.get(("hr@10", tail, accurate)), priced.get(("ndcg@10", tail, accurate))
        return None if gain is None or cost is None else Price(gain.low, gain.high, gain.real, cost.real)

    return Judge(close, "may be chance", "may be chance", price)
