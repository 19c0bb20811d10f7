"""What a method reaches over all settings of the dial: the best NDCG with at least some Balance."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Point = tuple[float, float]
"""Balance and NDCG."""


def reached(curve: Sequence[Point], floor: float) -> float:
    """The highest NDCG at a Balance of at least ``floor``, on straight lines between neighbours; 0 if there is none."""
    found = [ndcg for balance, ndcg in curve if balance >= floor]
    for (b0, n0), (b1, n1) in pairwise(curve):
        if min(b0, b1) < floor <= max(b0, b1):
            found.append(n0 + (n1 - n0) * (floor - b0) / (b1 - b0))
    return max(found, default=0.0)


def hypervolume(curve: Sequence[Point], steps: int = 4000) -> float:
    """The mean of ``reached`` over all floors from 1/3 to 1."""
    floors = [1 / 3 + (step + 0.5) / steps * 2 / 3 for step in range(steps)]
    return sum(reached(curve, floor) for floor in floors) / steps


def spread(values: Sequence[float]) -> tuple[float, float]:
    """Mean and sample standard deviation; NaN of one."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan
    return mean, math.sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))
