"""Practical equivalence: whether a difference is within a margin that nobody would choose by."""

from __future__ import annotations

import numpy as np
from scipy.special import stdtr  # type: ignore[import-untyped]

from negsample.analysis.t_test import TTest

MARGIN = 0.05
"""Of the highest figure of all methods in the table: a difference within it makes no difference in practice."""


def tost(test: TTest, margin: float) -> float:
    """The p of two one-sided tests that the difference is within ``margin``, the larger of the two (Schuirmann, 1987).

    It is below 5 % where the 90 % interval of the difference is within the margin. NaN where nothing was tested.
    """
    if np.isnan(test.error):
        return float("nan")
    inside = margin - abs(test.difference)
    if test.error == 0:
        return 0.0 if inside > 0 else 1.0
    return float(stdtr(test.freedom, -inside / test.error))
