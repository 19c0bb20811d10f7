"""Proposals from the batch itself: the targets of all its sequences."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from negsample.data.batches import Batch
from negsample.negatives.base import Negatives
from negsample.negatives.collisions import contains, in_history


class InBatch:
    """Targets of the batch, so in proportion to their occurrence in it, without those that the user has.

    With a number ``k``: K positions a sequence drawn without replacement from the flattened targets (an item that
    is the target of two positions can come twice); ids (B, K), ``0`` where fewer than K are allowed.
    With ``"all"``: every target, ids (T,) shared by the batch; what a user has is masked when it is scored.
    ``log_q`` is the law of one draw: the item's occurrences over those allowed.
    """

    def __init__(self, k: int | Literal["all"]) -> None:
        if k != "all" and k < 1:
            raise ValueError(f"k must be >= 1 or 'all', got {k}")
        self.k: int | Literal["all"] = k

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Tensor:
        """(B, K) ids per sequence, or (T,) shared."""
        if self.k == "all":
            return batch.targets_T
        positions = _without_replacement(batch, self.k, rng)
        return torch.where(positions >= 0, batch.targets_T[positions.clamp(min=0)], 0)

    def sample(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """See the class; the ``log_q`` of shared ids is that of a user who has none of them."""
        ids = self.draw(batch, rng=rng)
        if self.k != "all":
            return Negatives(ids, self.log_prob(ids, batch))
        _, place, counts = torch.unique(ids, return_inverse=True, return_counts=True)
        return Negatives(ids, torch.log(counts[place] / len(ids)))

    def log_prob(self, ids_BK: Tensor, batch: Batch) -> Tensor:
        """See :class:`~negsample.negatives.base.Sampler`."""
        items, counts = torch.unique(batch.targets_T, return_counts=True)
        share = _log_share(ids_BK, items, counts, batch)
        return share.masked_fill_(in_history(ids_BK, batch), -math.inf)


def _without_replacement(batch: Batch, k: int, rng: torch.Generator) -> Tensor:
    """(B, K) positions among the T targets, uniform without replacement over those allowed; -1 where none is left.

    Uniform draws with replacement, of which repeats and forbidden ones are passed over, are draws without
    replacement. Sequences for which a fixed number of draws was not enough are drawn by sorting T random keys.
    """
    b, t = batch.sequences, len(batch.targets_T)
    tries = min(2 * k + 16, 4 * t)
    tried = torch.randint(t, (b, tries), generator=rng, device=batch.device)
    order = torch.argsort(tried, dim=1, stable=True)
    ordered = torch.gather(tried, 1, order)
    repeat = torch.zeros_like(ordered, dtype=torch.bool)
    repeat[:, 1:] = ordered[:, 1:] == ordered[:, :-1]
    good = torch.empty_like(repeat).scatter_(1, order, ~repeat)
    good &= ~in_history(batch.targets_T[tried], batch)
    place = torch.cumsum(good, 1) - 1  # the place of each good draw among the good ones of its row
    chosen = torch.full((b, k + 1), -1, dtype=torch.int64, device=batch.device)
    chosen.scatter_(1, torch.where(good & (place < k), place, k), tried)
    chosen = chosen[:, :k]
    short = torch.nonzero(place[:, -1] + 1 < k).flatten()
    if len(short):
        chosen[short] = _by_sorting(batch, short, k, rng)
    return chosen


def _by_sorting(batch: Batch, rows: Tensor, k: int, rng: torch.Generator) -> Tensor:
    t = len(batch.targets_T)
    keys = torch.rand(len(rows), t, generator=rng, dtype=torch.float64, device=batch.device)
    wanted = rows.unsqueeze(1) * (batch.catalogue_size + 1) + batch.targets_T
    keys.masked_fill_(contains(batch.history_keys, wanted), math.inf)
    least = torch.topk(keys, min(k, t), dim=1, largest=False)
    chosen = torch.full((len(rows), k), -1, dtype=torch.int64, device=batch.device)
    chosen[:, : min(k, t)] = torch.where(torch.isfinite(least.values), least.indices, -1)
    return chosen


def _log_share(ids_BK: Tensor, items: Tensor, counts: Tensor, batch: Batch) -> Tensor:
    """log of the occurrences of each id over the occurrences of all that its sequence's user does not have."""
    width = batch.catalogue_size + 1
    rows = torch.div(batch.history_keys, width, rounding_mode="floor")
    had = torch.zeros(batch.sequences, dtype=torch.int64, device=batch.device)
    had.index_add_(0, rows, _occurrences(batch.history_keys - rows * width, items, counts))
    allowed = (len(batch.targets_T) - had).unsqueeze(1)
    return torch.log(_occurrences(ids_BK, items, counts) / allowed.clamp(min=1))


def _occurrences(ids: Tensor, items: Tensor, counts: Tensor) -> Tensor:
    at = torch.searchsorted(items, ids.contiguous()).clamp_(max=len(items) - 1)
    return torch.where(items[at] == ids, counts[at], 0)
