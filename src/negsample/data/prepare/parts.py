"""Which part each event is of, and whether the parts follow each other in time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.each import Each, total
from negsample.data.log.part import PARTS
from negsample.data.log.times import iso
from negsample.data.prepare.events import EventColumns
from negsample.data.prepare.order import sort_by
from negsample.data.prepare.pieces import Piece, Values
from negsample.data.split import TEST, TRAIN, VALID, Cut, Cuts, parts_by_block
from negsample.data.times import nth
from negsample.errors import InputError

Parts = NDArray[np.int8]
Ints = NDArray[np.int64]
_NO_FUTURE = "other users' later events were trained on, so figures say nothing about the future"


def by_cuts(pieces: Sequence[Piece], cuts: Cuts, each: Each) -> list[Piece]:
    """``pieces`` with the part of each event, by cuts in time.

    A cut inside of a tie lies behind the first rows of the log that have its time, wherever these are.
    """
    ties = [_ties(pieces, cut, each) for cut in cuts]
    own = [
        (piece, (Cut(cuts[0].time, before_valid), Cut(cuts[1].time, before_test)))
        for piece, before_valid, before_test in zip(pieces, *ties, strict=True)
    ]
    return list(each(_by_own_cuts, own))


def _ties(pieces: Sequence[Piece], cut: Cut, each: Each) -> list[int]:
    """How many events of each piece are of the ``cut.ties`` first ones at its time."""
    if len(pieces) == 1 or not cut.ties:
        return [cut.ties] * len(pieces)
    orders = partial(_orders_at, cut.time)
    first, _ = nth(Values(pieces, orders, each, cut.ties + 1), cut.ties)  # not before the cut any more
    return [int(of_piece) for of_piece in each(partial(_before, first, orders), pieces)]


def _orders_at(time: int, piece: Piece) -> Iterator[Ints]:
    """Of the events at ``time``, a block at a time, where they stand in the log."""
    for some in piece.open().blocks():
        if some.orders is not None:  # there is none
            yield some.orders[some.times == time]


def _before(order: int, of: Callable[[Piece], Iterator[Ints]], piece: Piece) -> int:
    return sum(int((some < order).sum()) for some in of(piece))


def _by_own_cuts(given: tuple[Piece, Cuts]) -> Piece:
    piece, cuts = given
    return with_parts(piece, (part for _, part in parts_by_block(piece.open().times, cuts)))


def of_leave_one_out(piece: Piece) -> Piece:
    """``piece`` with the part of each event by :func:`leave_one_out`."""
    return with_parts(piece, leave_one_out(piece.open(), piece.users))


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


def with_parts(piece: Piece, parts: Iterable[Parts]) -> Piece:
    """``piece`` with its ``parts``, which lie in its place."""
    path = piece.place / "parts"
    with path.open("wb") as file:
        for each in parts:
            file.write(each.data)
    return piece._replace(parts=path)


def in_order_of_parts(piece: Piece) -> Piece:
    """The same events by their parts, else as they come: at one time a user's train events are then before those of
    test."""
    return piece.with_events(sort_by("parts", piece.open().blocks(), piece.events, piece.place), "by part")


def check_order(pieces: Sequence[Piece], name: str, each: Each) -> None:
    """Refuses parts that a log gives where a user has an event of one later than one of the next: the history that an
    event is predicted from would hold what came after it.

    Raises:
        InputError: names the first user, by id, and how many there are, or a part that has no event.
    """
    found = list(each(_wrong_users, pieces))
    for part, there in zip(PARTS, np.any([some for some, _, _ in found], 0), strict=True):
        if not there:
            raise InputError(f"split=given: no event of {name} is of the {part} part; give it all three")
    wrong = sum(count for _, count, _ in found)
    if wrong:
        first = min(user for _, _, user in found if user is not None)
        raise InputError(
            f"split=given: {wrong:,} of {sum(piece.users for piece in pieces):,} users of {name}, such as "
            f"{first!r}, have an event of one part later than one of the next; a history would hold what came after "
            f"the event that is predicted from it; take another --split, such as leave-one-out"
        )


def _wrong_users(piece: Piece) -> tuple[list[bool], int, Any]:
    """Which parts have an event, how many users are out of order, and the first of them."""
    none, never = np.iinfo(np.int64).min, np.iinfo(np.int64).max
    first_PU, last_PU = np.full((3, piece.users), never), np.full((3, piece.users), none)
    for some in piece.open().blocks():
        np.minimum.at(first_PU, (some.parts, some.users), some.times)
        np.maximum.at(last_PU, (some.parts, some.users), some.times)
    after_PU = np.minimum.accumulate(first_PU[::-1])[::-1]
    wrong_U = np.any(last_PU[:-1] > after_PU[1:], 0)
    there = [bool((last_U != none).any()) for last_U in last_PU]
    return there, int(wrong_U.sum()), piece.user_ids().filter(pl.Series(wrong_U)).min() if wrong_U.any() else None


def in_time(pieces: Sequence[Piece], split: str, has_times: bool, each: Each) -> dict[str, Any]:
    """For the manifest: when validation and test start; or, where parts do not follow each other in time, why nothing
    about the future follows from what is measured."""
    if split == "leave-one-out":
        return _starts(None, None, f"Each user's last event is test; {_NO_FUTURE}.")
    if not has_times:
        why = "The log has no times: test events may be earlier than what was trained on, so figures say nothing about"
        return _starts(None, None, f"{why} the future.")
    spans = np.array(list(each(_spans, pieces)))
    first, last = spans[:, 0].min(0), spans[:, 1].max(0)
    if max(last[TRAIN], last[VALID]) > first[TEST]:
        late, of = total(each(partial(_later, (TRAIN, VALID), first[TEST]), pieces))
        why = f"{late:,} of {of:,} train and validation events are later than the first test event; {_NO_FUTURE}."
        return _starts(None, None, why)
    if last[TRAIN] > first[VALID]:
        late, of = total(each(partial(_later, (TRAIN,), first[VALID]), pieces))
        return _starts(
            None,
            None,
            f"{late:,} of {of:,} train events are later than the first validation event, so that what is chosen on "
            f"validation is not chosen for the future; the test events are later than all that is trained on.",
        )
    return _starts(int(first[VALID]), int(first[TEST]), None)


def _spans(piece: Piece) -> tuple[Ints, Ints]:
    """(3,) each, the first time of each part and the last."""
    first, last = np.full(3, np.iinfo(np.int64).max), np.full(3, np.iinfo(np.int64).min)
    for some in piece.open().blocks():
        for part in (TRAIN, VALID, TEST):
            if len(times := some.times[some.parts == part]):
                first[part], last[part] = min(first[part], times.min()), max(last[part], times.max())
    return first, last


def _later(parts: Sequence[int], time: int, piece: Piece) -> tuple[int, int]:
    """How many events of ``parts`` are later than ``time``, and of how many."""
    late = of = 0
    for some in piece.open().blocks():
        times = some.times[np.isin(some.parts, parts)]
        late, of = late + int((times > time).sum()), of + len(times)
    return late, of


def _starts(valid: int | None, test: int | None, why: str | None) -> dict[str, Any]:
    starts = {"valid_start": valid, "test_start": test}
    found: dict[str, Any] = {name: None if time is None else iso(time) for name, time in starts.items()}
    return found if why is None else found | {"not_in_time": why}
