"""What is recommended, whether or not it was right."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def coverage(top_QK: NDArray[np.int64], catalogue_size: int) -> float:
    """Share of the catalogue that is recommended to anybody; ids below 1 are padding."""
    return np.count_nonzero(np.bincount(top_QK[top_QK > 0])) / catalogue_size


def popularity_percentiles(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(V + 1,) share of the other items that an item outdoes by train count, ties by half; index 0 is NaN.

    Its mean over recommended items is the ARP of the field: 1 when only the most popular one is shown.
    """
    items_of_count = np.bincount(counts[1:])
    outdone = np.cumsum(items_of_count) - items_of_count + (items_of_count - 1) / 2
    return np.concatenate([[np.nan], outdone[counts[1:]] / max(len(counts) - 2, 1)])


def event_percentiles(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(V + 1,) share of the train events that are of less popular items, ties by half; index 0 is NaN.

    By it the cohorts are a third each: the tail up to 1/3, the head from 2/3 on.
    """
    ordered = np.sort(counts[1:])
    below = np.concatenate([[0], np.cumsum(ordered)])
    first, last = (np.searchsorted(ordered, counts[1:], side=side) for side in ("left", "right"))
    return np.concatenate([[np.nan], (below[first] + below[last]) / 2 / max(below[-1], 1)])
