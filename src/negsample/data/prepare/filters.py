"""Which events of a log are left out before it is split: duplicates, repeats, and those of rare users and items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.blocks import tally
from negsample.data.each import Each, total
from negsample.data.prepare.events import EventColumns, map_columns, save_columns
from negsample.data.prepare.order import sort_by
from negsample.data.prepare.pieces import Piece, events_of
from negsample.errors import InputError
from negsample.settings import PrepareSettings

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]


def filtered(
    pieces: Sequence[Piece], items: int, settings: PrepareSettings, name: str, each: Each
) -> tuple[list[Piece], list[str]]:
    """What ``settings`` leave of the events, and a note on each step that leaves some out: exact duplicates, repeats,
    users and items with few events (counted once), the k-core.

    Args:
        pieces: of the events; of those at one time the first is kept.
        items: how many codes of items there are.
        settings: what is left out.
        name: of the log, for a message.
        each: calls a function for each piece.

    Raises:
        InputError: no event is left.
    """
    left, notes = events_of(pieces), list[str]()
    if settings.drop_duplicates or settings.drop_repeats:
        done = list(each(partial(_without_repeats, settings), pieces))
        pieces = [piece for piece, _ in done]
        for why in done[0][1]:
            count = sum(dropped[why] for _, dropped in done)
            notes += [f"{count:,} of {left:,} events left out: {why}."] if count else []
            left -= count
    least = settings.min_user_events, settings.min_item_events
    if max(least) > 1:
        counts_V = total(each(partial(_items, items), pieces))
        pieces = list(each(partial(_frequent, least[0], (counts_V >= least[1]) | (counts_V == 0)), pieces))
    if events_of(pieces) < left:
        why = f"of users with fewer than {least[0]} events or items with fewer than {least[1]}"
        notes.append(
            f"{left - events_of(pieces):,} of {left:,} events left out: {why}, both counted once over the whole log."
        )
    if not events_of(pieces):
        raise InputError(
            f"no event of {name} is left: none of its {left:,} events has a user with at least {least[0]} events "
            f"(min_user_events) and an item with at least {least[1]} (min_item_events); lower them"
        )
    left = events_of(pieces)
    if settings.k_core > 1:
        pieces = _core(pieces, items, settings.k_core, each)
    if events_of(pieces) < left:
        notes.append(
            f"{left - events_of(pieces):,} of {left:,} events left out: of users or items with fewer than "
            f"{settings.k_core} events, counted again until none was left."
        )
    if not events_of(pieces):
        raise InputError(
            f"no event of {name} is left: no set of users and items of its {left:,} events has at least "
            f"{settings.k_core} for each (k_core); lower it"
        )
    return list(pieces), notes


def _items(items: int, piece: Piece) -> Ints:
    """(items,) the events of each."""
    return tally(piece.open().items, items)


def _frequent(least: int, kept_V: Mask, piece: Piece) -> Piece:
    """The events on items that are ``kept_V``, of users with at least so many."""
    counts_U = tally(piece.open().users, piece.users)
    return _only(piece, (counts_U >= least) | (counts_U == 0), kept_V, "frequent")


def _only(piece: Piece, kept_U: Mask, kept_V: Mask, name: str) -> Piece:
    """The events of users and items that are kept, in the same order."""
    if kept_U.all() and kept_V.all():
        return piece
    some = (each.take(kept_U[each.users] & kept_V[each.items]) for each in piece.open().blocks())
    return piece.with_events(some, name)


def _core(pieces: Sequence[Piece], items: int, k: int, each: Each) -> list[Piece]:
    """The largest set of events in which each user and item has at least ``k``: those with fewer are left out, and
    all counted anew, until none is."""
    kept_V, turn, changed = np.ones(items, bool), 0, True
    while changed:
        counts_V, changed = total(each(partial(_core_turn, k, kept_V, turn), pieces))
        now_V = counts_V >= k
        changed = bool(changed) or bool((now_V != kept_V).any())
        kept_V, turn = now_V, turn + 1
    return list(each(partial(_of_core, kept_V, turn), pieces))


def _core_turn(k: int, kept_V: Mask, turn: int, piece: Piece) -> tuple[Ints, int]:
    """The events of each item that are left, and whether users were left out for what is left of theirs."""
    kept_U = _core_users(piece, turn)
    counts_U, counts_V = np.zeros(piece.users, np.int64), np.zeros(len(kept_V), np.int64)
    for some in piece.open().blocks():
        stay = kept_U[some.users] & kept_V[some.items]
        for count, codes in zip((counts_U, counts_V), some[:2], strict=True):
            count += np.bincount(codes[stay], minlength=len(count))
    np.save(piece.place / f"core {turn + 1}.npy", counts_U >= k)
    return counts_V, int(((counts_U >= k) != kept_U).any())


def _core_users(piece: Piece, turn: int) -> Mask:
    """(users,) who was kept after so many turns."""
    if not turn:
        return np.ones(piece.users, bool)
    kept_U: Mask = np.load(piece.place / f"core {turn}.npy")
    return kept_U


def _of_core(kept_V: Mask, turn: int, piece: Piece) -> Piece:
    return _only(piece, _core_users(piece, turn), kept_V, "core")


def _without_repeats(settings: PrepareSettings, piece: Piece) -> tuple[Piece, Counter[str]]:
    """The events without those that the settings drop, in the order of time, and how many were dropped for what.

    Events are numbered in the order of time, looked at user by user, and what is left is put in that order again: so
    events at one time stay as they came.
    """
    events, scratch = piece.open(), piece.place
    n, dropped = piece.events, Counter[str]()
    in_time, of_user = ({x: scratch / f"{order} {x}" for x in events.names} for order in ("by time", "by user"))
    save_columns(sort_by("times", events.blocks(), n, scratch), n, in_time)
    times = map_columns(in_time).times

    def numbered() -> Iterator[EventColumns]:
        for block in blocks.slices(n):
            yield map_columns(in_time).take(block)._replace(times=np.arange(block.start, block.stop))

    save_columns(sort_by("users", numbered(), n, scratch), n, of_user)
    offsets = np.append(0, np.cumsum(tally(events.users, piece.users)))

    def left() -> Iterator[EventColumns]:
        for first, last in blocks.user_blocks(offsets, blocks.BLOCK):
            some = map_columns(of_user).take(slice(offsets[first], offsets[last]))
            yield some.take(_first_of_repeats(some._replace(times=times[some.times]), settings, dropped))

    some = (each._replace(times=times[each.times]) for each in sort_by("times", left(), n, scratch))
    found = piece.with_events(some, "distinct")
    for path in (*in_time.values(), *of_user.values()):
        path.with_suffix(".npy").unlink()
    return found, dropped


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
