"""Laws over the catalogue: integer weights on a line, looked up in O(1)."""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

MAX_TOTAL = 1 << 48  # of a law's weights, so that (row, weight) fits one 64-bit key for up to 2^14 rows


class Weights(Protocol):
    """A law that can be asked for the weight of an item."""

    @property
    def total(self) -> int:
        """Sum of all weights."""
        ...

    def weight(self, ids: Tensor) -> Tensor:
        """Weights of ``ids``; 0 for id 0."""
        ...


class Law(Protocol):
    """Integer weights over items ``1..V``, on a line: item ``i`` covers ``[before(i), before(i) + weight(i))``."""

    @property
    def total(self) -> int:
        """Length of the line, at most ``MAX_TOTAL``."""
        ...

    def weight(self, ids: Tensor) -> Tensor:
        """Weights of ``ids``; 0 for id 0."""
        ...

    def before(self, ids: Tensor) -> Tensor:
        """Sum of the weights of all smaller ids."""
        ...

    def locate(self, points: Tensor) -> Tensor:
        """The item that covers each point in ``[0, total)``."""
        ...


class Even:
    """Every item the same."""

    def __init__(self, items: int) -> None:
        self.total = items

    def weight(self, ids: Tensor) -> Tensor:
        """One for every item."""
        return (ids > 0).long()

    def before(self, ids: Tensor) -> Tensor:
        """How many items are smaller."""
        return ids - 1

    def locate(self, points: Tensor) -> Tensor:
        """The item at each point."""
        return points + 1


class Occurrences:
    """The law of one id out of ``ids``: each as often as it is there."""

    def __init__(self, ids: Tensor) -> None:
        self._items, self._counts = torch.unique(ids, return_counts=True)
        self.total = len(ids)

    def weight(self, ids: Tensor) -> Tensor:
        """Occurrences of ``ids``."""
        if not self.total:
            return torch.zeros_like(ids)
        at = torch.searchsorted(self._items, ids.contiguous()).clamp_(max=len(self._items) - 1)
        return torch.where(self._items[at] == ids, self._counts[at], 0)


class Line:
    """Any weights. Moves to the device of what it is asked about.

    A point is located by a guide: the line is cut into stretches of equal length, at least one an item, and each knows
    the item at its start; what is left between two starts is halved. That is O(1) for weights like those of
    popularity, O(log V) at worst, and no step of it is approximate.

    Args:
        weights: (V + 1,) integers >= 0, ``weights[0]`` is 0, with a sum from 1 to ``MAX_TOTAL``.
    """

    def __init__(self, weights: Tensor) -> None:
        self._until = torch.cumsum(weights.long(), 0)  # until[i]: of all ids up to i
        self.total = int(self._until[-1])
        self._shift = max(0, (self.total // len(weights)).bit_length() - 1)
        self._guide: Tensor | None = None
        self._halvings = 0

    def weight(self, ids: Tensor) -> Tensor:
        """Weights of ``ids``."""
        self._follow(ids.device)
        return self._take(ids) - self._take((ids - 1).clamp_(min=0))

    def before(self, ids: Tensor) -> Tensor:
        """Sum of the weights of all smaller ids."""
        self._follow(ids.device)
        return self._take((ids - 1).clamp_(min=0))

    def locate(self, points: Tensor) -> Tensor:
        """The item at each point."""
        self._follow(points.device)
        if self._guide is None:
            self._make_guide()
        assert self._guide is not None
        stretch = points >> self._shift
        low, high = _at(self._guide, stretch).long(), _at(self._guide, stretch + 1).long()
        for _ in range(self._halvings):
            middle = (low + high) >> 1
            beyond = self._take(middle) <= points
            low, high = torch.where(beyond, middle + 1, low), torch.where(beyond, high, middle)
        return low

    def _make_guide(self) -> None:
        stretches = (self.total >> self._shift) + 1
        starts = torch.arange(stretches + 1, device=self._until.device) << self._shift
        guide = torch.searchsorted(self._until, starts, right=True, out_int32=True).clamp_(max=len(self._until) - 1)
        self._halvings = int((guide[1:] - guide[:-1]).max()).bit_length()
        self._guide = guide

    def _take(self, ids: Tensor) -> Tensor:
        return _at(self._until, ids)

    def _follow(self, device: torch.device) -> None:
        if self._until.device != device:
            self._until = self._until.to(device)
            self._guide = None if self._guide is None else self._guide.to(device)


def _at(values: Tensor, index: Tensor) -> Tensor:
    """``values[index]``, which ``index_select`` does faster."""
    return values.index_select(0, index.reshape(-1)).view(index.shape)


def scaled(shares: Tensor) -> Tensor:
    """Integer weights in proportion to ``shares`` >= 0, of total about 2^48; at least 1 for a share above 0.

    A probability ``p`` becomes one that is off by at most ``(1 + V p) / 2^48``.
    """
    shares = shares.double() / shares.double().sum()
    weights = torch.round(shares * (MAX_TOTAL - len(shares))).long()
    return torch.where(shares > 0, weights.clamp(min=1), 0)


def power_weights(counts: Tensor, exponent: float) -> Tensor:
    """Integer weights ``count ** exponent``: the counts themselves for 1, else scaled; 0 for no count but exponent 0.

    Args:
        counts: (V + 1,) events of each id; ``counts[0]`` is 0.
        exponent: any finite number.
    """
    if exponent == 1 and int(counts.sum()) <= MAX_TOTAL:
        return counts.long()
    logs = exponent * torch.log(counts.double())  # by logs, so that no power overflows
    logs = torch.where(counts > 0, logs, 0.0 if exponent == 0 else -math.inf)
    logs[0] = -math.inf
    return scaled(torch.softmax(logs, 0))


def check_counts(counts: Tensor) -> None:
    """Refuses what is no train count of each id.

    Raises:
        ValueError: as it says.
    """
    if len(counts) < 2 or int(counts[0]) != 0 or int(counts.min()) < 0 or int(counts.sum()) < 1:
        raise ValueError("counts must be (V + 1,) numbers >= 0, counts[0] == 0, with at least one event")
