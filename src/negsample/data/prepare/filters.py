"""Which events of a log are left out before it is split: duplicates, repeats, and those of rare users and items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.blocks import tally
from negsample.data.prepare.events import (
    EventColumns,
    append,
    flat_files,
    map_columns,
    map_events,
    names_of,
    save_columns,
)
from negsample.data.prepare.order import sort_by
from negsample.errors import InputError
from negsample.settings import PrepareSettings

Mask = NDArray[np.bool_]


def filtered(
    events: EventColumns, sizes: tuple[int, int], settings: PrepareSettings, name: str, scratch: Path
) -> tuple[EventColumns, list[str]]:
    """What ``settings`` leave of ``events``, and a note on each step that leaves some out: exact duplicates, repeats,
    users and items with few events (counted once), the k-core.

    Args:
        events: in any order; of those at one time the first is kept.
        sizes: how many codes of users and of items there are.
        settings: what is left out.
        name: of the log, for a message.
        scratch: where the events that are left lie.

    Raises:
        InputError: no event is left.
    """
    left, notes = len(events.times), list[str]()
    if settings.drop_duplicates or settings.drop_repeats:
        events, dropped = _without_repeats(events, sizes, settings, scratch)
        for why, count in dropped.items():
            notes += [f"{count:,} of {left:,} events left out: {why}."] if count else []
            left -= count
    least = settings.min_user_events, settings.min_item_events
    counts = [tally(codes, size) for codes, size in zip(events[:2], sizes, strict=True)]
    kept = [(count >= few) | (count == 0) for count, few in zip(counts, least, strict=True)]
    events = _only(events, kept, scratch / "frequent")
    if len(events.times) < left:
        why = f"of users with fewer than {least[0]} events or items with fewer than {least[1]}"
        notes.append(
            f"{left - len(events.times):,} of {left:,} events left out: {why}, both counted once over the whole log."
        )
    if not len(events.times):
        raise InputError(
            f"no event of {name} is left: none of its {left:,} events has a user with at least {least[0]} events "
            f"(min_user_events) and an item with at least {least[1]} (min_item_events); lower them"
        )
    left = len(events.times)
    events = _only(events, _core(events, sizes, settings.k_core), scratch / "core")
    if len(events.times) < left:
        notes.append(
            f"{left - len(events.times):,} of {left:,} events left out: of users or items with fewer than "
            f"{settings.k_core} events, counted again until none was left."
        )
    if not len(events.times):
        raise InputError(
            f"no event of {name} is left: no set of users and items of its {left:,} events has at least "
            f"{settings.k_core} for each (k_core); lower it"
        )
    return events, notes


def _only(events: EventColumns, kept: list[Mask], place: Path) -> EventColumns:
    """The events of users and items that are ``kept``, in the same order."""
    kept_U, kept_V = kept
    if kept_U.all() and kept_V.all():
        return events
    with flat_files(place) as files:
        for some in events.blocks():
            append(files, some.take(kept_U[some.users] & kept_V[some.items]))
    return map_events(place)


def _core(events: EventColumns, sizes: tuple[int, int], k: int) -> list[Mask]:
    """The users and items of the largest set of events in which each has at least ``k``: those with fewer are left
    out, and all counted anew, until none is."""
    kept = [np.ones(size, bool) for size in sizes]
    while k > 1:
        counts = [np.zeros(size, np.int64) for size in sizes]
        for some in events.blocks():
            stay = kept[0][some.users] & kept[1][some.items]
            for count, codes in zip(counts, some[:2], strict=True):
                count += np.bincount(codes[stay], minlength=len(count))
        before, kept = kept, [count >= k for count in counts]
        if all((now == then).all() for now, then in zip(kept, before, strict=True)):
            break
    return kept


def _without_repeats(
    events: EventColumns, sizes: tuple[int, int], settings: PrepareSettings, scratch: Path
) -> tuple[EventColumns, Counter[str]]:
    """The events without those that the settings drop, in the order of time, and how many were dropped for what.

    Events are numbered in the order of time, looked at user by user, and what is left is put in that order again: so
    events at one time stay as they came.
    """
    n, dropped = len(events.times), Counter[str]()
    names = names_of(events.weights is not None)
    in_time, of_user = ({name: scratch / f"{order} {name}" for name in names} for order in ("by time", "by user"))
    save_columns(sort_by("times", events.blocks(), n, scratch), n, in_time)
    times = map_columns(in_time).times

    def numbered() -> Iterator[EventColumns]:
        for block in blocks.slices(n):
            yield map_columns(in_time).take(block)._replace(times=np.arange(block.start, block.stop))

    save_columns(sort_by("users", numbered(), n, scratch), n, of_user)
    offsets = np.append(0, np.cumsum(tally(events.users, sizes[0])))

    def left() -> Iterator[EventColumns]:
        for first, last in blocks.user_blocks(offsets, blocks.BLOCK):
            some = map_columns(of_user).take(slice(offsets[first], offsets[last]))
            yield some.take(_first_of_repeats(some._replace(times=times[some.times]), settings, dropped))

    with flat_files(scratch / "distinct") as files:
        for some in sort_by("times", left(), n, scratch):
            append(files, some._replace(times=times[some.times]))
    return map_events(scratch / "distinct"), dropped


def _first_of_repeats(events: EventColumns, settings: PrepareSettings, dropped: Counter[str]) -> NDArray[np.int64]:
    """Positions of what is kept of ``events``, by user, then by time; what is not is counted in ``dropped``."""
    kept = np.arange(len(events.times))
    if settings.drop_duplicates:
        order = np.lexsort((events.items, events.times, events.users))
        again = np.append(
            False, np.logical_and.reduce([column[order[1:]] == column[order[:-1]] for column in events[:3]])
        )
        dropped["exact duplicates of another (user, item, time)"] += int(again.sum())
        kept = np.sort(order[~again])
    users, items = events.users[kept].astype(np.int64), events.items[kept]
    if settings.drop_repeats == "consecutive":
        again = np.append(False, (users[1:] == users[:-1]) & (items[1:] == items[:-1]))[: len(kept)]
        dropped["on the item of their user's event before"] += int(again.sum())
        kept = kept[~again]
    if settings.drop_repeats == "all":
        first = np.unique(users * (int(items.max(initial=0)) + 1) + items, return_index=True)[1]
        dropped["on an item that their user had before"] += len(kept) - len(first)
        kept = kept[np.sort(first)]
    return kept
