"""What is known at a time: counts of items with a half-life, strictly before it.

An event at time ``t`` never sees itself, what else has its time, or its basket. Answers are exact: each is one binary
search in events that are sorted by item and time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from tempfile import TemporaryFile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.errors import InputError

Ints = NDArray[np.signedinteger[Any]]
Floats = NDArray[np.float64]
KAPPA = 10.0
"""Events that the share of all time is worth in a share with a half-life."""


@dataclass(frozen=True, eq=False, repr=False)
class Known:
    """The events of a log in two orders, and what they say about a time.

    Attributes:
        item_offsets: (V + 2,) item ``i`` has ``[item_offsets[i], item_offsets[i + 1])`` of ``by_item_times``.
        by_item_times: (N,) times in microseconds, by item, then by time.
        by_time_items: (N,) items, by time.
        by_time_times: (N,) times, ascending.
    """

    item_offsets: Ints
    by_item_times: Ints
    by_time_items: Ints
    by_time_times: Ints
    _sums: dict[tuple[str, float], Floats] = field(default_factory=dict, init=False)

    @property
    def catalogue_size(self) -> int:
        """V."""
        return len(self.item_offsets) - 2

    def counts(self, items: Ints, times: Ints, half_life: float = math.inf) -> Floats:
        """Counts of ``items`` as of ``times``: an event ``a`` before counts ``2^(-a / half_life)``.

        Args:
            items: ids, such as (T, K); 0 has none.
            times: microseconds, of a shape that goes with it, such as (T, 1).
            half_life: microseconds; infinite: every earlier event counts 1.

        Returns:
            Of the shape that both have together.
        """
        items, times = np.broadcast_arrays(items, times)
        first, end = self.item_offsets[items], self.item_offsets[items + 1]
        at = first_at(self.by_item_times, first, end, times)
        return self._as_of("item", self.by_item_times, first, at, times, half_life)

    def totals(self, times: Ints, half_life: float = math.inf) -> Floats:
        """The counts of all items together, as of ``times``."""
        at = np.searchsorted(self.by_time_times, times, side="left")
        return self._as_of("time", self.by_time_times, np.zeros_like(at), at, np.asarray(times), half_life)

    def shares(self, items: Ints, times: Ints, half_life: float = math.inf, *, kappa: float = KAPPA) -> Floats:
        """Shares of ``items`` in the events as of ``times``; over all items they sum to 1.

        ``(c + kappa p) / (sum of c + kappa)``: ``c`` as of :meth:`counts`, ``p`` the share of all time, where an item
        without an event yet has one. With an infinite half-life it is ``p``.
        """
        seen = self.counts(items, times)
        unseen = self.catalogue_size - np.searchsorted(self._first_times, times, side="left")
        share = np.maximum(seen, 1) / (self.totals(times) + unseen)
        if math.isinf(half_life):
            return np.asarray(share)
        counts = self.counts(items, times, half_life)
        return np.asarray((counts + kappa * share) / (self.totals(times, half_life) + kappa))

    def with_events(self, items: Ints, times: Ints) -> Known:
        """The same with more events, in memory: 20 bytes an event.

        Args:
            items: (M,) ids ``1..V``, in any order.
            times: (M,) microseconds.

        Raises:
            InputError: they are no such ids and times.
        """
        items, times = checked_events(items, times, self.catalogue_size)
        order = np.lexsort((times, items))
        of, when = items[order], times[order]
        at = first_at(self.by_item_times, self.item_offsets[of], self.item_offsets[of + 1], when)
        by_item_times = np.insert(self.by_item_times, at, when)
        order = np.argsort(times, kind="stable")
        at = np.searchsorted(self.by_time_times, times[order])
        return Known(
            self.item_offsets + np.append(0, np.cumsum(np.bincount(items, minlength=self.catalogue_size + 1))),
            by_item_times,
            np.insert(self.by_time_items, at, items[order]),
            np.insert(self.by_time_times, at, times[order]),
        )

    @cached_property
    def _first_times(self) -> Ints:
        """The first time of each item with an event, ascending."""
        first = np.asarray(self.item_offsets[:-1])[np.diff(self.item_offsets) > 0]
        return np.sort(self.by_item_times[first])

    def _as_of(self, kind: str, moments: Ints, first: Ints, at: Ints, times: Ints, half_life: float) -> Floats:
        """Of stretches of ``moments`` that begin at ``first``: the counts of what lies before ``at``."""
        if math.isinf(half_life):
            return (at - first).astype(np.float64)
        if half_life <= 0 or math.isnan(half_life):
            raise ValueError(f"half_life must be above 0, got {half_life}")
        if (kind, half_life) not in self._sums:
            starts = self.item_offsets[:-1] if kind == "item" else np.zeros(1, np.int64)
            self._sums[kind, half_life] = running_counts(moments, starts, half_life)
        last = np.maximum(at - 1, 0)
        decayed = self._sums[kind, half_life][last] * np.exp2(np.minimum(moments[last] - times, 0) / half_life)
        return np.where(at > first, decayed, 0.0)


def checked_events(items: Sequence[int] | Ints, times: Sequence[int] | Ints, catalogue_size: int) -> tuple[Ints, Ints]:
    """(M,) and (M,) int64: events that a person gave.

    Raises:
        InputError: they are no ids in ``1..V``, each with its time.
    """
    found = {"items": np.asarray(items), "times": np.asarray(times)}
    for name, each in found.items():
        if each.ndim != 1 or (len(each) and each.dtype.kind not in "iu"):
            raise InputError(f"{name} must be a row of whole numbers, got {each.dtype} of shape {each.shape}")
    of, when = (each.astype(np.int64) for each in found.values())
    if len(of) != len(when):
        raise InputError(f"times must be one for each of the items, got {len(when)} for {len(of)}")
    if len(of) and not (of.min() >= 1 and of.max() <= catalogue_size):
        raise InputError(
            f"items must be ids in 1..{catalogue_size}, got {of.min()}..{of.max()}; leave out what is no item of the "
            "model"
        )
    return of, when


def first_at(times: NDArray[np.integer[Any]], low: Ints, high: Ints, wanted: Ints) -> Ints:
    """The first position in each stretch ``[low, high)`` of ``times``, ascending there, that is not before ``wanted``;
    ``high`` where all are. All stretches are searched at once."""
    low, high = np.array(low), np.array(high)
    most = int((high - low).max(initial=0))
    for _ in range(most.bit_length()):
        middle = (low + high) >> 1
        before = (middle < high) & (times[np.minimum(middle, len(times) - 1)] < wanted)
        low, high = np.where(before, middle + 1, low), np.where(before, high, middle)
    return low


def running_counts(times: Ints, starts: Ints, half_life: float) -> Floats:
    """(N,) the count with a half-life of each stretch of ``times`` right after each of its events.

    Each is 1 and the one before it, decayed: no number is larger than the number of events, however long the log. More
    than a block of them lie in an unnamed file.
    """
    parts = _running_blocks(times, starts, half_life)
    if len(times) <= blocks.BLOCK:
        return np.concatenate([*parts, np.zeros(0)])
    with TemporaryFile() as file:
        for part in parts:
            file.write(part.data)
        file.flush()
        return np.memmap(file, np.float64, mode="r")


def _running_blocks(times: Ints, starts: Ints, half_life: float) -> Iterator[Floats]:
    last = 0.0
    for block in blocks.slices(len(times)):
        some = np.asarray(times[max(block.start - 1, 0) : block.stop])
        decay = np.exp2(np.minimum(-np.diff(some), 0) / half_life)  # next to an item's first event another's last
        decay = decay if block.start else np.append(0.0, decay)
        decay[starts[(starts >= block.start) & (starts < block.stop)] - block.start] = 0.0
        found = accumulated(decay, last)
        last = float(found[-1])
        yield found


def accumulated(decay: Floats, last: float) -> Floats:
    """(N,) ``x_n = 1 + decay_n x_(n-1)``, where ``x_(-1)`` is ``last``.

    One after another, as BLAS solves a banded triangular system: of a stretch that begins with a decay of 0 each
    number has the same bits wherever it lies, so no count depends on what is sorted before it.
    """
    from scipy.linalg import blas  # type: ignore[import-untyped]  # a dataset is opened without it

    ones = np.ones(len(decay) + 1)
    ones[0] = last
    band = np.ones((2, len(ones)), order="F")
    band[1, :-1] = -decay
    return np.asarray(blas.dtbsv(1, band, ones, lower=1, diag=1, overwrite_x=1)[1:])
