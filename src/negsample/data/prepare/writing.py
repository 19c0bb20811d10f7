"""The events of a selection as the arrays of a dataset: numbered, sorted, and each written in its place."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data.each import Each
from negsample.data.prepare.events import EventColumns, make_array, write_array
from negsample.data.prepare.merging import merge
from negsample.data.prepare.order import make_of_users, write_sorted
from negsample.data.prepare.pieces import Piece, read_ids, write_ids
from negsample.data.prepare.selection import Selection

Codes = NDArray[np.uint32]
Ints = NDArray[np.int64]
OF_USERS = ("train_ends", "valid_ends")


class Place(NamedTuple):
    """Where the events of a piece lie in a dataset: those of ``users``, from the user ``first_user`` on, and from the
    event ``first_event`` on."""

    piece: Piece
    first_user: int
    users: int
    first_event: int
    events: int

    def user_ids(self) -> pl.Series:
        """The ids of these users."""
        return read_ids(self.piece.place / "kept ids")


def write_arrays(
    chosen: Selection, folder: Path, weighted: bool, each: Each, most: int
) -> tuple[list[Place], pl.Series, pl.Series]:
    """The arrays of a :class:`~negsample.data.dataset.Dataset` in ``folder``; where each piece is in them; and the ids
    of users and items by number.

    Args:
        chosen: what is written.
        folder: empty.
        weighted: the events have weights.
        each: calls a function for each piece.
        most: events of several pieces that are merged at once.
    """
    places, items_V = _places(chosen, each)
    items = _in_order(chosen.item_ids, items_V > 0)
    users, events = sum(place.users for place in places), sum(place.events for place in places)
    make_of_users(folder, events, weighted)
    make_array(folder / "offsets", np.dtype(np.int64), users + 1)
    for name in OF_USERS:
        make_array(folder / name, np.dtype(np.int64), users)
    np.save(folder / "train_counts.npy", np.append(0, chosen.train_counts[items]))
    np.save(folder / "item_offsets.npy", np.append([0, 0], np.cumsum(items_V[items])))
    several = len(places) > 1
    done = list(each(partial(_write, chosen.kept, items, folder, several), places))
    if several:
        merge(done, events, folder, each, most)
    user_ids = pl.concat([place.user_ids() for place in places], rechunk=True)
    return places, user_ids, chosen.item_ids.gather(items)


def _places(chosen: Selection, each: Each) -> tuple[list[Place], Ints]:
    """Where each piece will be, and how many events each item has."""
    found, user, event, items_V = list[Place](), 0, 0, np.zeros(len(chosen.item_ids), np.int64)
    sizes = each(partial(_sizes, chosen.kept), chosen.pieces)
    for piece, (users, of_piece_V) in zip(chosen.pieces, sizes, strict=True):
        events = int(of_piece_V.sum())
        found.append(Place(piece, user, users, event, events))
        user, event, items_V = user + users, event + events, items_V + of_piece_V
    return found, items_V


def _sizes(kept: NDArray[np.bool_], piece: Piece) -> tuple[int, Ints]:
    """How many users and (V,) events of each item are left, where items are ``kept``.

    Of each user that is left the code and the events of each part are saved, by id, and the ids.
    """
    parts_UP, items_V = np.zeros((piece.users, 3), np.int64), np.zeros(len(kept), np.int64)
    for some in piece.open().blocks():
        stay = some.take(kept[some.items])
        np.add.at(parts_UP.ravel(), 3 * stay.users.astype(np.int64) + stay.parts, 1)
        np.add.at(items_V, stay.items, 1)
    ids = piece.user_ids()
    users = _in_order(ids, parts_UP.sum(1) > 0)
    np.save(piece.place / "kept users.npy", users)
    np.save(piece.place / "kept parts.npy", parts_UP[users])
    write_ids(ids.gather(users), piece.place / "kept ids")
    return len(users), items_V


def _in_order(ids: pl.Series, used: NDArray[np.bool_]) -> Codes:
    """The codes in use, by their ids: numbers by value, text by bytes."""
    order: Codes = ids.arg_sort().to_numpy()
    return order[used[order]]


def _write(kept: NDArray[np.bool_], items: Codes, folder: Path, several: bool, place: Place) -> Path:
    """What of the dataset is by user in its place, and by item and by time too, if this is not one of several pieces.
    Of these it is in the folder that is returned."""
    piece, at = place.piece, place.first_event
    users, parts_UP = (np.load(piece.place / f"kept {name}.npy") for name in ("users", "parts"))
    ends = at + np.cumsum(parts_UP.sum(1))
    starts = ends - parts_UP.sum(1)
    write_array(ends, folder / "offsets", place.first_user + 1)
    write_array(starts + parts_UP[:, 0], folder / "train_ends", place.first_user)
    write_array(starts + parts_UP[:, :2].sum(1), folder / "valid_ends", place.first_user)
    others = piece.place / "sorted" if several else folder
    others.mkdir(exist_ok=True)
    number_U, number_V = np.zeros(piece.users, np.uint32), np.zeros(len(kept), np.uint32)
    number_U[users] = np.arange(len(users))
    number_V[items] = np.arange(1, len(items) + 1)
    if several:
        items_V = np.zeros(len(items) + 1, np.int64)
        for some in _numbered(piece, kept, number_U, number_V):
            np.add.at(items_V, some.items, 1)
        np.save(others / "item_offsets.npy", np.append(0, np.cumsum(items_V)))
    events = _numbered(piece, kept, number_U, number_V)
    names = [name for name in piece.open().names if name != "orders"] + (["orders"] if several else [])
    write_sorted(events, place.events, piece.events, others, piece.place, names=names, of_users=folder, at=at)
    return others


def _numbered(piece: Piece, kept: NDArray[np.bool_], number_U: Codes, number_V: Codes) -> Iterator[EventColumns]:
    """The rows that are kept, a block at a time, with numbers for codes."""
    for some in piece.open().blocks():
        stay = some.take(kept[some.items])
        yield stay._replace(users=number_U[stay.users], items=number_V[stay.items])
