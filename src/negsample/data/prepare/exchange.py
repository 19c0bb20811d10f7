"""The files of a log become pieces by user: each file is sorted by user, and each piece takes its stretch of each.

Nobody holds all users or all events. Ids of items are put together by one process, which every other one reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.blocks import tally
from negsample.data.each import Each
from negsample.data.log.read import Log
from negsample.data.prepare.events import (
    DTYPES,
    EventColumns,
    check_ids,
    check_weight,
    map_columns,
    read_events,
    save_columns,
)
from negsample.data.prepare.order import in_blocks, sort_by
from negsample.data.prepare.pieces import Piece, read_ids, write_ids

_MARKS = 2048
"""A file is divided at so many users at most: pieces are as large as they should be up to a share of it."""


class _File(NamedTuple):
    """A file of the log, its events by user: in ``place`` are the columns, the ids of its users and items in their
    order, and where each user's events begin. ``marks``: some of the users, and how many events are from each to the
    next. ``weight``: the sum of all weights."""

    place: Path
    events: int
    weighted: bool
    weight: int
    marks: pl.DataFrame

    def columns(self) -> dict[str, Path]:
        names = [*DTYPES, "orders", *(["weights"] if self.weighted else [])]
        return {name: self.place / name for name in names}


class _Cut(NamedTuple):
    """Where the pieces begin and end in the users of a file."""

    file: _File
    users: list[int]


def pieces_of(log: Log, given: bool, scratch: Path, each: Each, most: int) -> tuple[list[Piece], pl.Series]:
    """The events of a log, in pieces of about ``most`` (one user's are never divided), and the ids of items by code.

    Args:
        log: its files are read by ``each``.
        given: with the parts that it says; events are then in the order of these.
        scratch: an empty folder that all processes see, with room for about 80 bytes an event.
        each: calls a function for each file, and for each piece.
        most: events of a piece.

    Raises:
        InputError: as of :func:`~negsample.data.prepare.events.read_events`.
    """
    place = scratch / "files"
    place.mkdir()
    alone = log._replace(frames=())
    logs = [(alone._replace(frame=frame), place / str(number)) for number, frame in enumerate(log.frames)]
    files = list(each(partial(_read, given), logs))
    check_weight(log, sum(file.weight for file in files))
    events = sum(file.events for file in files)
    bounds = _bounds([file.marks for file in files], -(-events // most))
    (items,) = each(_all_items, [[file.place for file in files]])
    check_ids("item", items)
    cuts = list(each(partial(_cut, bounds, place.parent / "items"), files))
    gather = partial(_gather, cuts, given, scratch)
    pieces = list(each(gather, range(len(bounds) + 1)))
    check_ids("user", sum(piece.users for piece in pieces))
    rmtree(place)
    return pieces, read_ids(scratch / "items")


def _read(given: bool, asked: tuple[Log, Path]) -> _File:
    """A file, by user and by the order of its rows."""
    log, place = asked
    rmtree(place, ignore_errors=True)  # of a worker that was lost
    place.mkdir()
    rows = read_events(log, place / "read", given=given)
    number_U, number_V = _in_order(rows.user_ids, place / "user ids"), _in_order(rows.item_ids, place / "item ids")
    n, at = len(rows.events.times), 0

    def numbered() -> Iterator[EventColumns]:
        nonlocal at
        for some in rows.events.blocks():
            orders = np.arange(at, at + len(some.times))
            at += len(orders)
            yield some._replace(users=number_U[some.users], items=number_V[some.items], orders=orders)

    file = _File(place, n, rows.events.weights is not None, rows.weight, pl.DataFrame())
    save_columns(sort_by("users", numbered(), n, place), n, file.columns())
    offsets = np.append(0, np.cumsum(tally(map_columns(file.columns()).users, len(number_U))))
    np.save(place / "offsets.npy", offsets)
    rmtree(place / "read")
    first = np.unique(np.searchsorted(offsets, np.arange(0, n, -(-n // _MARKS) or 1), "right") - 1)
    ids = read_ids(place / "user ids").gather(first)
    return file._replace(marks=pl.DataFrame({"id": ids, "events": np.diff(np.append(offsets[first], n))}))


def _in_order(ids: pl.Series, path: Path) -> NDArray[np.uint32]:
    """The place of each code among the ids in their order, which are written to ``path``."""
    order = ids.arg_sort()
    write_ids(ids.gather(order), path)
    places = np.zeros(len(ids), np.uint32)
    places[order.to_numpy()] = np.arange(len(ids))
    return places


def _bounds(marks: Sequence[pl.DataFrame], pieces: int) -> pl.Series:
    """The first user of each piece but the first one, so that pieces have about as many events."""
    every = pl.concat(marks).group_by("id").agg(pl.col("events").sum()).sort("id")
    ends = every["events"].cum_sum().to_numpy()
    wanted = [int(ends[-1]) * number // pieces for number in range(1, pieces)]
    found = np.unique(np.searchsorted(ends - every["events"].to_numpy(), wanted))
    return every["id"].gather(found[(found > 0) & (found < len(every))])


def _all_items(files: Sequence[Path]) -> int:
    """How many items all files have together; their ids are written beside the files' folder, in their order."""
    ids = read_ids(files[0] / "item ids")
    for file in files[1:]:
        ids = pl.concat([ids, read_ids(file / "item ids")]).unique()
    write_ids(ids.sort(), files[0].parents[1] / "items")
    return len(ids)


def _cut(bounds: pl.Series, items: Path, file: _File) -> _Cut:
    """Where the users of each piece begin in a file; the place of its items among all items is saved."""
    np.save(file.place / "all items.npy", read_ids(items).search_sorted(read_ids(file.place / "item ids")).to_numpy())
    users = read_ids(file.place / "user ids")
    return _Cut(file, [0, *users.search_sorted(bounds).to_list(), len(users)])


def _gather(cuts: Sequence[_Cut], given: bool, scratch: Path, number: int) -> Piece:
    """A piece: its events in the order of the log, or of its parts and then of the log; its users by id."""
    place = scratch / f"piece {number}"
    rmtree(place, ignore_errors=True)
    place.mkdir()
    of_files = [
        pl.scan_ipc(cut.file.place / "user ids", glob=False).slice(first, last - first)
        for cut in cuts
        for first, last in [cut.users[number : number + 2]]
    ]
    own = [ids.collect()["id"] for ids in of_files]
    ids = pl.concat(own).unique().sort()
    write_ids(ids, place / "users")
    before = np.cumsum([cut.file.events for cut in cuts])
    parts = int(before[-1]) if given else 0

    def events() -> Iterator[EventColumns]:
        for cut, users, end in zip(cuts, own, before.tolist(), strict=True):
            yield from _stretch(cut, number, ids.search_sorted(users).to_numpy(), end - cut.file.events, parts)

    offsets = [np.load(cut.file.place / "offsets.npy", mmap_mode="r")[cut.users[number : number + 2]] for cut in cuts]
    n = int(sum(end - begin for begin, end in offsets))
    piece = Piece(place, place, len(ids), n)
    return piece.with_events(sort_by("orders", in_blocks(events()), n, place), "read")


def _stretch(
    cut: _Cut, number: int, users: NDArray[np.unsignedinteger[Any]], before: int, parts: int
) -> Iterator[EventColumns]:
    """The events of a piece that are in a file, a block at a time, by user.

    Args:
        cut: where they are.
        number: of the piece.
        users: the code in the piece of each of its users that the file has.
        before: rows of the log before the file.
        parts: by how much a part is behind the one before it in the order.
    """
    place, (first, last) = cut.file.place, cut.users[number : number + 2]
    offsets, items = (np.load(place / f"{name}.npy", mmap_mode="r") for name in ("offsets", "all items"))
    for start in range(int(offsets[first]), int(offsets[last]), blocks.BLOCK):
        some = map_columns(cut.file.columns()).take(slice(start, min(start + blocks.BLOCK, int(offsets[last]))))
        assert some.orders is not None
        orders = some.orders + before + parts * some.parts.astype(np.int64)
        yield some._replace(users=users[some.users - first], items=items[some.items], orders=orders)
