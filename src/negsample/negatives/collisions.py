"""What a user already has: who is a member, and draws that leave it out exactly.

Exclusion is never by trial and error. A law over the catalogue is a row of integer weights; leaving out a user's
items cuts their stretches from the line of cumulative weight. A draw falls on the shortened line and is moved
past the stretches before it, so its law is exactly the stated one, given that it is none of them. A user who has
everything that could be drawn gets nothing: id ``0``.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from negsample.data.batches import Batch

MAX_TOTAL = 1 << 48  # of a law's weights, so that (row, weight) fits one 64-bit key for up to 2^14 rows
_MAX_ROWS = 1 << 14


class Law(Protocol):
    """Integer weights over items ``1..V``, on a line: item ``i`` covers ``[before(i), before(i) + weight(i))``."""

    @property
    def total(self) -> int:
        """Length of the line, at most ``MAX_TOTAL``."""
        ...

    def weight(self, ids: Tensor) -> Tensor:
        """Weights of ``ids``."""
        ...

    def before(self, ids: Tensor) -> Tensor:
        """Sum of the weights of all smaller ids."""
        ...

    def locate(self, points: Tensor) -> Tensor:
        """The item that covers each point in ``[0, total)``."""
        ...


def contains(sorted_keys: Tensor, keys: Tensor) -> Tensor:
    """Whether each of ``keys`` (any shape) is among ``sorted_keys`` (1-D, ascending)."""
    if len(sorted_keys) == 0:
        return torch.zeros_like(keys, dtype=torch.bool)
    at = torch.searchsorted(sorted_keys, keys).clamp_(max=len(sorted_keys) - 1)
    return sorted_keys[at] == keys


def in_history(ids_BK: Tensor, batch: Batch) -> Tensor:
    """(B, K) whether sequence b's user has ``ids_BK[b, k]``."""
    rows = torch.arange(len(ids_BK), device=ids_BK.device).unsqueeze(1)
    return contains(batch.history_keys, rows * (batch.catalogue_size + 1) + ids_BK)


def allowed_total(law: Law, batch: Batch) -> Tensor:
    """(B, 1) weight that is left of ``law`` for each sequence without its user's items."""
    rows, items = _split_keys(batch)
    had = torch.zeros(batch.sequences, dtype=torch.int64, device=batch.device)
    return law.total - had.index_add_(0, rows, law.weight(items)).unsqueeze(1)


def draw_allowed(law: Law, batch: Batch, k: int, *, rng: torch.Generator) -> Tensor:
    """(B, K) independent draws from ``law`` given that the item is not in the user's history; 0 where none is."""
    if batch.sequences > _MAX_ROWS:
        raise ValueError(f"at most {_MAX_ROWS} sequences a batch, got {batch.sequences}; use a smaller batch_size")
    rows, items = _split_keys(batch)
    weights = law.weight(items)
    cut = torch.cumsum(weights, 0)
    first = torch.searchsorted(rows, torch.arange(batch.sequences + 1, device=batch.device))
    cut_until = torch.cat([cut.new_zeros(1), cut])  # weight cut by all history keys before each
    cut_before_row = cut_until[first[:-1]].unsqueeze(1)
    left = (law.total - (cut_until[first[1:]] - cut_until[first[:-1]])).unsqueeze(1)
    uniform = torch.rand(batch.sequences, k, generator=rng, dtype=torch.float64, device=batch.device)
    points = torch.minimum((uniform * left).long(), left - 1)
    # Where each cut lies on its user's shortened line; ascending within a row, so (row, place) is sorted.
    places = law.before(items) - (cut_until[:-1] - cut_until[first[rows]])
    row_keys = torch.arange(batch.sequences, device=batch.device).unsqueeze(1) * (law.total + 1)
    passed = torch.searchsorted(rows * (law.total + 1) + places, row_keys + points, right=True)
    points = points + cut_until[passed] - cut_before_row
    drawn = law.locate(points.clamp_(0, law.total - 1))
    return torch.where(left > 0, drawn, 0)


def _split_keys(batch: Batch) -> tuple[Tensor, Tensor]:
    width = batch.catalogue_size + 1
    rows = torch.div(batch.history_keys, width, rounding_mode="floor")
    return rows, batch.history_keys - rows * width
