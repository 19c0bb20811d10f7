"""The targets of training as a distribution, and what of them is a sequence's own: never its negatives."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.packed import Batch
from negsample.samplers.distribution import Categorical, check_counts


@dataclass(frozen=True)
class OwnItems:
    """Occurrences of items by sequence: ``items_N[n]`` is one of sequence ``rows_N[n]``, as often as it is there.

    ``sequences``: B. ``width``: V + 1.
    """

    rows_N: Tensor
    items_N: Tensor
    sequences: int
    width: int

    @cached_property
    def totals(self) -> Tensor:
        """(B,) occurrences of each sequence."""
        totals = torch.zeros(self.sequences, dtype=torch.int64, device=self.rows_N.device)
        return totals.index_add_(0, self.rows_N, torch.ones_like(self.rows_N))

    def shared(self, ids_K: Tensor) -> Tensor:
        """(B, K) how often each sequence has each of ``ids_K``, as float32."""
        k = len(ids_K)
        counts = torch.zeros(self.sequences * k, device=ids_K.device)
        if not k:
            return counts.view(self.sequences, k)
        ordered_K = ids_K.sort().values
        first_N = torch.searchsorted(ordered_K, self.items_N).clamp_(max=k - 1)
        there_N = (ordered_K[first_N] == self.items_N).float()
        counts.index_add_(0, self.rows_N * k + first_N, there_N)
        return counts.view(self.sequences, k).index_select(1, torch.searchsorted(ordered_K, ids_K))

    def count(self, rows: Tensor, ids: Tensor) -> Tensor:
        """How often the sequences ``rows`` have ``ids``; of one shape, or broadcast to it."""
        keys = (rows * self.width + ids).contiguous()
        return torch.searchsorted(self._keys, keys, right=True) - torch.searchsorted(self._keys, keys)

    @cached_property
    def _keys(self) -> Tensor:
        return (self.rows_N * self.width + self.items_N).sort().values


class TargetLaw:
    """How often each id is a target in an epoch, as a distribution.

    Args:
        counts: (V + 1,) of every epoch whose batches do not know it; ``counts[0]`` is 0.
    """

    def __init__(self, counts: Tensor) -> None:
        check_counts(counts)
        self._usual = self._distribution = Categorical(counts)
        self._epoch: NDArray[np.int64] | None = None  # the counts that the distribution is of

    def of(self, batch: Batch) -> Categorical:
        """That of the batch's epoch."""
        counts = batch.target_counts
        if counts is None:
            return self._usual
        if counts is not self._epoch:
            self._epoch, self._distribution = counts, Categorical(torch.from_numpy(counts))
        return self._distribution


def own_targets(batch: Batch) -> OwnItems:
    """What of the training targets is of each sequence's user: the targets of the sequence, and of their others."""
    width = batch.catalogue_size + 1
    if batch.target_keys is not None:
        return OwnItems(batch.target_keys // width, batch.target_keys % width, batch.sequences, width)
    return OwnItems(batch.target_rows, batch.targets_T, batch.sequences, width)


def own_among(items_N: Tensor, users_N: Tensor, batch: Batch) -> OwnItems:
    """What of ``items_N``, occurrences of the users ``users_N``, is of each sequence's user."""
    rows, at = torch.nonzero(batch.users_B.unsqueeze(1) == users_N, as_tuple=True)
    return OwnItems(rows, items_N[at], batch.sequences, batch.catalogue_size + 1)
