"""Several proposals as one."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from negsample.data.batches import Batch
from negsample.negatives.base import Negatives, Sampler
from negsample.negatives.collisions import in_history


class Mixture:
    """The draws of all ``parts`` side by side (MNS: Yang et al., WWW'20).

    ``log_q`` is the mixture's for every id, whichever part drew it: ``q(i) = sum_c K_c q_c(i) / sum_c K_c``.
    Parts shared by the batch are given to every sequence, without what its user has.
    """

    def __init__(self, *parts: Sampler) -> None:
        if len(parts) < 2:
            raise ValueError(f"a mixture needs at least two parts, got {len(parts)}")
        # A mixture in a mixture is the mixture of all their parts.
        self.parts: list[Sampler] = [
            each for part in parts for each in (part.parts if isinstance(part, Mixture) else [part])
        ]

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Tensor:
        """(B, sum K_c) ids."""
        return torch.cat([per_sequence(part.draw(batch, rng=rng), batch) for part in self.parts], 1)

    def sample(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """(B, sum K_c) draws with the mixture's ``log_q``."""
        ids = self.draw(batch, rng=rng)
        return Negatives(ids, self.log_prob(ids, batch))

    def log_prob(self, ids_BK: Tensor, batch: Batch) -> Tensor:
        """See :class:`~negsample.negatives.base.Sampler`."""
        sizes = [len(batch.targets_T) if part.k == "all" else part.k for part in self.parts]
        logs = [
            part.log_prob(ids_BK, batch) + math.log(size / sum(sizes))
            for part, size in zip(self.parts, sizes, strict=True)
        ]
        return torch.logsumexp(torch.stack(logs), 0)

    @property
    def k(self) -> int | Literal["all"]:
        """Draws a sequence, of all parts together; ``"all"`` where one of them depends on the batch."""
        total = 0
        for part in self.parts:
            if part.k == "all":
                return "all"
            total += part.k
        return total


def per_sequence(ids: Tensor, batch: Batch) -> Tensor:
    """(B, K) from (K,) shared or (B, K) per sequence; what a user has becomes 0 in the shared ones."""
    if ids.dim() == 2:
        return ids
    shared = ids.expand(batch.sequences, -1)
    return shared.masked_fill(in_history(shared, batch), 0)
