"""The times of rows, wherever they lie, and which one is at a place in their order: by counting, not by sorting."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from negsample.data.blocks import slices

_BITS = 16  # of a time, which one pass sorts


class Times(Protocol):
    """The times of n rows, wherever they lie."""

    def __len__(self) -> int:
        """How many they are."""
        ...

    def span(self) -> tuple[int, int]:
        """The lowest and the highest."""
        ...

    def counts(self, low: int, high: int, shift: int) -> NDArray[np.int64]:
        """(2^16,) how many lie in each bin of ``2^shift`` from ``low`` on, up to ``high``."""
        ...

    def distinct(self) -> NDArray[np.int64]:
        """Each once, ascending."""
        ...


class HeldTimes(NamedTuple):
    """Those of an array, which may be mapped: a block is looked at a time."""

    times: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.times)

    def _blocks(self) -> Iterator[NDArray[np.int64]]:
        return (self.times[block] for block in slices(len(self.times)))

    def span(self) -> tuple[int, int]:
        """See :class:`Times`."""
        return span_of(self._blocks())

    def counts(self, low: int, high: int, shift: int) -> NDArray[np.int64]:
        """See :class:`Times`."""
        return counts_of(self._blocks(), low, high, shift)

    def distinct(self) -> NDArray[np.int64]:
        """See :class:`Times`."""
        return distinct_of(self._blocks())


def nth(times: Times, position: int) -> tuple[int, int]:
    """The time at ``position`` in ascending order and how many are earlier: a radix sort, one pass for 16 bits."""
    (low, high), earlier = times.span(), 0
    while low < high:
        shift = max((high - low).bit_length() - _BITS, 0)
        counts = times.counts(low, high, shift)
        ends = np.cumsum(counts)
        bin_ = int(np.searchsorted(ends, position - earlier, side="right"))
        earlier += int(ends[bin_] - counts[bin_])
        low, high = low + (bin_ << shift), min(low + ((bin_ + 1) << shift) - 1, high)
    return low, earlier


def span_of(some: Iterable[NDArray[np.int64]]) -> tuple[int, int]:
    """The lowest and the highest of arrays; of nothing what any other is below, and above."""
    info = np.iinfo(np.int64)
    spans = [(int(each.min()), int(each.max())) for each in some if len(each)] or [(info.max, info.min)]
    return min(low for low, _ in spans), max(high for _, high in spans)


def counts_of(some: Iterable[NDArray[np.int64]], low: int, high: int, shift: int) -> NDArray[np.int64]:
    """See :meth:`Times.counts`."""
    counts = np.zeros(1 << _BITS, np.int64)
    for times in some:
        inside = times[(times >= low) & (times <= high)]
        above = inside.view(np.uint64) - np.uint64(low % 2**64)  # modulo 2^64, where Int64 would overflow
        counts += np.bincount((above >> np.uint64(shift)).astype(np.int64), minlength=len(counts))
    return counts


def distinct_of(some: Iterable[NDArray[np.int64]]) -> NDArray[np.int64]:
    """See :meth:`Times.distinct`."""
    return reduce(np.union1d, some, np.zeros(0, np.int64))
