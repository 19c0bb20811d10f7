"""The global temporal split: the latest events are test, those before them validation, the rest train."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.data.blocks import slices
from negsample.data.times import HeldTimes, Times, nth
from negsample.errors import InputError, guarded

TRAIN, VALID, TEST = 0, 1, 2
Rule = Literal["timestamp", "paper"]
_WAY_OUT = "use more data, or a smaller validation or test fraction"


class Cut(NamedTuple):
    """The rows after it: those later than ``time``, and of those at ``time`` all but the first ``ties`` in the file."""

    time: int
    ties: int


Cuts = tuple[Cut, Cut]
"""Where validation starts, and where test does."""


class Window(NamedTuple):
    """The part of a log that a fold is: the rows before ``end`` (None: all), split at ``cuts``."""

    cuts: Cuts
    end: int | None


@guarded
def split_by_time(
    times: NDArray[np.int64],
    *,
    rule: Rule,
    valid_fraction: float = 0.05,
    test_fraction: float = 0.05,
) -> NDArray[np.int8]:
    """The part of each of ``n`` rows: 0 train, 1 validation, 2 test.

    ``paper``: in the stable order of time, the last ``ceil(test_fraction * n)`` rows are test and the
    ``ceil(valid_fraction * n)`` before them validation; rows of one time may lie on both sides of a cut.
    ``timestamp``: the test cut is the time of the first test row of ``paper``, and every row from that time on is
    test; the validation cut is the time of the row ``ceil(valid_fraction * n)`` before the test cut, and every row
    from that time on is validation. Every row of train is earlier than every row of validation.

    Args:
        times: (n,) in any unit, rows in file order.
        rule: ``timestamp`` or ``paper``.
        valid_fraction: share of the rows for validation; ``timestamp`` may exceed it.
        test_fraction: share of the rows for test; ``timestamp`` may exceed it.

    Returns:
        (n,) parts, rows as in ``times``.

    Raises:
        InputError: train would come out empty, or a row has no time (NaN, NaT, infinity).
    """
    for name, share in (("valid_fraction", valid_fraction), ("test_fraction", test_fraction)):
        if not 0 < share < 1:
            raise InputError(f"{name} must be above 0 and below 1, got {share}")
    _check_times(times)
    if times.dtype != np.int64:
        times = np.unique(times, return_inverse=True)[1]  # in the same order as the times
    cuts = find_cuts(HeldTimes(times), rule, valid_fraction, test_fraction)
    return np.concatenate([part for _, part in parts_by_block(times, cuts)])


def _check_times(times: NDArray[Any]) -> None:
    """Refuses times that would be sorted after all others, into test."""
    kind = times.dtype.kind
    if kind not in "iufMm":
        raise InputError(f"times must be numbers or moments, got an array of {times.dtype}")
    none = ~np.isfinite(times) if kind in "fMm" else np.zeros(len(times), bool)
    if none.any():
        row = int(none.argmax())
        raise InputError(
            f"{int(none.sum()):,} of {len(times):,} rows have no time, the first in row {row} ({times[row]}); "
            f"leave them out before the split"
        )


def find_cuts(times: Times, rule: Rule, valid_fraction: float, test_fraction: float) -> Cuts:
    """Where :func:`split_by_time` cuts, with the same arguments and errors; a block is in memory."""
    n = len(times)
    test_start = n - _share(test_fraction, n)
    valid_start = test_start - _share(valid_fraction, n)
    if valid_start < 1:
        raise InputError(
            f"too few events to split: {n} events leave none for train after {valid_fraction:g} of them for "
            f"validation and {test_fraction:g} for test (at least one each); {_WAY_OUT}"
        )
    test_time, before_test = nth(times, test_start)
    if rule == "paper":
        valid_time, before_valid = nth(times, valid_start)
        return Cut(valid_time, valid_start - before_valid), Cut(test_time, test_start - before_test)
    valid_start = before_test - _share(valid_fraction, n)
    valid_time, before_valid = nth(times, valid_start) if valid_start > 0 else (test_time, 0)
    if before_valid < 1:
        raise InputError(
            f"too many of the {n} events share their time: {_different(times)}, and no cut between two times leaves "
            f"something for each of train, validation and test; {_WAY_OUT}, or --split paper, which cuts inside ties"
        )
    return Cut(valid_time, 0), Cut(test_time, 0)


def find_windows(times: Times, valid_fraction: float, test_fraction: float, folds: int) -> list[Window]:
    """Of each of ``folds``, the earliest first, where ``timestamp`` splits; test windows follow each other.

    The last fold is split as :func:`split_by_time` splits the whole log. The test window of the one before ends where
    that of the last begins, and so on; shares are of all rows, so that windows are about as large.

    Args:
        times: of n rows.
        valid_fraction: share of the rows for the validation part of each fold.
        test_fraction: share of the rows for each test window.
        folds: how many.

    Raises:
        InputError: train would come out empty in a fold.
    """
    n, end = len(times), None
    before_end, found = n, list[Window]()
    for _ in range(folds):
        start = before_end - _share(test_fraction, n)
        test_time, before_test = nth(times, start) if start > 0 else (0, 0)
        valid_start = before_test - _share(valid_fraction, n)
        valid_time, before_valid = nth(times, valid_start) if valid_start > 0 else (0, 0)
        if before_valid < 1:
            raise InputError(
                f"too few events for {folds} folds: of {n} events {folds} windows of {test_fraction:g} for test, each "
                f"cut between two times, and {valid_fraction:g} for validation before them leave none for the train "
                f"part of the first; use fewer folds, or a smaller validation or test fraction"
            )
        found.append(Window((Cut(valid_time, 0), Cut(test_time, 0)), end))
        end, before_end = test_time, before_test
    return found[::-1]


def parts_by_block(times: NDArray[np.int64], cuts: Cuts) -> Iterator[tuple[slice, NDArray[np.int8]]]:
    """The part of each of n rows in file order, a block at a time."""
    seen = [0, 0]
    for block in slices(len(times)):
        part = np.zeros(block.stop - block.start, np.int8)
        for i, cut in enumerate(cuts):
            after = times[block] >= cut.time
            tied = np.flatnonzero(times[block] == cut.time)
            after[tied[: max(cut.ties - seen[i], 0)]] = False
            seen[i] += len(tied)
            part += after
        yield block, part


def _share(fraction: float, n: int) -> int:
    """``ceil(fraction * n)`` of the decimal number as written: 0.05 of 100 is 5, not 6."""
    return math.ceil(Fraction(str(fraction)) * n)


def _different(times: Times) -> str:
    distinct = len(times.distinct())
    return "all have the same one" if distinct == 1 else f"there are {distinct} different times"
