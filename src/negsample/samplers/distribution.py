"""Distributions over the catalogue: integer weights on a line, looked up in O(1)."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

MAX_TOTAL = 1 << 53  # of a distribution's weights: a double's resolution, and so that of a uniform draw


class Weights(Protocol):
    """A distribution of which the integer weight of each item is known."""

    @property
    def total(self) -> int:
        """Sum of all weights."""

    def weight(self, ids: Tensor) -> Tensor:
        """Weights of ``ids``; 0 for id 0."""


class UniformDistribution:
    """Every item the same."""

    def __init__(self, items: int) -> None:
        if items < 1:
            raise ValueError(f"items must be >= 1, got {items}")
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


class Empirical:
    """One id out of ``ids``: each as often as it is there."""

    def __init__(self, ids: Tensor) -> None:
        self._items, self._counts = torch.unique(ids, return_counts=True)
        self.total = len(ids)

    def weight(self, ids: Tensor) -> Tensor:
        """Occurrences of ``ids``."""
        if not self.total:
            return torch.zeros_like(ids)
        at = torch.searchsorted(self._items, ids.contiguous()).clamp_(max=len(self._items) - 1)
        return torch.where(self._items[at] == ids, self._counts[at], 0)


class Categorical:
    """Any weights. Moves to the device of the ids or points it is given.

    A point is located by a guide: the line is cut into stretches of equal length, at least one an item with weight,
    and each knows the item at its start; what is left between two starts is halved. That is O(1) for weights like
    those of popularity, O(log V) at worst, and no step of it is approximate.

    Args:
        weights: (V + 1,) integers >= 0, ``weights[0]`` is 0, with a sum from 1 to ``MAX_TOTAL``.
    """

    def __init__(self, weights: Tensor) -> None:
        self._until = torch.cumsum(weights.long(), 0)  # until[i]: of all ids up to i
        self.total = int(self._until[-1])
        self._guide: _Guide | None = None

    def weight(self, ids: Tensor) -> Tensor:
        """Weights of ``ids``."""
        self._follow(ids.device)
        return _at(self._until, ids) - self.before(ids)

    def before(self, ids: Tensor) -> Tensor:
        """Sum of the weights of all smaller ids."""
        self._follow(ids.device)
        return _at(self._until, (ids - 1).clamp_(min=0))

    def locate(self, points: Tensor) -> Tensor:
        """The item at each point."""
        self._follow(points.device)
        if self._guide is None:
            self._guide = _Guide(self._until, self.total)
        return self._guide.locate(points)

    def _follow(self, device: torch.device) -> None:
        if self._until.device != device:
            self._until = self._until.to(device)
            if self._guide is not None:
                self._guide.follow(device)


class _Guide:
    """Running sums of the ids with weight, or of all, and which of them is at the start of each stretch."""

    def __init__(self, until: Tensor, total: int) -> None:
        has_weight = torch.diff(until, prepend=until[:1]) > 0
        some = int(has_weight.sum())
        self._ids: Tensor | None = None  # all
        if 4 * some < 3 * len(until):  # runs of ids without weight would have to be halved away
            self._ids = torch.nonzero(has_weight).flatten()
            until = until[self._ids]
        self._until = until
        self._shift = max(0, (total // some).bit_length() - 1)  # a stretch has the length 2 ** shift
        starts = torch.arange((total >> self._shift) + 2, device=until.device) << self._shift
        self._starts = torch.searchsorted(until, starts, right=True, out_int32=True).clamp_(max=len(until) - 1)
        self._halvings = int((self._starts[1:] - self._starts[:-1]).max()).bit_length()

    def follow(self, device: torch.device) -> None:
        self._until, self._starts = self._until.to(device), self._starts.to(device)
        self._ids = None if self._ids is None else self._ids.to(device)

    def locate(self, points: Tensor) -> Tensor:
        stretch = points >> self._shift
        low, high = _at(self._starts, stretch).long(), _at(self._starts, stretch + 1).long()
        for _ in range(self._halvings):
            middle = (low + high) >> 1
            beyond = _at(self._until, middle) <= points
            low, high = torch.where(beyond, middle + 1, low), torch.where(beyond, high, middle)
        return low if self._ids is None else _at(self._ids, low)


Distribution = UniformDistribution | Categorical
"""Integer weights over items ``1..V``, on a line: item ``i`` covers ``[before(i), before(i) + weight(i))``."""


def _at(values: Tensor, index: Tensor) -> Tensor:
    """``values[index]``, which ``index_select`` does faster."""
    return values.index_select(0, index.reshape(-1)).view(index.shape)


def scaled(shares: Tensor, total: int = MAX_TOTAL) -> Tensor:
    """Integer weights in proportion to ``shares`` >= 0, of ``total`` or a little less; at least 1 for a share above 0.

    A probability ``p`` becomes one that is off by at most ``(1 + V p) / total``, and by the rounding of doubles.
    """
    shares = shares.double() / shares.double().sum()
    weights = torch.round(shares * (total - len(shares))).long()
    return torch.where(shares > 0, weights.clamp(min=1), 0)


def power_weights(counts: Tensor, exponent: float) -> Tensor:
    """Integer weights ``count ** exponent``: the counts themselves for 1, else scaled; 0 for no count but exponent 0.

    Args:
        counts: (V + 1,) events of each id; ``counts[0]`` is 0.
        exponent: any finite number.
    """
    if exponent == 1 and int(counts.sum()) <= MAX_TOTAL:
        return counts.long()
    some = counts > 0
    if exponent == 0:
        some = torch.ones_like(some)
        some[0] = False
    # Relative to the count of the largest power, so that no power overflows.
    largest = counts.max() if exponent > 0 else torch.where(counts > 0, counts, counts.max()).min()
    powers = (counts.double() / largest.double()) ** exponent
    return scaled(torch.where(some, powers, 0.0))


def check_counts(counts: Tensor) -> None:
    """Refuse what is no train count of each id, with a ``ValueError``."""
    if len(counts) < 2 or int(counts[0]) != 0 or int(counts.min()) < 0 or int(counts.sum()) < 1:
        raise ValueError("counts must be (V + 1,) numbers >= 0, counts[0] == 0, with at least one event")
