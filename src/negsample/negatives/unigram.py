"""Proposals by a fixed weight an item: uniform, or a power of popularity."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from negsample.data.batches import Batch
from negsample.negatives.base import Negatives
from negsample.negatives.collisions import MAX_TOTAL, Law, allowed_total, draw_allowed, in_history


class Uniform:
    """``K`` items a sequence, each equally likely among those its user does not have.

    Args:
        items: V, the catalogue's size.
        k: K, draws a sequence, with replacement.
    """

    def __init__(self, items: int, k: int) -> None:
        if items < 1 or k < 1:
            raise ValueError(f"items and k must be >= 1, got items {items} and k {k}")
        self.total = items
        self.k = k

    def weight(self, ids: Tensor) -> Tensor:
        """One for every item."""
        return torch.ones_like(ids)

    def before(self, ids: Tensor) -> Tensor:
        """How many items are smaller."""
        return ids - 1

    def locate(self, points: Tensor) -> Tensor:
        """The item at each point."""
        return points + 1

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Tensor:
        """(B, K) ids."""
        return draw_allowed(self, batch, self.k, rng=rng)

    def sample(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """(B, K) draws; ``log_q = -log(V - items of the user)``."""
        ids = self.draw(batch, rng=rng)
        return Negatives(ids, self.log_prob(ids, batch))

    def log_prob(self, ids_BK: Tensor, batch: Batch) -> Tensor:
        """See :class:`~negsample.negatives.base.Sampler`."""
        return _log_prob(self, ids_BK, batch)


class Popularity:
    """``K`` items a sequence with probability proportional to ``count ** exponent``, the user's own left out.

    Items without a train event have no popularity and are never drawn, unless the exponent is 0 (uniform).
    The weights are integers: the counts themselves for exponent 1, else scaled to a total of 2^48, so that a
    probability is off by at most 2^-48.

    Args:
        counts: (V + 1,) train count of each id; ``counts[0]`` is 0.
        k: K, draws a sequence, with replacement.
        exponent: 1 popularity (Mikolov et al., 2013, have 0.75), 0 uniform, -1 inverse.
    """

    def __init__(self, counts: Tensor, k: int, *, exponent: float = 1.0) -> None:
        if k < 1:
            raise ValueError(f"k must be >= 1, got {k}")
        if not math.isfinite(exponent):
            raise ValueError(f"popularity exponent must be a finite number, got {exponent}")
        if len(counts) < 2 or int(counts[0]) != 0 or int(counts.min()) < 0 or int(counts.sum()) < 1:
            raise ValueError("counts must be (V + 1,) numbers >= 0, counts[0] == 0, with at least one event")
        self.k = k
        self._weights = _integer_weights(counts, exponent)
        self._until = torch.cumsum(self._weights, 0)
        self.total = int(self._until[-1])

    def weight(self, ids: Tensor) -> Tensor:
        """Integer weights of ``ids``."""
        return self._weights[ids]

    def before(self, ids: Tensor) -> Tensor:
        """Sum of the weights of all smaller ids."""
        return self._until[ids] - self._weights[ids]

    def locate(self, points: Tensor) -> Tensor:
        """The item at each point, by binary search: O(log V)."""
        return torch.searchsorted(self._until, points, right=True)

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Tensor:
        """(B, K) ids."""
        return draw_allowed(self, batch, self.k, rng=rng)

    def sample(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """(B, K) draws; ``log_q`` = log of the item's share of the weight its user leaves."""
        ids = self.draw(batch, rng=rng)
        return Negatives(ids, self.log_prob(ids, batch))

    def log_prob(self, ids_BK: Tensor, batch: Batch) -> Tensor:
        """See :class:`~negsample.negatives.base.Sampler`."""
        return _log_prob(self, ids_BK, batch)


def _integer_weights(counts: Tensor, exponent: float) -> Tensor:
    if exponent == 1 and int(counts.sum()) <= MAX_TOTAL:
        return counts.long()
    logs = exponent * torch.log(counts[1:].double())  # by logs, so that no power overflows
    logs = torch.where(counts[1:] > 0, logs, 0.0 if exponent == 0 else -math.inf)
    shares = torch.softmax(logs, 0)
    weights = torch.round(shares * (MAX_TOTAL - len(shares))).long()
    return torch.cat([weights.new_zeros(1), torch.where(shares > 0, weights.clamp(min=1), 0)])


def _log_prob(law: Law, ids_BK: Tensor, batch: Batch) -> Tensor:
    log_q = torch.log(law.weight(ids_BK).double()) - torch.log(allowed_total(law, batch).double())
    return torch.where((ids_BK > 0) & ~in_history(ids_BK, batch), log_q, -math.inf).float()
