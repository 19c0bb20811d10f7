"""A log in pieces: all events of a user are in one, so that what is done with each can be done anywhere.

A log that is prepared here is one piece. On a cluster it is as many as its users are divided into, and rules are the
same functions: what they need of other pieces is a sum over all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data.each import Each, total
from negsample.data.prepare.events import EventColumns, append, flat_files, map_events
from negsample.data.times import counts_of, distinct_of, span_of

Ints = NDArray[np.int64]


class Piece(NamedTuple):
    """Events in files of ``stored``, in the order of the log: all that some users have.

    ``place``: a folder for what is made of them, with the ids of the users by code. ``events``, ``users``: how many
    there are. ``parts``: a file with the part of each event, where that is known.
    """

    place: Path
    stored: Path
    users: int
    events: int
    parts: Path | None = None

    def open(self) -> EventColumns:
        """The events, mapped; users are codes of the piece, items those of the log."""
        found = map_events(self.stored)
        if self.parts is None or not self.events:
            return found
        return found._replace(parts=np.memmap(self.parts, np.int8, mode="r"))

    def user_ids(self) -> pl.Series:
        """(users,) the log's id of each code."""
        return read_ids(self.place / "users")

    def with_events(self, events: Iterable[EventColumns], name: str) -> Piece:
        """The same with these events in place of its own, in a folder ``name`` of its place."""
        written = 0
        with flat_files(self.place / name) as files:
            for some in events:
                append(files, some)
                written += len(some.times)
        return self._replace(stored=self.place / name, parts=None, events=written)


def first_piece(place: Path, stored: Path, user_ids: pl.Series) -> Piece:
    """A piece of the events in the folder ``stored``, with its ids in ``place``."""
    write_ids(user_ids, place / "users")
    return Piece(place, stored, len(user_ids), (stored / "times").stat().st_size // 8)


def write_ids(ids: pl.Series, path: Path) -> None:
    """Ids in a file of Arrow."""
    ids.alias("id").to_frame().write_ipc(path, compression="uncompressed")


def read_ids(path: Path) -> pl.Series:
    """Those of :func:`write_ids`."""
    return pl.scan_ipc(path, glob=False).collect()["id"]


def events_of(pieces: Sequence[Piece]) -> int:
    """How many events there are."""
    return sum(piece.events for piece in pieces)


class Values(NamedTuple):
    """A number of each event of some pieces, such as its time: :class:`~negsample.data.split.Times` of all of them.

    ``of``: those of a piece, a block at a time. ``n``: how many there are.
    """

    pieces: Sequence[Piece]
    of: Callable[[Piece], Iterator[Ints]]
    each: Each
    n: int

    def __len__(self) -> int:
        return self.n

    def span(self) -> tuple[int, int]:
        """See :class:`~negsample.data.split.Times`."""
        lows, highs = zip(*self.each(partial(_span, self.of), self.pieces), strict=True)
        return min(lows), max(highs)

    def counts(self, low: int, high: int, shift: int) -> Ints:
        """See :class:`~negsample.data.split.Times`."""
        found: Ints = total(self.each(partial(_counts, self.of, low, high, shift), self.pieces))
        return found

    def distinct(self) -> Ints:
        """See :class:`~negsample.data.split.Times`."""
        return distinct_of(self.each(partial(_distinct, self.of), self.pieces))


def times_of(piece: Piece) -> Iterator[Ints]:
    """The times of a piece, a block at a time."""
    return (some.times for some in piece.open().blocks())


def times(pieces: Sequence[Piece], each: Each) -> Values:
    """The times of all events."""
    return Values(pieces, times_of, each, events_of(pieces))


def _span(of: Callable[[Piece], Iterator[Ints]], piece: Piece) -> tuple[int, int]:
    return span_of(of(piece))


def _counts(of: Callable[[Piece], Iterator[Ints]], low: int, high: int, shift: int, piece: Piece) -> Ints:
    return counts_of(of(piece), low, high, shift)


def _distinct(of: Callable[[Piece], Iterator[Ints]], piece: Piece) -> Ints:
    return distinct_of(of(piece))
