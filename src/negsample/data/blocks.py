"""Stretches of arrays: blocks of those longer than memory, and many short ones at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.signedinteger[Any]]
BLOCK = 1 << 22  # events held at once


def slices(n: int) -> Iterator[slice]:
    """``[0, n)`` in slices of at most ``BLOCK``."""
    for start in range(0, n, BLOCK):
        yield slice(start, min(start + BLOCK, n))


def user_blocks(offsets: NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    """``[first, last)`` of users, in turn, who have at most ``most`` events together; or one user alone.

    ``offsets``: (U + 1,) where each user's events start.
    """
    first, users = 0, len(offsets) - 1
    while first < users:
        last = int(np.searchsorted(offsets, offsets[first] + most, side="right")) - 1
        last = max(last, first + 1)
        yield first, last
        first = last


def tally(codes: NDArray[Any], size: int) -> NDArray[np.int64]:
    """(size,) how often each of ``0..size - 1`` occurs in ``codes``."""
    counts = np.zeros(size, np.int64)
    for block in slices(len(codes)):
        np.add.at(counts, codes[block], 1)
    return counts


def spans(
    starts: NDArray[np.signedinteger[Any]], lengths: NDArray[np.signedinteger[Any]]
) -> NDArray[np.signedinteger[Any]]:
    """The indices of all stretches ``[start, start + length)``, one after another."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(total)
