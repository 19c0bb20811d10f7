"""Which measures a study has: the names that stand in its runs' figures, ours and others'."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from negsample.data.popularity import COHORTS as COHORTS
from negsample.evaluation.metrics import PREFIXES, MetricKind
from negsample.runs.folder import Run

K = 10
"""The cut-off at which methods are compared and dials are chosen."""
ALONE = "ndcg_without_terms"
"""The column of a table: NDCG@10 without the terms that were fitted after training, at dial 0; null where none were."""
ACCURACY, TAIL, BALANCE = "ndcg@10", "tail_hr@10", "balance@10"
SCOPES = ("all", *COHORTS)
Key = tuple[str, str]
"""Measure and scope: ``ndcg@10``, ``hr@10`` or ``balance@10``, in one of SCOPES."""
KEYS: Mapping[str, Key] = {ACCURACY: ("ndcg@10", "all"), TAIL: ("hr@10", "tail"), BALANCE: ("balance@10", "all")}
"""Of the three purposes that one may want a method for."""
FAMILIES: Mapping[str, tuple[Key, ...]] = {
    "NDCG@10 in total": (("ndcg@10", "all"),),
    "HR@10 in total": (("hr@10", "all"),),
    "NDCG@10 by cohort": tuple(("ndcg@10", scope) for scope in SCOPES[1:]),
    "HR@10 by cohort": tuple(("hr@10", scope) for scope in SCOPES[1:]),
    "Balance": (("balance@10", "all"),),
}
"""Of comparisons that are corrected together, one for each claim."""
_SCOPED = re.compile(f"({'|'.join(PREFIXES)})_")
_MEASURE = re.compile(r"(?P<name>[^@]+)@(?P<k>\d+)")


def measures_of(runs: Iterable[Run]) -> list[str]:
    """Every ``NAME@K`` of the runs' figures in total, and those at 10 by cohort and group; in the order of the runs."""
    found = dict.fromkeys(name for run in runs for name in run.metrics["test"] if _MEASURE.fullmatch(name))
    return [name for name in found if cut_off_of(name) == K or not _SCOPED.match(name)]


def kinds_of(runs: Iterable[Run]) -> dict[str, MetricKind]:
    """The kind of each of the runs' own metrics that is no share of which more is better."""
    return {name: MetricKind(**kind) for run in runs for name, kind in run.metrics["metric_kinds"].items()}


def is_total(name: str) -> bool:
    """Whether a measure is a mean over all events, and not of a cohort or group."""
    return not _SCOPED.match(name)


def cut_off_of(name: str) -> int:
    """The ``K`` of ``NAME@K``."""
    return int(name.rpartition("@")[2])


def known(row: Mapping[str, Any], measure: str) -> float:
    """A figure of a row for comparing; one that is undefined counts below all others."""
    return -1.0 if row[measure] is None else float(row[measure])
