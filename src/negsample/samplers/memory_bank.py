"""Samplers with a memory: the targets of earlier batches, and the negatives that were hard in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from negsample.batches.packed import NOBODY, Batch
from negsample.batches.windows import Ints
from negsample.samplers.base import Negatives, Per, draw_with_log_q
from negsample.samplers.distribution import Empirical, UniformDistribution
from negsample.samplers.exclusion import log_prob
from negsample.samplers.own_items import TargetLaw, own_among, own_targets


class MemoryBank:
    """The last ``size`` targets of earlier batches, first in first out, shared by the batch (CBNS, SIGIR'21).

    A batch's targets go in in random order, so that what is left of the oldest batch is of all its sequences alike:
    batches are sorted longest first. A user's own targets, which may still be there from an epoch before, are never
    negatives for them; ``log_q`` is that of :class:`~negsample.samplers.in_batch.InBatch`.

    They take no gradient (``frozen``); with the batch's own targets: ``Mixture(InBatch("all"), MemoryBank(...))``. CBNS
    keeps vectors as they were computed, to save an encoder's work; here the bank keeps ids, whose vectors are read from
    the item table as they are now. The bank changes with each draw, so one object serves one training.

    Args:
        size: ids kept.
        warm_up: batches before it is used, since a model changes fast at first; the bank fills.
        counts: (V + 1,) how often each id is a target in an epoch: ``log_q`` is that of the distribution over all
            batches. Without them it is that of one draw from what is in the bank. A batch with the counts of its own
            epoch (``Batch.target_counts``) takes precedence; with such batches the bank begins anew in each epoch,
            since what was a target in the one before may be none in this one.
    """

    per: Per = "batch"

    def __init__(self, size: int, *, warm_up: int = 0, counts: Tensor | None = None) -> None:
        if size < 1:
            raise ValueError(f"the bank's size must be >= 1, got {size}")
        if warm_up < 0:
            raise ValueError(f"warm_up must be >= 0 batches, got {warm_up}")
        self.size, self.warm_up = size, warm_up
        self.most = size  # ids of a draw, once the bank is full
        self._law = None if counts is None else TargetLaw(counts)
        self._kept = torch.empty(2, 0, dtype=torch.int64)  # ids, and whose they are
        self._drawn = self._kept
        self._batches = 0
        self._epoch: Ints | None = None  # the target counts of its batches, where they have some

    @property
    def k(self) -> int | Literal["all"]:
        """Ids of the last draw."""
        return self._drawn.shape[1]

    sample = draw_with_log_q

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """(at most size,) ids: the bank as it was before this batch's targets go in."""
        if batch.target_counts is not self._epoch:
            self._kept, self._epoch = self._kept[:, :0], batch.target_counts
        kept = self._kept.to(batch.device)
        self._drawn = kept if self._batches >= self.warm_up else kept[:, :0]
        self._batches += 1
        pool = batch.pool
        order = torch.randperm(len(pool.targets_N), generator=rng, device=batch.device)[: self.size]
        into = torch.stack([pool.targets_N, pool.users_N.clamp(min=NOBODY)])[:, order]
        self._kept = torch.cat([kept, into], 1)[:, -self.size :]
        ids, owner = self._drawn
        return Negatives(ids, owner=owner, frozen=len(ids))

    def state_dict(self) -> dict[str, Any]:
        """What it remembers between two batches."""
        return {"kept": self._kept, "batches": self._batches}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``, of a bank of the same size."""
        self._kept, self._batches = state["kept"].clone(), state["batches"]

    def log_prob(self, ids: Tensor, batch: Batch, *, per: Per, rows: Tensor | None = None) -> Tensor:
        """See :class:`~negsample.samplers.base.Sampler`; without ``counts``, of the bank that was drawn last."""
        drawn, users = self._drawn
        if self._law is not None:
            return log_prob(self._law.of(batch), ids, batch, per, rows=rows, own=own_targets(batch))
        return log_prob(Empirical(drawn), ids, batch, per, rows=rows, own=own_among(drawn, users, batch))


class Cache:
    """``K`` draws from the last ``size`` negatives that a selection chose, shared by the batch (XIR, NeurIPS'22).

    What was informative is drawn again: :class:`~negsample.miners.Resample` updates this cache with what it took. Until
    the cache is full, the missing part of it is the catalogue, evenly; ``log_q`` is exactly that. XIR keeps counts of
    all choices since the start; here the last ``size`` count. It changes with each selection, so one object serves one
    training.

    Args:
        items: V.
        k: K, draws with replacement.
        size: choices kept.
    """

    per: Per = "batch"

    def __init__(self, items: int, k: int, *, size: int) -> None:
        if items < 1 or k < 1 or size < 1:
            raise ValueError(f"items, k and size must be >= 1, got items {items}, k {k} and size {size}")
        self.k, self.size = k, size
        self._even = UniformDistribution(items)
        self._kept = torch.empty(0, dtype=torch.int64)
        self._drawn_from = self._kept

    def remember(self, ids: Tensor) -> None:
        """Keep ``ids`` (any shape; 0 is nothing), the latest ones of a call at the end; evenly thinned if too many."""
        chosen = ids.flatten()
        chosen = chosen[chosen > 0]
        self._kept = torch.cat([self._kept.to(chosen.device), _thinned(chosen, self.size)])[-self.size :]

    sample = draw_with_log_q

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """(K,) ids, occurrences of nobody: what was chosen stands for itself."""
        self._drawn_from = self._kept.to(batch.device)
        index = torch.randint(self.size, (self.k,), generator=rng, device=batch.device)
        anywhere = torch.randint(1, self._even.total + 1, (self.k,), generator=rng, device=batch.device)
        known = len(self._drawn_from)
        if not known:
            return Negatives(anywhere)
        return Negatives(torch.where(index < known, self._drawn_from[index.clamp(max=known - 1)], anywhere))

    def state_dict(self) -> dict[str, Any]:
        """What it remembers between two batches."""
        return {"kept": self._kept}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``, of a cache of the same size."""
        self._kept = state["kept"].clone()

    def log_prob(self, ids: Tensor, batch: Batch, *, per: Per, rows: Tensor | None = None) -> Tensor:
        """See :class:`~negsample.samplers.base.Sampler`; of the cache as it was at the last draw."""
        return log_prob(_Cached(Empirical(self._drawn_from), self._even, self.size), ids, batch, per, rows=rows)


def _thinned(ids: Tensor, most: int) -> Tensor:
    """``ids``, or ``most`` of them from all over: those at the end of a batch are of its short sequences."""
    if len(ids) <= most:
        return ids
    return ids[torch.arange(most, device=ids.device) * len(ids) // most]


class _Cached:
    """``occurrences`` of ``size``, of which the empty ones are the catalogue evenly; in units of 1 / V."""

    def __init__(self, occurrences: Empirical, even: UniformDistribution, size: int) -> None:
        self._occurrences, self._even, self._empty = occurrences, even, size - occurrences.total
        self.total = size * even.total

    def weight(self, ids: Tensor) -> Tensor:
        return self._occurrences.weight(ids) * self._even.total + self._even.weight(ids) * self._empty
