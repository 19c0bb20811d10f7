"""The figures of a run: numbers of events averaged, how evenly they are spread, and what is recommended at all."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from negsample.data.popularity import COHORTS
from negsample.evaluation.groups import CUT, Groups, mean
from negsample.evaluation.metrics import METRICS, Floats

CUTOFFS = (1, 5, 10, 20)
"""The usual cut-offs ``k``."""


def summarise(
    ranks: Floats,
    targets: NDArray[np.int64],
    counts: NDArray[np.int64],
    cohort_of: NDArray[np.int8],
    top_QK: NDArray[np.int64] | None = None,
    *,
    cutoffs: Sequence[int] = CUTOFFS,
    groups: Groups | None = None,
) -> dict[str, float | int]:
    """Every figure by the name it has in ``metrics.json``, as fractions; NaN where there is no event to average.

    Args:
        ranks: (E,) rank of each event's target, infinite where it is left out of the ranking.
        targets: (E,) its id.
        counts: (V + 1,) train counts: a target without one is cold.
        cohort_of: (V + 1,) cohort of each id.
        top_QK: (Q, K) what is recommended to each query, best first; without it no ``coverage@k`` and ``arp@k``.
        cutoffs: each ``k``.
        groups: of the events; without them no ``new_``, ``repeat_``, ``user_`` and ``cut_`` figures, nor their sizes.
    """
    cold = counts[targets] == 0
    of_cohort = {cohort: cohort_of[targets] == number for number, cohort in enumerate(COHORTS)}
    figures: dict[str, float | int] = {}
    of_groups: dict[str, float | int] = {}
    percentiles = None if top_QK is None else popularity_percentiles(counts)
    for k in cutoffs:
        for name, metric in METRICS.items():
            each = np.asarray(metric(ranks, k), dtype=np.float64)
            figures[f"{name}@{k}"] = mean(each)
            figures[f"warm_{name}@{k}"] = mean(each[~cold])
            figures |= {f"{cohort}_{name}@{k}": mean(each[chosen]) for cohort, chosen in of_cohort.items()}
            of_groups |= groups.means(f"{name}@{k}", each) if groups else {}
        if groups:
            of_groups[f"cut_balance@{k}"] = balance(*(of_groups[f"{cohort}_hr@{k}"] for cohort in CUT))
        figures[f"balance@{k}"] = balance(*(figures[f"{cohort}_hr@{k}"] for cohort in COHORTS))
        if top_QK is not None and percentiles is not None:
            shown = top_QK[:, :k]
            figures[f"coverage@{k}"] = coverage(shown, len(counts) - 1)
            figures[f"arp@{k}"] = mean(percentiles[shown[shown > 0]])
    figures["events"] = len(ranks)
    figures |= {f"{cohort}_events": int(chosen.sum()) for cohort, chosen in of_cohort.items()}
    figures |= {"cold_events": int(cold.sum()), "left_out_events": int(np.isinf(ranks).sum())}
    return figures | of_groups | (groups.sizes() if groups else {})


def gini(values: Sequence[float]) -> float:
    """``sum_i (2 i - n - 1) x_(i) / (n sum x)``, x ascending, i from 1; between 0 (equal) and ``(n - 1) / n``.

    NaN when all are zero (nothing is spread) or one is NaN. Negative values raise ``ValueError``.
    """
    ordered = sorted(values)
    n, total = len(ordered), math.fsum(values)
    if any(value < 0 for value in ordered):
        raise ValueError(f"gini takes values >= 0, got {ordered[0]}")
    if n == 0 or not total > 0:
        return math.nan
    return math.fsum((2 * i - n - 1) * x for i, x in enumerate(ordered, 1)) / (n * total)


def balance(head: float, mid: float, tail: float) -> float:
    """``1 - Gini`` of the three cohorts' hit rates (the paper's Balance), from 1/3 to 1.

    NaN when undefined: no cohort has a hit, or one has no event (its rate is NaN). It is blind to level: a model
    that hardly hits anything can have a high one, so it is never shown without HR or NDCG beside it.
    """
    return 1 - gini((head, mid, tail))


def balances(rates_NC: Floats) -> Floats:
    """(N,) :func:`balance` of each row of three hit rates."""
    ordered = np.sort(rates_NC, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = 1 - 2 * (ordered[:, 2] - ordered[:, 0]) / (3 * ordered.sum(1))
    return found


def balance_slopes(rates_NC: Floats) -> Floats:
    """(N, 3) how fast :func:`balance` of each row rises with each of its three hit rates; NaN where it is undefined.

    ``-2 / (3 sum) * ([i is highest] - [i is lowest] - (max - min) / sum)``; among equal rates the first is taken.
    """
    total_N1 = rates_NC.sum(1, keepdims=True)
    highest, lowest = np.eye(3)[rates_NC.argmax(1)], np.eye(3)[rates_NC.argmin(1)]
    with np.errstate(invalid="ignore", divide="ignore"):
        apart_N1 = (rates_NC.max(1, keepdims=True) - rates_NC.min(1, keepdims=True)) / total_N1
        found: Floats = -2 / (3 * total_N1) * (highest - lowest - apart_N1)
    return found


def coverage(top_QK: NDArray[np.int64], catalogue_size: int) -> float:
    """Share of the catalogue that is recommended to anybody; ids below 1 are padding."""
    return np.count_nonzero(np.bincount(top_QK[top_QK > 0])) / catalogue_size


def popularity_percentiles(counts: NDArray[np.int64]) -> Floats:
    """(V + 1,) share of the other items that an item outdoes by train count, ties by half; index 0 is NaN.

    Its mean over recommended items is the ARP of the field: 1 when only the most popular one is shown.
    """
    ordered = np.sort(counts[1:])
    first, last = (np.searchsorted(ordered, counts[1:], side=side) for side in ("left", "right"))
    return np.concatenate([[np.nan], (first + (last - first - 1) / 2) / max(len(counts) - 2, 1)])


def event_percentiles(counts: NDArray[np.int64]) -> Floats:
    """(V + 1,) share of the train events that are of less popular items, ties by half; index 0 is NaN.

    By it the cohorts are a third each: the tail up to 1/3, the head from 2/3 on.
    """
    ordered = np.sort(counts[1:])
    below = np.concatenate([[0], np.cumsum(ordered)])
    first, last = (np.searchsorted(ordered, counts[1:], side=side) for side in ("left", "right"))
    return np.concatenate([[np.nan], (below[first] + below[last]) / 2 / max(below[-1], 1)])
