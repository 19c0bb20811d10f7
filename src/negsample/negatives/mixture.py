"""Several proposals as one."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from negsample.data.batches import Batch
from negsample.negatives.bank import CrossBatch
from negsample.negatives.base import PER, Negatives, Per, Sampler
from negsample.negatives.collisions import excluded, excluded_share, excludes, rows_of


class Mixture:
    """The draws of all ``parts`` side by side (MNS: Yang et al., WWW'20).

    ``log_q`` is the mixture's for every id, whichever part drew it: ``q(i) = sum_c K_c q_c(i) / sum_c K_c``. The
    mixture is as fine as its finest part: draws that more share are given to every sequence or position, without what
    is excluded there, and so K_c is what of them is left in the mean. (Where in-batch draws run out, K_c stays as
    planned.)
    """

    def __init__(self, *parts: Sampler) -> None:
        if len(parts) < 2:
            raise ValueError(f"a mixture needs at least two parts, got {len(parts)}")
        # A mixture in a mixture is the mixture of all their parts.
        self.parts: list[Sampler] = [
            each for part in parts for each in (part.parts if isinstance(part, Mixture) else [part])
        ]
        if any(isinstance(part, CrossBatch) for part in self.parts[:-1]):
            raise ValueError("a bank, which takes no gradient, must be the last part of a mixture; change the order")
        self.per: Per = max((part.per for part in self.parts), key=PER.index)

    @property
    def k(self) -> int | Literal["all"]:
        """Draws of all parts together; ``"all"`` where one of them depends on the batch."""
        total = 0
        for part in self.parts:
            if part.k == "all":
                return "all"
            total += part.k
        return total

    @property
    def frozen(self) -> int:
        """Of the last part."""
        return self.parts[-1].frozen

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Tensor:
        """Ids of all parts, in their order."""
        return torch.cat(self._each(batch, rng), -1)

    def sample(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """Draws with the mixture's ``log_q``."""
        drawn = self._each(batch, rng)
        ids = torch.cat(drawn, -1)
        return Negatives(ids, self._log_prob(ids, batch, self.per, [each.shape[-1] for each in drawn]))

    def log_prob(self, ids: Tensor, batch: Batch, *, per: Per) -> Tensor:
        """See :class:`~negsample.negatives.base.Sampler`."""
        sizes = [len(batch.targets_T) if part.k == "all" else part.k for part in self.parts]
        return self._log_prob(ids, batch, per, sizes)

    def _each(self, batch: Batch, rng: torch.Generator) -> list[Tensor]:
        return [spread(part.draw(batch, rng=rng), batch, part.per, self.per) for part in self.parts]

    def _log_prob(self, ids: Tensor, batch: Batch, per: Per, sizes: list[int]) -> Tensor:
        logs, total = [], torch.zeros(1, device=batch.device)
        for part, size in zip(self.parts, sizes, strict=True):
            if size:
                left = size * self._left(part, batch, per)
                logs.append(part.log_prob(ids, batch, per=per) + torch.log(left))
                total = total + left
        return torch.logsumexp(torch.stack(logs), 0) - torch.log(total.clamp(min=torch.finfo(total.dtype).tiny))

    def _left(self, part: Sampler, batch: Batch, per: Per) -> Tensor:
        """(1,) or (N, 1) the share of a part's draws that are left when they are given to each row."""
        if excludes(batch, part.per) or not excludes(batch, per):
            return torch.ones(1, device=batch.device)
        return (1 - excluded_share(lambda ids: part.log_prob(ids, batch, per="batch"), batch, per)).clamp(min=0)


def spread(ids: Tensor, batch: Batch, of: Per, to: Per) -> Tensor:
    """``ids`` of granularity ``of`` in the finer one ``to``; what is excluded there becomes 0."""
    if of == to:
        return ids
    rows = rows_of(batch, to)
    finer = ids.expand(len(rows), -1) if of == "batch" else ids.index_select(0, rows)
    return finer.masked_fill(excluded(finer, batch, to), 0)
