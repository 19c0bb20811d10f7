"""Which rows of a log are kept, and which part each is of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data.blocks import tally
from negsample.data.each import Each, here, total
from negsample.data.log.read import Log
from negsample.data.prepare.events import check_weight, read_events
from negsample.data.prepare.filters import filtered
from negsample.data.prepare.parts import by_cuts, check_order, in_order_of_parts, in_time, of_leave_one_out
from negsample.data.prepare.pieces import Piece, first_piece, times
from negsample.data.split import TRAIN, find_cuts, find_windows
from negsample.errors import InputError
from negsample.settings import BY_SHARES, PrepareSettings

Ints = NDArray[np.int64]


class Selection(NamedTuple):
    """The rows of ``pieces``, which know their parts, whose item is ``kept``; users and items are codes.

    ``kept``: by item code. ``train_counts``: train events by item code, or their weights. ``item_ids``: of the whole
    log, by code. ``notes``: on rows that are left out. ``facts``: for the manifest.
    """

    pieces: list[Piece]
    kept: NDArray[np.bool_]
    train_counts: Ints
    item_ids: pl.Series
    notes: list[str]
    facts: dict[str, Any]


def select(log: Log, settings: PrepareSettings, scratch: Path) -> Selection:
    """Reads ``log`` into flat files in ``scratch``, filters and splits it, and leaves out cold items.

    A log that cannot be read, or leaves too little to split, is refused; a full disk is an ``OSError``.
    """
    check_times(log, settings)
    piece, item_ids = _read(log, scratch, given=settings.split == "given")
    return select_of([piece], item_ids, log, settings, here)


def select_of(
    pieces: Sequence[Piece], item_ids: pl.Series, log: Log, settings: PrepareSettings, each: Each
) -> Selection:
    """The same of the pieces of a log that was read."""
    if settings.split == "given":
        pieces = list(each(in_order_of_parts, pieces))
    pieces, notes = filtered(pieces, len(item_ids), settings, log.name, each)
    if settings.split == "given":
        check_order(pieces, log.name, each)
    elif settings.split == "leave-one-out":
        pieces = list(each(of_leave_one_out, pieces))
    else:
        shares = settings.valid_fraction, settings.test_fraction
        pieces = by_cuts(pieces, find_cuts(times(pieces, each), settings.split, *shares), each)
    return _split(pieces, settings, item_ids, notes, log.has_times, each)


def select_folds(log: Log, settings: PrepareSettings, folds: int, scratch: Path) -> Iterator[Selection]:
    """The same of each fold of ``log``, the earliest first; one lies in ``scratch`` at a time.

    A fold is made of the events before the end of its test window alone: what is rare or cold is counted in these.
    Where windows lie is found in what :func:`select` would keep of the whole log.
    """
    check_times(log, settings)
    piece, item_ids = _read(log, scratch)
    size = len(item_ids)
    with _emptied(scratch / "whole", piece) as every:
        kept = filtered([every], size, settings, log.name, here)[0]
        windows = find_windows(times(kept, here), settings.valid_fraction, settings.test_fraction, folds)
    for window in windows:
        with _emptied(scratch / "fold", piece) as every:
            pieces, notes = filtered([_before(every, window.end)], size, settings, log.name, here)
            yield _split(by_cuts(pieces, window.cuts, here), settings, item_ids, notes, True, here)


def _read(log: Log, scratch: Path, given: bool = False) -> tuple[Piece, pl.Series]:
    """A log as one piece, and the ids of its items by code."""
    rows = read_events(log, scratch / "read", given=given)
    check_weight(log, rows.weight)
    return first_piece(scratch, scratch / "read", rows.user_ids), rows.item_ids


def check_times(log: Log, settings: PrepareSettings) -> None:
    """Refuses what needs times of a log that has none."""
    if not log.has_times and settings.split in BY_SHARES:
        raise InputError(
            f"log {log.name} has no times, and split={settings.split} cuts in time; take split=leave-one-out "
            f"(--split leave-one-out), which takes each user's last event for test"
        )
    if not log.has_times and settings.drop_duplicates:
        raise InputError(
            f"log {log.name} has no times, so that no event of it is an exact duplicate; leave out drop_duplicates, or "
            f"take drop_repeats"
        )


@contextmanager
def _emptied(folder: Path, piece: Piece) -> Iterator[Piece]:
    """``piece`` with a place of its own as long as the block lasts."""
    folder.mkdir()
    try:
        yield first_piece(folder, piece.stored, piece.user_ids())
    finally:
        rmtree(folder)  # what is mapped outlives its name


def _before(piece: Piece, end: int | None) -> Piece:
    """The events earlier than ``end``; None: all."""
    if end is None:
        return piece
    return piece.with_events((some.take(some.times < end) for some in piece.open().blocks()), "before")


def _split(
    pieces: Sequence[Piece],
    settings: PrepareSettings,
    item_ids: pl.Series,
    notes: list[str],
    has_times: bool,
    each: Each,
) -> Selection:
    """Events with their parts, but for those of cold items, where these are to be dropped."""
    train_counts, counts = total(each(partial(_counts, len(item_ids)), pieces))
    kept = np.ones(len(item_ids), bool) if settings.cold == "keep" else train_counts > 0
    dropped = counts[~kept]
    facts = {
        "dropped_cold_items": int((dropped > 0).sum()),
        "dropped_cold_events": int(dropped.sum()),
    } | in_time(pieces, settings.split, has_times, each)
    return Selection(list(pieces), kept, train_counts, item_ids, notes, facts)


def _counts(items: int, piece: Piece) -> tuple[Ints, Ints]:
    """(items,) each, the train events of each, or their weights, and all its events."""
    train_counts, events = np.zeros(items, np.int64), piece.open()
    for some in events.blocks():
        train = some.take(some.parts == TRAIN)
        np.add.at(train_counts, train.items, 1 if train.weights is None else train.weights)
    return train_counts, tally(events.items, items)
