"""What a user's own history says about items, strictly before a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.data import blocks

Ints = NDArray[np.signedinteger[Any]]


class Repeats(NamedTuple):
    """Of each of N events: ``next_N``, the user's next event on the same item, N where there is none; ``nth_N``, how
    often the user has had the item by then, 1 at the first."""

    next_N: NDArray[np.int64]
    nth_N: NDArray[np.int32]


class OwnItems(NamedTuple):
    """The distinct items that each of R rows' users had before a time, by row, then by item.

    ``row_E``: the row of each; ``item_E``; ``count_E``: how often it was had; ``since_E``: microseconds since the last
    time; ``length_R``: events of each row's history.
    """

    row_E: NDArray[np.int64]
    item_E: NDArray[np.int64]
    count_E: NDArray[np.int64]
    since_E: NDArray[np.int64]
    length_R: NDArray[np.int64]


def repeats_of(items: Ints, offsets: Ints, width: int) -> Repeats:
    """See :class:`Repeats`; ``width``: V + 1. In memory are a block of users' events beside the answer."""
    events = len(items)
    next_N, nth_N = np.full(events, events, np.int64), np.empty(events, np.int32)
    offsets = np.asarray(offsets)
    for first, last in blocks.user_blocks(offsets, blocks.BLOCK):
        begin, end = int(offsets[first]), int(offsets[last])
        users = np.repeat(np.arange(last - first), np.diff(offsets[first : last + 1]))
        keys = users * width + items[begin:end]
        order = np.argsort(keys, kind="stable")  # events of a user on an item one after another, by time
        again = keys[order[1:]] == keys[order[:-1]]
        next_N[begin + order[:-1][again]] = begin + order[1:][again]
        starts = np.flatnonzero(np.append(True, ~again)) if len(order) else order
        runs = np.diff(starts, append=len(order))
        nth_N[begin + order] = np.arange(len(order)) - np.repeat(starts, runs) + 1
    return Repeats(next_N, nth_N)


def own_before(
    items: Ints, times: Ints, offsets: Ints, repeats: Repeats, users_R: Ints, until_R: Ints, times_R: Ints, width: int
) -> OwnItems:
    """What the user of each row had in the events before ``until_R`` (positions among all events), as of ``times_R``.

    An event is the last on its item where the next one on it is not before ``until_R``; so no event is sorted but by
    item within a row, and what is held is a few numbers for each event of the rows' histories.
    """
    starts_R = np.asarray(offsets)[users_R]
    length_R = until_R - starts_R
    rows = np.repeat(np.arange(len(length_R)), length_R)
    events = blocks.spans(starts_R, length_R)
    last = repeats.next_N[events] >= until_R[rows]
    rows, events = rows[last], events[last]
    order = np.argsort(rows * width + items[events])
    row_E, events = rows[order], events[order]
    return OwnItems(
        row_E,
        np.asarray(items[events], np.int64),
        np.asarray(repeats.nth_N[events], np.int64),
        times_R[row_E] - np.asarray(times[events]),
        length_R,
    )
