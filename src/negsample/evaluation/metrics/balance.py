"""How evenly accuracy is spread over cohorts."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


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


def balances(rates_NC: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) :func:`balance` of each row of three hit rates."""
    ordered = np.sort(rates_NC, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: NDArray[np.float64] = 1 - 2 * (ordered[:, 2] - ordered[:, 0]) / (3 * ordered.sum(1))
    return found


def balance_slopes(rates_NC: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, 3) how fast :func:`balance` of each row rises with each of its three hit rates; NaN where it is undefined.

    ``-2 / (3 sum) * ([i is highest] - [i is lowest] - (max - min) / sum)``; among equal rates the first is taken.
    """
    total_N1 = rates_NC.sum(1, keepdims=True)
    highest, lowest = np.eye(3)[rates_NC.argmax(1)], np.eye(3)[rates_NC.argmin(1)]
    with np.errstate(invalid="ignore", divide="ignore"):
        apart_N1 = (rates_NC.max(1, keepdims=True) - rates_NC.min(1, keepdims=True)) / total_N1
        found: NDArray[np.float64] = -2 / (3 * total_N1) * (highest - lowest - apart_N1)
    return found
