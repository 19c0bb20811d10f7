"""Which rows of a log are kept, and which part each is of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data.blocks import tally
from negsample.data.log.read import Log
from negsample.data.prepare.events import EventColumns, append, flat_files, map_events, read_events
from negsample.data.prepare.filters import filtered
from negsample.data.prepare.parts import (
    check_order,
    in_order_of_parts,
    in_time,
    leave_one_out,
    parts_by_cuts,
    with_parts,
)
from negsample.data.split import TRAIN, find_cuts, find_windows
from negsample.errors import InputError
from negsample.settings import BY_SHARES, PrepareSettings

Ints = NDArray[np.int64]


class Selection(NamedTuple):
    """The rows of ``events``, which know their parts, whose item is ``kept``; users and items are codes.

    ``kept``: by item code. ``train_counts``: train events by item code, or
    their weights. ``user_ids`` and ``item_ids``: of the whole
    log, by code. ``notes``: on rows that are left out. ``facts``: for the manifest.
    """

    events: EventColumns
    kept: NDArray[np.bool_]
    train_counts: Ints
    user_ids: pl.Series
    item_ids: pl.Series
    notes: list[str]
    facts: dict[str, Any]


def select(log: Log, settings: PrepareSettings, scratch: Path) -> Selection:
    """Reads ``log`` into flat files in ``scratch``, filters and splits it, and leaves out cold items.

    A log that cannot be read, or leaves too little to split, is refused; a full disk is an ``OSError``.
    """
    _check_times(log, settings)
    given = settings.split == "given"
    events, user_ids, item_ids = read_events(log, scratch / "read", given=given)
    events = in_order_of_parts(events, scratch) if given else events
    events, notes = filtered(events, (len(user_ids), len(item_ids)), settings, log.name, scratch)
    if settings.split == "given":
        check_order(events, user_ids, log.name)
    elif settings.split == "leave-one-out":
        events = with_parts(events, leave_one_out(events, len(user_ids)), scratch / "parts")
    else:
        cuts = find_cuts(events.times, settings.split, settings.valid_fraction, settings.test_fraction)
        events = with_parts(events, parts_by_cuts(events, cuts), scratch / "parts")
    return _split(events, settings, (user_ids, item_ids), notes, log.has_times)


def select_folds(log: Log, settings: PrepareSettings, folds: int, scratch: Path) -> Iterator[Selection]:
    """The same of each fold of ``log``, the earliest first; one lies in ``scratch`` at a time.

    A fold is made of the events before the end of its test window alone: what is rare or cold is counted in these.
    Where windows lie is found in what :func:`select` would keep of the whole log.
    """
    _check_times(log, settings)
    every, *ids = read_events(log, scratch / "read")
    sizes = (len(ids[0]), len(ids[1]))
    with _emptied(scratch / "whole") as place:
        kept = filtered(every, sizes, settings, log.name, place)[0]
        windows = find_windows(kept.times, settings.valid_fraction, settings.test_fraction, folds)
    for window in windows:
        with _emptied(scratch / "fold") as place:
            events, notes = filtered(_before(every, window.end, place), sizes, settings, log.name, place)
            events = with_parts(events, parts_by_cuts(events, window.cuts), place / "parts")
            yield _split(events, settings, (ids[0], ids[1]), notes)


def _check_times(log: Log, settings: PrepareSettings) -> None:
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
def _emptied(folder: Path) -> Iterator[Path]:
    folder.mkdir()
    try:
        yield folder
    finally:
        rmtree(folder)  # what is mapped outlives its name


def _before(events: EventColumns, end: int | None, scratch: Path) -> EventColumns:
    """The events earlier than ``end``; None: all."""
    if end is None:
        return events
    with flat_files(scratch / "before") as files:
        for some in events.blocks():
            append(files, some.take(some.times < end))
    return map_events(scratch / "before")


def _split(
    events: EventColumns,
    settings: PrepareSettings,
    ids: tuple[pl.Series, pl.Series],
    notes: list[str],
    has_times: bool = True,
) -> Selection:
    """``events`` with their parts, but for those of cold items, where these are to be dropped; ``ids`` of users and
    items by code."""
    user_ids, item_ids = ids
    train_counts = np.zeros(len(item_ids), np.int64)
    for some in events.blocks():
        train = some.take(some.parts == TRAIN)
        np.add.at(train_counts, train.items, 1 if train.weights is None else train.weights)
    kept = np.ones(len(item_ids), bool) if settings.cold == "keep" else train_counts > 0
    dropped = tally(events.items, len(item_ids))[~kept]
    facts = {
        "dropped_cold_items": int((dropped > 0).sum()),
        "dropped_cold_events": int(dropped.sum()),
    } | in_time(events, settings.split, has_times)
    return Selection(events, kept, train_counts, user_ids, item_ids, notes, facts)
