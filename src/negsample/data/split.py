"""The global temporal split: the latest events are test, those before them validation, the rest train."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from negsample.config import InputError

TRAIN, VALID, TEST = 0, 1, 2
_WAY_OUT = "use more data, or a smaller validation or test fraction"


def split_by_time(
    times: NDArray[np.int64],
    *,
    rule: Literal["sound", "paper"],
    valid_fraction: float = 0.05,
    test_fraction: float = 0.05,
) -> NDArray[np.int8]:
    """The part of each of ``n`` rows: 0 train, 1 validation, 2 test.

    ``paper``: in the stable order of time, the last ``ceil(test_fraction * n)`` rows are test and the
    ``ceil(valid_fraction * n)`` before them validation; rows of one time may straddle a cut.
    ``sound``: the test cut is the time of the first row that ``paper`` puts in test, and every row from that
    time on is test; the validation cut is the time of the row ``ceil(valid_fraction * n)`` before the test
    cut, and every row from that time on is validation. No row of train is later than one of validation, nor
    as late.

    Args:
        times: (n,) in any unit, rows in file order.
        rule: which of the two.
        valid_fraction: share of the rows that validation gets, about.
        test_fraction: share of the rows that test gets, about.

    Returns:
        (n,) parts, rows as in ``times``.

    Raises:
        InputError: train would come out empty.
    """
    if rule not in ("sound", "paper"):
        raise InputError(f"unknown split rule '{rule}'; the rules are: sound, paper")
    n = len(times)
    order = np.argsort(times, kind="stable")
    test_start = n - _share(test_fraction, n)
    valid_start = test_start - _share(valid_fraction, n)
    if valid_start < 1:
        raise InputError(
            f"too few events to split: {n} events leave none for train after {valid_fraction:g} of them for "
            f"validation and {test_fraction:g} for test (at least one each); {_WAY_OUT}"
        )
    if rule == "sound":
        ascending = times[order]
        test_start = int(np.searchsorted(ascending, ascending[test_start]))
        valid_start = test_start - _share(valid_fraction, n)
        valid_start = int(np.searchsorted(ascending, ascending[valid_start])) if valid_start > 0 else 0
        if valid_start < 1:
            raise InputError(
                f"too many of the {n} events share their time: {_ties(times)} no cut between two times "
                f"leaves something for each of train, validation and test; {_WAY_OUT}, or the "
                f"split rule 'paper', which cuts inside ties"
            )
    part = np.full(n, TRAIN, np.int8)
    part[order[valid_start:test_start]] = VALID
    part[order[test_start:]] = TEST
    return part


def _share(fraction: float, n: int) -> int:
    """``ceil(fraction * n)`` of the decimal number as written: 0.05 of 100 is 5, not 6."""
    return math.ceil(Fraction(str(fraction)) * n)


def _ties(times: NDArray[np.int64]) -> str:
    distinct = len(np.unique(times))
    return "all have the same one, and" if distinct == 1 else f"there are {distinct} different times, and"
