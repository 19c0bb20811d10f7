"""Whether two methods are told apart: by a test, or where there is none by the spread of their repeats."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

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


class Price(NamedTuple):
    """What the best for the tail gains there over the most accurate, with its 95 % interval (None: not tested).

    ``gain_real``, ``cost_real``: whether that, and the difference in total NDCG@10, are told apart from chance.
    """

    low: float | None
    high: float | None
    gain_real: bool
    cost_real: bool


class Judge(NamedTuple):
    """Who tells two methods apart.

    ``close``: whether two rows differ, but by no more than chance explains. ``why``, ``of_baseline``: what is said of
    a lead that is, and of one over PopRec. ``price``: of the first method for the tail, against the second for
    accuracy; None without a test.
    """

    close: Callable[[Row, Row, str], bool]
    why: str
    of_baseline: str
    price: Callable[[str, str], Price | None]


BY_SPREAD = Judge(
    within_noise,
    "is smaller than the pooled sd of the repeats: these runs do not tell them apart",
    "is smaller than the sd of the repeats",
    lambda tail, accurate: None,
)
"""For studies without ranks by event, which cannot be tested."""
