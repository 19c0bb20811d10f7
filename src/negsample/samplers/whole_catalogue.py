"""The whole catalogue as negatives: for full cross-entropy."""

from __future__ import annotations

import torch
from torch import Tensor

from negsample.batches.packed import Batch
from negsample.samplers.base import Negatives, Per, draw_with_log_q
from negsample.samplers.distribution import UniformDistribution
from negsample.samplers.exclusion import log_prob


class WholeCatalogue:
    """Every item once, shared by the batch; what is excluded is masked when it is scored.

    ``log_q = -log V``: with V draws the log-q correction is nothing, as it must be for what is no estimate.

    Args:
        items: V.
    """

    per: Per = "batch"

    def __init__(self, items: int) -> None:
        if items < 1:
            raise ValueError(f"items must be >= 1, got {items}")
        self.k = items

    sample = draw_with_log_q

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """(V,) ids ``1..V``; nothing is drawn."""
        return Negatives(torch.arange(1, self.k + 1, device=batch.device))

    def log_prob(self, ids: Tensor, batch: Batch, *, per: Per, rows: Tensor | None = None) -> Tensor:
        """See :class:`~negsample.samplers.base.Sampler`."""
        return log_prob(UniformDistribution(self.k), ids, batch, per, rows=rows)
