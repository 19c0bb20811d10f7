"""Which part each event is of, and whether the parts follow each other in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.log.times import iso
from negsample.data.prepare.events import EventColumns
from negsample.data.split import TEST, TRAIN, VALID, Cuts, parts_by_block

Parts = NDArray[np.int8]
Ints = NDArray[np.int64]
_NO_FUTURE = "other users' later events were trained on, so figures say nothing about the future"


def parts_by_cuts(events: EventColumns, cuts: Cuts) -> Iterator[Parts]:
    """The part of each event, a block at a time, by a cut in time."""
    return (part for _, part in parts_by_block(events.times, cuts))


def leave_one_out(events: EventColumns, users: int) -> Iterator[Parts]:
    """The same: each user's last event is test, the one before it validation; users with fewer than three have train
    alone. Later is later in time, and at one time in the order of rows. In memory are four numbers a user, and a block.
    """
    times_LU, rows_LU = np.zeros((2, users), np.int64), np.full((2, users), -1)  # of the last event but one, and last
    counts = np.zeros(users, np.int64)
    for block in blocks.slices(len(events.times)):
        some = events.take(block)
        order = np.lexsort((some.times, some.users))
        who = some.users[order]
        last = np.flatnonzero(np.append(who[1:] != who[:-1], True))
        lengths = np.diff(last, prepend=-1)
        who = who[last]
        rows = np.stack([np.where(lengths > 1, order[last - 1] + block.start, -1), order[last] + block.start])
        times = some.times[np.maximum(rows - block.start, 0)]
        rows, times = np.concatenate([rows_LU[:, who], rows]), np.concatenate([times_LU[:, who], times])
        latest = np.lexsort((rows, times, rows >= 0), axis=0)[2:]
        rows_LU[:, who], times_LU[:, who] = (np.take_along_axis(each, latest, 0) for each in (rows, times))
        counts[who] += lengths
    valid, test = (np.sort(rows) for rows in rows_LU[:, counts >= 3])
    for block in blocks.slices(len(events.times)):
        part = np.full(block.stop - block.start, TRAIN, np.int8)
        for rows, of in ((valid, VALID), (test, TEST)):
            part[rows[slice(*np.searchsorted(rows, [block.start, block.stop]))] - block.start] = of
        yield part


def with_parts(events: EventColumns, parts: Iterable[Parts], place: Path) -> EventColumns:
    """``events`` with their ``parts``, which lie at ``place``."""
    with place.open("xb") as file:
        for each in parts:
            file.write(each.data)
    return events._replace(parts=np.memmap(place, np.int8, mode="r"))


def in_time(events: EventColumns, split: str) -> dict[str, Any]:
    """For the manifest: when validation and test start; or, where parts do not follow each other in time, why nothing
    about the future follows from what is measured."""
    if split == "leave-one-out":
        return _not_in_time(f"Each user's last event is test; {_NO_FUTURE}.")
    first, last = np.full(3, np.iinfo(np.int64).max), np.full(3, np.iinfo(np.int64).min)
    for some in events.blocks():
        for part in (TRAIN, VALID, TEST):
            if len(times := some.times[some.parts == part]):
                first[part], last[part] = min(first[part], times.min()), max(last[part], times.max())
    return {"valid_start": iso(int(first[VALID])), "test_start": iso(int(first[TEST]))}


def _not_in_time(why: str) -> dict[str, Any]:
    return {"valid_start": None, "test_start": None, "not_in_time": why}
