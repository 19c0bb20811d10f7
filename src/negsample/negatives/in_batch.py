"""Proposals from the batch itself: the targets of all its sequences."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from negsample.data.batches import Batch
from negsample.negatives.base import Negatives, Per, check_draws
from negsample.negatives.collisions import excluded, log_prob
from negsample.negatives.law import Line, Occurrences, check_counts

_MARKS = 1 << 22  # numbers held at once to find repeats, 32 MB


class InBatch:
    """Targets of the batch, so in proportion to their occurrence in it, without the excluded ones.

    With a number ``k``: K positions drawn without replacement from the flattened targets (an item that is the target
    of two positions can come twice); ``0`` where fewer than K are allowed. With ``"all"``: every target, (T,) ids
    shared by the batch.

    ``log_q`` is the law of one draw. Without ``counts`` it is the law within this batch: the item's occurrences over
    those allowed. With ``counts`` it is the law over all batches: the item's share of the counts that are not
    excluded. A log-q correction needs the latter: the former knows nothing of the items outside the batch.

    Args:
        k: K, or ``"all"``.
        counts: (V + 1,) how often each id is a target in training; ``counts[0]`` is 0.
        per: who shares the draws; ``"all"`` is shared by the batch.
    """

    frozen = 0

    def __init__(self, k: int | Literal["all"], *, counts: Tensor | None = None, per: Per | None = None) -> None:
        if k != "all" and k < 1:
            raise ValueError(f"k must be >= 1 or 'all', got {k}")
        if k == "all" and per not in (None, "batch"):
            raise ValueError(f"all targets are shared by the batch, got per={per!r}; leave it out or give a number k")
        self.k: int | Literal["all"] = k
        self.per: Per = "batch" if k == "all" else per or "sequence"
        check_draws(1 if k == "all" else k, self.per)
        if counts is not None:
            check_counts(counts)
        self._law = None if counts is None else Line(counts)

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Tensor:
        """Ids."""
        if self.k == "all":
            return batch.targets_T
        positions = _without_replacement(batch, self.k, self.per, rng)
        return torch.where(positions >= 0, batch.targets_T[positions.clamp(min=0)], 0)

    def sample(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """Draws with their ``log_q``; see the class."""
        ids = self.draw(batch, rng=rng)
        return Negatives(ids, self.log_prob(ids, batch, per=self.per))

    def log_prob(self, ids: Tensor, batch: Batch, *, per: Per) -> Tensor:
        """See :class:`~negsample.negatives.base.Sampler`."""
        return log_prob(self._law or Occurrences(batch.targets_T), ids, batch, per)


def _without_replacement(batch: Batch, k: int, per: Per, rng: torch.Generator) -> Tensor:
    """(K,), (B, K) or (T, K) positions, uniform without replacement over those allowed; -1 where none is left.

    Uniform draws with replacement, of which repeats and forbidden ones are passed over, are draws without
    replacement. Rows for which a fixed number of draws was not enough are drawn by sorting T random keys.
    """
    t = len(batch.targets_T)
    rows = {"batch": 1, "sequence": batch.sequences, "position": t}[per]
    tries = min(2 * k + 16, 4 * t)
    tried = torch.randint(t, (rows, tries), generator=rng, device=batch.device)
    good = _first_of_its_kind(tried, t) & ~excluded(batch.targets_T[tried], batch, per)
    place = torch.cumsum(good, 1) - 1  # the place of each good draw among the good ones of its row
    chosen = torch.full((rows, k + 1), -1, dtype=torch.int64, device=batch.device)
    chosen.scatter_(1, torch.where(good & (place < k), place, k), tried)
    chosen = chosen[:, :k]
    short = torch.nonzero(place[:, -1] + 1 < k).flatten()
    if len(short):
        chosen[short] = _by_sorting(batch, short, k, per, rng)
    return chosen[0] if per == "batch" else chosen


def _first_of_its_kind(values_NM: Tensor, below: int) -> Tensor:
    """(N, M) whether no equal value (all in ``[0, below)``) stands before it in its row."""
    at = torch.arange(values_NM.shape[1], device=values_NM.device)
    parts = []
    for values in torch.split(values_NM, max(1, _MARKS // below)):
        first = values.new_full((len(values), below), values.shape[1])
        first.scatter_reduce_(1, values, at.expand(len(values), -1), "amin")
        parts.append(torch.gather(first, 1, values) == at)
    return torch.cat(parts)


def _by_sorting(batch: Batch, rows: Tensor, k: int, per: Per, rng: torch.Generator) -> Tensor:
    t = len(batch.targets_T)
    keys = torch.rand(len(rows), t, generator=rng, dtype=torch.float64, device=batch.device)
    keys.masked_fill_(excluded(batch.targets_T.expand(len(rows), -1), batch, per, rows), math.inf)
    least = torch.topk(keys, min(k, t), dim=1, largest=False)
    chosen = torch.full((len(rows), k), -1, dtype=torch.int64, device=batch.device)
    chosen[:, : min(k, t)] = torch.where(torch.isfinite(least.values), least.indices, -1)
    return chosen
