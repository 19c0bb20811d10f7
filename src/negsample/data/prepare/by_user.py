"""Sort any number of events by user, time and file order: users are partitioned, and each part is sorted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.prepare.events import DTYPES, Events, append, flat_files, map_events


def by_user(events: Iterable[Events], offsets: NDArray[np.int64], folder: Path) -> Iterator[Events]:
    """The same events in the order of user, time and their own, some users at a time.

    In memory are a quarter of a block of events, or those of one user who has more.

    Args:
        events: users from 0, in any order, some events at a time.
        offsets: (U + 1,) where each user's events start when sorted.
        folder: a new one, for as many bytes as the events have; a full disk is an ``OSError``.
    """
    ranges = list(blocks.user_blocks(offsets, max(blocks.BLOCK // 4, 1)))  # smaller ones are sorted faster
    starts = np.append(offsets[[first for first, _ in ranges]], offsets[-1])
    # Of the narrowest type: numpy sorts 16 bits by radix.
    range_U = np.repeat(
        np.arange(len(ranges), dtype=np.min_scalar_type(len(ranges))), [last - first for first, last in ranges]
    )
    _partition(events, range_U, starts, folder)
    partitioned = map_events(folder)
    for start, stop in pairwise(starts):
        some = partitioned.take(slice(start, stop))
        frame = pl.DataFrame({name: np.asarray(column) for name, column in some._asdict().items()})
        yield Events(*(column.to_numpy() for column in frame.sort("users", "times", maintain_order=True)))


def _partition(
    events: Iterable[Events], range_U: NDArray[np.unsignedinteger[Any]], starts: NDArray[np.int64], folder: Path
) -> None:
    """Each range's events from its start on, in the order they come."""
    ends = starts[:-1].copy()
    with flat_files(folder) as files:
        for some in events:
            which = range_U[some.users]
            ordered = some.take(np.argsort(which, kind="stable"))
            counts = np.bincount(which, minlength=len(ends))
            stops = np.cumsum(counts)
            for each in np.flatnonzero(counts):
                for file, dtype in zip(files, DTYPES.values(), strict=True):
                    file.seek(int(ends[each]) * np.dtype(dtype).itemsize)
                append(files, ordered.take(slice(stops[each] - counts[each], stops[each])))
            ends += counts
    assert (ends == starts[1:]).all(), "not the events of these offsets"
