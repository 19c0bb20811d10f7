"""Sort any number of events: by user for a dataset, by item and by time for the index that finds them so.

Users, items or bins of time are partitioned, and each part is sorted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.prepare.events import DTYPES, EventColumns, append, flat_files, map_events, save_columns

Column = NDArray[np.signedinteger[Any]]

INDEX: dict[str, type[np.signedinteger[Any]]] = {
    "item_offsets": np.int64,
    "by_item_times": np.int64,
    "by_time_items": np.int32,
    "by_time_times": np.int64,
}
"""``item_offsets``: (V + 2,) item ``i`` has ``[item_offsets[i], item_offsets[i + 1])`` of ``by_item_times``: (N,) the
times of all events by item, then by time. ``by_time_items``, ``by_time_times``: (N,) all events by time."""
_BINS = 1 << 20  # of time; events of one are sorted at once


def by_user(events: Iterable[EventColumns], offsets: NDArray[np.int64], folder: Path) -> Iterator[EventColumns]:
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
        yield EventColumns(*(column.to_numpy() for column in frame.sort("users", "times", maintain_order=True)))


def _partition(
    events: Iterable[EventColumns], range_U: NDArray[np.unsignedinteger[Any]], starts: NDArray[np.int64], folder: Path
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


def write_index(items: Column, times: Column, width: int, folder: Path, scratch: Path) -> None:
    """The files of ``INDEX`` in ``folder``; in memory are a block of events, and one number an item or bin of time.

    Args:
        items: (N,) item of each event.
        times: (N,) its time.
        width: V + 1.
        folder: where they are written.
        scratch: a folder with room for the events twice; a full disk is an ``OSError``.
    """
    offsets = np.append(0, np.cumsum(blocks.tally(items, width)))
    np.save(folder / "item_offsets.npy", offsets)
    low, high = int(times.min()), int(times.max())
    shift = max((high - low).bit_length() - (_BINS.bit_length() - 1), 0)
    bins = ((high - low) >> shift) + 1
    by_item = by_user(_keyed(items, times, 0, 0), offsets, scratch / "by item")
    save_columns(by_item, len(times), folder, ("by_item_times",))
    counts = np.zeros(bins, np.int64)
    for block in blocks.slices(len(times)):
        counts += np.bincount((times[block] - low) >> shift, minlength=bins)
    by_time = by_user(_keyed(items, times, low, shift, True), np.append(0, np.cumsum(counts)), scratch / "by time")
    save_columns(by_time, len(times), folder, ("by_time_items", "by_time_times"))


def _keyed(items: Column, times: Column, low: int, shift: int, by_time: bool = False) -> Iterator[EventColumns]:
    """The events a block at a time, with what they are sorted by in the place of their users."""
    for block in blocks.slices(len(times)):
        some, moments = items[block].astype(np.uint32), np.asarray(times[block])
        key = ((moments - low) >> shift).astype(np.uint32) if by_time else some
        yield EventColumns(key, some, moments)
