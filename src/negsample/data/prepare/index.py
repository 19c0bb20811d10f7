"""Files that find events by item or by time: the same events as a dataset's, in two other orders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.prepare.by_user import by_user
from negsample.data.prepare.events import Events, save_columns

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


def _keyed(items: Column, times: Column, low: int, shift: int, by_time: bool = False) -> Iterator[Events]:
    """The events a block at a time, with what they are sorted by in the place of their users."""
    for block in blocks.slices(len(times)):
        some, moments = items[block].astype(np.uint32), np.asarray(times[block])
        key = ((moments - low) >> shift).astype(np.uint32) if by_time else some
        yield Events(key, some, moments)
