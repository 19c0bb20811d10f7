"""Which part each event is of, and whether the parts follow each other in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.log.part import PARTS
from negsample.data.log.times import iso
from negsample.data.prepare.events import EventColumns, append, flat_files, map_events
from negsample.data.prepare.order import sort_by
from negsample.data.split import TEST, TRAIN, VALID, Cuts, parts_by_block
from negsample.errors import InputError

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


def in_order_of_parts(events: EventColumns, scratch: Path) -> EventColumns:
    """``events`` by their parts, else as they come: at one time a user's train events are then before those of test."""
    with flat_files(scratch / "by part") as files:
        for some in sort_by("parts", events.blocks(), len(events.times), scratch):
            append(files, some)
    return map_events(scratch / "by part")


def check_order(events: EventColumns, user_ids: pl.Series, name: str) -> None:
    """Refuses parts that a log gives where a user has an event of one later than one of the next: the history that an
    event is predicted from would hold what came after it.

    Raises:
        InputError: names the first user and how many there are, or a part that has no event.
    """
    none, never = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    first_PU, last_PU = np.full((3, len(user_ids)), never), np.full((3, len(user_ids)), none)
    for some in events.blocks():
        np.minimum.at(first_PU, (some.parts, some.users), some.times)
        np.maximum.at(last_PU, (some.parts, some.users), some.times)
    for part, last_U in zip(PARTS, last_PU, strict=True):
        if (last_U == none).all():
            raise InputError(f"split=given: no event of {name} is of the {part} part; give it all three")
    after_PU = np.minimum.accumulate(first_PU[::-1])[::-1]
    wrong_U = (last_PU[:-1] > after_PU[1:]).any(0)
    if wrong_U.any():
        raise InputError(
            f"split=given: {int(wrong_U.sum()):,} of {len(user_ids):,} users of {name}, such as "
            f"{user_ids[int(wrong_U.argmax())]!r}, have an event of one part later than one of the next; a history "
            f"would hold what came after the event that is predicted from it; take another --split, such as "
            f"leave-one-out"
        )


def in_time(events: EventColumns, split: str, has_times: bool) -> dict[str, Any]:
    """For the manifest: when validation and test start; or, where parts do not follow each other in time, why nothing
    about the future follows from what is measured."""
    if split == "leave-one-out":
        return _starts(None, None, f"Each user's last event is test; {_NO_FUTURE}.")
    if not has_times:
        why = "The log has no times: test events may be earlier than what was trained on, so figures say nothing about"
        return _starts(None, None, f"{why} the future.")
    first, last = np.full(3, np.iinfo(np.int64).max), np.full(3, np.iinfo(np.int64).min)
    for some in events.blocks():
        for part in (TRAIN, VALID, TEST):
            if len(times := some.times[some.parts == part]):
                first[part], last[part] = min(first[part], times.min()), max(last[part], times.max())
    if max(last[TRAIN], last[VALID]) > first[TEST]:
        late, of = _later(events, (TRAIN, VALID), first[TEST])
        why = f"{late:,} of {of:,} train and validation events are later than the first test event; {_NO_FUTURE}."
        return _starts(None, None, why)
    if last[TRAIN] > first[VALID]:
        late, of = _later(events, (TRAIN,), first[VALID])
        return _starts(
            None,
            None,
            f"{late:,} of {of:,} train events are later than the first validation event, so that what is chosen on "
            f"validation is not chosen for the future; the test events are later than all that is trained on.",
        )
    return _starts(int(first[VALID]), int(first[TEST]), None)


def _later(events: EventColumns, parts: Sequence[int], time: int) -> tuple[int, int]:
    """How many events of ``parts`` are later than ``time``, and of how many."""
    late = of = 0
    for some in events.blocks():
        times = some.times[np.isin(some.parts, parts)]
        late, of = late + int((times > time).sum()), of + len(times)
    return late, of


def _starts(valid: int | None, test: int | None, why: str | None) -> dict[str, Any]:
    starts = {"valid_start": valid, "test_start": test}
    found: dict[str, Any] = {name: None if time is None else iso(time) for name, time in starts.items()}
    return found if why is None else found | {"not_in_time": why}
