"""Datasets made of arrays, without a folder: what they know at a time is sorted here, in the obvious way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negsample.data.dataset import Dataset
from negsample.data.known import Known

Ints = NDArray[np.signedinteger[Any]]


def known_of(items: Ints, times: Ints, catalogue_size: int) -> Known:
    """What events say about a time."""
    by_item, by_time = np.lexsort((times, items)), np.argsort(times, kind="stable")
    offsets = np.append(0, np.cumsum(np.bincount(items, minlength=catalogue_size + 1)))
    return Known(offsets, times[by_item], items[by_time], times[by_time])


def with_events(data: Dataset, items: Ints, times: Ints, **others: Ints) -> Dataset:
    """``data`` with other events, and so with ``others`` of its arrays."""
    return replace(data, items=items, times=times, known=known_of(items, times, data.catalogue_size), **others)
