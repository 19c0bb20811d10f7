"""The whole catalogue as one proposal: for full cross-entropy."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from negsample.data.batches import Batch
from negsample.negatives.base import Negatives, Per
from negsample.negatives.collisions import log_prob
from negsample.negatives.law import Even


class WholeCatalogue:
    """Every item once, shared by the batch; what is excluded is masked when it is scored.

    ``log_q = -log V``: with V draws the log-q correction is nothing, as it must be for what is no estimate.

    Args:
        items: V.
    """

    frozen = 0
    per: Per = "batch"

    def __init__(self, items: int) -> None:
        if items < 1:
            raise ValueError(f"items must be >= 1, got {items}")
        self.k = items

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Tensor:
        """(V,) ids ``1..V``; nothing is drawn."""
        return torch.arange(1, self.k + 1, device=batch.device)

    def sample(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """(V,) ids with ``log_q = -log V``."""
        ids = self.draw(batch, rng=rng)
        return Negatives(ids, torch.full(ids.shape, -math.log(self.k), device=ids.device))

    def log_prob(self, ids: Tensor, batch: Batch, *, per: Per) -> Tensor:
        """See :class:`~negsample.negatives.base.Sampler`."""
        return log_prob(Even(self.k), ids, batch, per)
