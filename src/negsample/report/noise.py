"""Whether a difference between two methods is larger than the spread of their repeats."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from negsample.report.reading import POPULAR

Row = Mapping[str, Any]
"""A row of the study's table, by column."""


def pooled_sd(a: Row, b: Row, measure: str) -> float | None:
    """``sqrt(((n_a - 1) s_a^2 + (n_b - 1) s_b^2) / (n_a + n_b - 2))``; None where neither has a spread.

    PopRec draws nothing at random, so its repeats say nothing about spread and do not count.
    """
    squares, freedom = 0.0, 0
    for row in (a, b):
        sd = row[f"{measure}_sd"]
        if sd is not None and row["method"] != POPULAR:
            squares += (row["runs"] - 1) * sd * sd
            freedom += row["runs"] - 1
    return math.sqrt(squares / freedom) if freedom else None


def within_noise(a: Row, b: Row, measure: str) -> bool:
    """Whether the difference is known to be smaller than the pooled sd; never a test of significance."""
    sd = pooled_sd(a, b, measure)
    if sd is None or a[measure] is None or b[measure] is None:
        return False
    return bool(0 < abs(a[measure] - b[measure]) < sd)
