"""The figures of a run: per-event numbers averaged in total, over warm events and by cohort."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from negsample.data.popularity import COHORTS
from negsample.evaluation.metrics.balance import balance
from negsample.evaluation.metrics.catalogue import coverage, popularity_percentiles
from negsample.evaluation.metrics.ranking import METRICS, Floats

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
) -> dict[str, float | int]:
    """Every figure by the name it has in ``metrics.json``, as fractions; NaN where there is no event to average.

    Args:
        ranks: (E,) rank of each event's target, infinite where it is left out of the ranking.
        targets: (E,) its id.
        counts: (V + 1,) train counts: a target without one is cold.
        cohort_of: (V + 1,) cohort of each id.
        top_QK: (Q, K) what is recommended to each query, best first; without it no ``coverage@k`` and ``arp@k``.
        cutoffs: each ``k``.
    """
    cold = counts[targets] == 0
    cohorts = cohort_of[targets]
    figures: dict[str, float | int] = {}
    for k in cutoffs:
        for name, metric in METRICS.items():
            each = np.asarray(metric(ranks, k), dtype=np.float64)
            figures[f"{name}@{k}"] = _mean(each)
            figures[f"warm_{name}@{k}"] = _mean(each[~cold])
            for number, cohort in enumerate(COHORTS):
                figures[f"{cohort}_{name}@{k}"] = _mean(each[cohorts == number])
        figures[f"balance@{k}"] = balance(*(figures[f"{cohort}_hr@{k}"] for cohort in COHORTS))
        if top_QK is not None:
            shown = top_QK[:, :k]
            figures[f"coverage@{k}"] = coverage(shown, len(counts) - 1)
            figures[f"arp@{k}"] = _mean(popularity_percentiles(counts)[shown[shown > 0]])
    figures["events"] = len(ranks)
    for number, cohort in enumerate(COHORTS):
        figures[f"{cohort}_events"] = int((cohorts == number).sum())
    figures["cold_events"] = int(cold.sum())
    figures["left_out_events"] = int(np.isinf(ranks).sum())
    return figures


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan
