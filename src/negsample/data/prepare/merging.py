"""The events of several pieces, sorted in each, as one sorted array: every stretch of it is merged on its own.

Where a stretch begins in each piece is found by counting, however many events share an item or a time; so a stretch is
as large as it should be, and no more is in memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negsample.data.each import Each
from negsample.data.prepare.events import make_array, saved_as, write_array

Ints = NDArray[np.int64]
Ascending = NDArray[np.signedinteger[Any]]


def merge(pieces: Sequence[Path], events: int, folder: Path, each: Each, most: int) -> None:
    """The events of ``pieces`` by item and by time, in the files that a dataset has for them in ``folder``.

    Args:
        pieces: folders of :func:`~negsample.data.prepare.order.write_sorted`, with ``item_offsets``.
        events: how many there are.
        folder: with the dataset's ``item_offsets``.
        each: calls a function for each stretch.
        most: events of a stretch.
    """
    names = {"by_item_times": "times", "by_time_items": "items", "by_time_times": "times"}
    for name, column in names.items():
        make_array(folder / name, saved_as(column), events)
    stretches = [(first, min(first + most, events)) for first in range(0, events, most)]
    for by in (_by_item, _by_time):
        list(each(partial(by, list(pieces), folder), stretches))


def cuts(ascending: Sequence[Ascending], before: int) -> list[int]:
    """Where each array is cut, so that ``before`` values lie before the cuts, and none of them is larger than one
    behind; of equal ones those of the first arrays lie before."""
    there = [each for each in ascending if len(each)]
    if not there:
        return [0] * len(ascending)
    low, high = min(int(each[0]) for each in there), max(int(each[-1]) for each in there)
    while low < high:
        middle = (low + high + 1) // 2
        smaller = sum(int(np.searchsorted(each, np.int64(middle))) for each in ascending)
        low, high = (middle, high) if smaller <= before else (low, middle - 1)
    found = [int(np.searchsorted(each, np.int64(low))) for each in ascending]
    rest = before - sum(found)
    for number, each in enumerate(ascending):
        equal = int(np.searchsorted(each, np.int64(low), "right")) - found[number]
        found[number] += min(equal, rest)
        rest -= min(equal, rest)
    return found


def _mapped(pieces: Sequence[Path], name: str) -> list[Ints]:
    return [np.load(piece / f"{name}.npy", mmap_mode="r") for piece in pieces]


def _by_item(pieces: Sequence[Path], folder: Path, stretch: tuple[int, int]) -> None:
    """By item, then by time; events of one item and time are alike."""
    offsets: Ints = np.load(folder / "item_offsets.npy", mmap_mode="r")
    own, times = _mapped(pieces, "item_offsets"), _mapped(pieces, "by_item_times")
    bounds, of_items = [], []
    for position in stretch:
        item = int(np.searchsorted(offsets, position, "right")) - 1
        item = min(item, len(offsets) - 2)
        first = [int(of[item]) for of in own]
        inside = [of_piece[a : int(of[item + 1])] for of_piece, a, of in zip(times, first, own, strict=True)]
        bounds.append([a + cut for a, cut in zip(first, cuts(inside, position - int(offsets[item])), strict=True)])
        of_items.append(item)
    low, high = of_items
    found, items = [], []
    for of_piece, of, begin, end in zip(times, own, *bounds, strict=True):
        found.append(np.asarray(of_piece[begin:end]))
        items.append(np.searchsorted(of[low + 1 : high + 1], np.arange(begin, end), "right"))
    order = np.lexsort((np.concatenate(found), np.concatenate(items)))
    write_array(np.concatenate(found)[order], folder / "by_item_times", stretch[0])


def _by_time(pieces: Sequence[Path], folder: Path, stretch: tuple[int, int]) -> None:
    """By time, and events of one time as they come in the log."""
    times, orders = _mapped(pieces, "by_time_times"), _mapped(pieces, "by_time_orders")
    items = _mapped(pieces, "by_time_items")
    begins, ends = (_cuts_in_order(times, orders, position) for position in stretch)
    parts = [slice(*bounds) for bounds in zip(begins, ends, strict=True)]
    some = [np.concatenate([each[part] for each, part in zip(of, parts, strict=True)]) for of in (orders, times, items)]
    order = np.lexsort(some[:2])
    write_array(some[1][order], folder / "by_time_times", stretch[0])
    write_array(some[2][order], folder / "by_time_items", stretch[0])


def _cuts_in_order(times: Sequence[Ints], orders: Sequence[Ints], position: int) -> list[int]:
    """:func:`cuts` by time; of events at one time those that come first in the log lie before."""
    by_time = cuts(times, position)
    around = [int(of[cut - 1]) for of, cut in zip(times, by_time, strict=True) if cut]
    if not around:
        return by_time
    last = np.int64(max(around))  # the latest time before the cuts: it may go on behind them
    first = [int(np.searchsorted(of, last)) for of in times]
    tied = [of[a : int(np.searchsorted(t, last, "right"))] for of, t, a in zip(orders, times, first, strict=True)]
    return [a + cut for a, cut in zip(first, cuts(tied, position - sum(first)), strict=True)]
