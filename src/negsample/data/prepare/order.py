"""Sort any number of events by user, item or time: a merge sort in files, of blocks that numpy sorts by radix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.known import first_at
from negsample.data.prepare.events import (
    EventColumns,
    append,
    flat_files,
    make_array,
    map_columns,
    map_events,
    save_columns,
    saved_as,
    write_columns,
)

Column = NDArray[np.integer[Any]]
Key = Literal["users", "items", "times", "parts", "orders"]


OF_USERS = ("items", "times", "weights")
"""The columns that a dataset has by user."""


def make_of_users(folder: Path, n: int, weighted: bool) -> None:
    """Files in ``folder`` for the events by user."""
    for name in OF_USERS if weighted else OF_USERS[:2]:
        make_array(folder / name, saved_as(name), n)


def write_sorted(
    events: Iterable[EventColumns],
    n: int,
    rows: int,
    folder: Path,
    scratch: Path,
    *,
    names: Iterable[str],
    of_users: Path,
    at: int = 0,
) -> None:
    """Events in three orders: by user, then time; by item, then time; and by time.

    All are sorted by time first, then, as sorting is stable, by user and by item alone. Ties stay as they come.

    Args:
        events: users from 0 and items from 1, in any order, a block at a time.
        n: how many.
        rows: at least as many; up to a block of them are sorted in memory.
        folder: for ``by_item_times``, ``by_time_items``, ``by_time_times`` and, of events that have them,
            ``by_time_orders``.
        scratch: with room for 22 bytes an event, 30 with weights; a full disk is an ``OSError``.
        names: the columns that they have.
        of_users: for the events by user, which come into the files of :func:`make_of_users`.
        at: from this place on.
    """
    columns = {name: scratch / name for name in names}
    columns |= {name: folder / f"by_time_{name}" for name in names if name in ("items", "times", "orders")}
    save_columns(sort_by("times", events, rows, scratch), n, columns)

    def by_time() -> Iterator[EventColumns]:  # mapped anew, as what was read counts as memory while it is mapped
        return (map_columns(columns).take(block) for block in blocks.slices(n))

    write_columns(sort_by("users", by_time(), n, scratch), {x: of_users / x for x in OF_USERS if x in columns}, at)
    save_columns(sort_by("items", by_time(), n, scratch), n, {"times": folder / "by_item_times"})


def sort_by(key: Key, events: Iterable[EventColumns], rows: int, scratch: Path) -> Iterator[EventColumns]:
    """The same events by ``key``, those of one key in the order they come.

    In memory are a block of events as they come and sorted, later a quarter of one, however many have one key.

    Args:
        key: which column.
        events: a block at a time.
        rows: at least as many as they are.
        scratch: with room for 17 bytes an event, 21 with weights, where they are more than a block.
    """
    ordered = (some.take(stable_order(getattr(some, key))) for some in events if len(some.times))
    if rows <= blocks.BLOCK:
        yield from ordered
        return
    with TemporaryDirectory(dir=scratch) as place:
        ends = [0]
        with flat_files(Path(place) / "blocks") as files:
            for some in ordered:
                append(files, some)
                ends.append(ends[-1] + len(some.times))
        yield from _merged(Path(place) / "blocks", key, np.array(ends))


def in_blocks(events: Iterable[EventColumns]) -> Iterator[EventColumns]:
    """The same events in their order, but as many at a time as a block has, where they come in smaller pieces."""
    held, size = list[EventColumns](), 0
    for some in events:
        if size + len(some.times) > blocks.BLOCK:
            yield from _joined(held)
            held, size = [], 0
        held.append(some)
        size += len(some.times)
    yield from _joined(held)


def _joined(held: Sequence[EventColumns]) -> Iterator[EventColumns]:
    if held:
        yield EventColumns(**{name: np.concatenate([getattr(some, name) for some in held]) for name in held[0].names})


def stable_order(keys: Column) -> NDArray[np.int64]:
    """``np.argsort(keys, kind="stable")`` in a third of its time.

    numpy sorts 16 bits by radix: two such passes for 32 bits; of more bits the highest 16, after which the keys are
    nearly sorted, and the rest takes little.
    """
    low, high = int(keys.min()), int(keys.max())
    above = keys.astype(np.int64).view(np.uint64) - np.uint64(low % 2**64)  # modulo 2^64, where Int64 would overflow
    bits = (high - low).bit_length()
    order = np.argsort((above >> np.uint64(max(bits - 16, 0) if bits > 32 else 0)).astype(np.uint16), kind="stable")
    if bits > 32:
        return order[np.argsort(keys[order], kind="stable")]
    return order[np.argsort((above >> np.uint64(16)).astype(np.uint16)[order], kind="stable")] if bits > 16 else order


def _merged(folder: Path, key: Key, ends: NDArray[np.int64]) -> Iterator[EventColumns]:
    """Sorted stretches of the events in ``folder``, each of which ends where the next one begins, as one."""
    at, ends = ends[:-1], ends[1:]
    while (at < ends).any():
        events = map_events(folder)
        keys = getattr(events, key)
        to = _reach(keys, at, ends)
        if (to > at).any():
            parts = [slice(*bounds) for bounds in zip(at, to, strict=True)]
            columns = {name: getattr(events, name) for name in events.names}
            some = EventColumns(
                **{name: np.concatenate([column[part] for part in parts]) for name, column in columns.items()}
            )
            yield some.take(np.argsort(getattr(some, key), kind="stable"))
        else:  # more events have the next key than are held at once: they need no sorting
            same = keys[at[at < ends]].min()
            to = at + [np.searchsorted(keys[slice(*bounds)], same, "right") for bounds in zip(at, ends, strict=True)]
            for begin, end in zip(at, to, strict=True):
                yield from events.take(slice(begin, end)).blocks()
        at = to


def _reach(keys: Column, at: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Up to where each stretch from ``at`` on has all keys below a bound, with which they are at most a quarter of a
    block together."""
    most = room = max(blocks.BLOCK // 4, 1)
    while True:
        reach = np.minimum(at + most, ends)
        after = keys[reach[reach < ends]]
        to = first_at(keys, at, reach, after.min()) if len(after) else reach
        if (to - at).sum() <= room or most == 1:
            return to
        most //= 2
