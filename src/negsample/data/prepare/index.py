"""Files that find events by item or by time: the same events as a dataset's, in two other orders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.prepare.by_user import by_user
from negsample.data.prepare.events import Events

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
    low, high = _ends(times)
    shift = max((high - low).bit_length() - (_BINS.bit_length() - 1), 0)
    bins = ((high - low) >> shift) + 1
    by_item = by_user(_keyed(items, times, 0, 0), offsets, scratch / "by item")
    write_columns(by_item, len(times), {"by_item_times": folder / "by_item_times.npy"})
    counts = np.zeros(bins, np.int64)
    for block in blocks.slices(len(times)):
        counts += np.bincount((times[block] - low) >> shift, minlength=bins)
    by_time = by_user(_keyed(items, times, low, shift, True), np.append(0, np.cumsum(counts)), scratch / "by time")
    write_columns(by_time, len(times), {name: folder / f"{name}.npy" for name in ("by_time_items", "by_time_times")})


def _ends(times: Column) -> tuple[int, int]:
    return int(times.min()), int(times.max())


def _keyed(items: Column, times: Column, low: int, shift: int, by_time: bool = False) -> Iterator[Events]:
    """The events a block at a time, with what they are sorted by in the place of their users."""
    for block in blocks.slices(len(times)):
        some, moments = items[block].astype(np.uint32), np.asarray(times[block])
        key = ((moments - low) >> shift).astype(np.uint32) if by_time else some
        yield Events(key, some, moments)


def write_columns(events: Iterator[Events], n: int, paths: dict[str, Path]) -> None:
    """Columns of ``n`` events as ``np.save`` writes them; by name, of which the last word says which column it is."""
    files = {name: path.open("xb") for name, path in paths.items()}
    try:
        for name, file in files.items():
            header = {"descr": np.dtype(INDEX[name]).str, "fortran_order": False, "shape": (n,)}
            np.lib.format.write_array_header_1_0(file, header)
        for some in events:
            for name, file in files.items():
                column = getattr(some, name.rpartition("_")[2])
                file.write(np.ascontiguousarray(column, INDEX[name]).data)
    finally:
        for file in files.values():
            file.close()
