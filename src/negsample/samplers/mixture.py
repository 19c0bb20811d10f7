"""Several samplers as one."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from negsample.batches.packed import NOBODY, Batch
from negsample.samplers.base import PER, Negatives, Per, Sampler, draw_with_log_q, draws_of_several, own_mask
from negsample.samplers.exclusion import excluded, rows_of, taken
from negsample.samplers.memory_bank import MemoryBank


class Mixture:
    """The draws of all ``parts`` side by side (MNS: Yang et al., WWW'20).

    ``log_q`` is the mixture's for every id, whichever part drew it: ``q(i) = sum_c m_c q_c(i) / sum_c m_c``, with
    ``m_c`` the draws of a part that are really there for the row: not its own, not excluded, not run out. Whatever
    they are, the estimate ``sum_j f(j) / (m q(j))``, m all of them, has the mean ``sum_i f(i)``.

    The mixture is as fine as its finest part: draws that more share are given to every sequence or position, without
    what is excluded there. It answers for its last draw, so one object serves one training.
    """

    def __init__(self, *parts: Sampler) -> None:
        if len(parts) < 2:
            raise ValueError(f"a mixture needs at least two parts, got {len(parts)}")
        # A mixture in a mixture is the mixture of all their parts.
        self.parts: list[Sampler] = [
            each for part in parts for each in (part.parts if isinstance(part, Mixture) else [part])
        ]
        if any(isinstance(part, MemoryBank) for part in self.parts[:-1]):
            raise ValueError("a memory bank takes no gradient and must be the last part of a mixture; change the order")
        self.per: Per = max((part.per for part in self.parts), key=PER.index)
        self._there: list[Tensor] | None = None

    @property
    def k(self) -> int | Literal["all"]:
        """Draws of all parts together; ``"all"`` where one of them depends on the batch."""
        sizes = [part.k for part in self.parts]
        return "all" if "all" in sizes else sum(map(int, sizes))

    @property
    def of_several(self) -> bool:
        """See :class:`~negsample.samplers.base.Sampler`."""
        return all(draws_of_several(part) for part in self.parts)

    sample = draw_with_log_q

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """Ids of all parts, in their order."""
        drawn = [spread(part.draw(batch, rng=rng), batch, part.per, self.per) for part in self.parts]
        self._there = [_there(each, batch) for each in drawn]
        ids = torch.cat([each.ids for each in drawn], -1)
        return Negatives(ids, owner=_owners(drawn), frozen=drawn[-1].frozen)

    def log_prob(self, ids: Tensor, batch: Batch, *, per: Per, rows: Tensor | None = None) -> Tensor:
        """See :class:`~negsample.samplers.base.Sampler`; with ``per="batch"``, parts weigh what they are to draw."""
        total, mixed = torch.zeros(1, device=batch.device), torch.zeros(1, device=batch.device)
        for number, part in enumerate(self.parts):
            there = self._there_for(number, batch, per, rows)
            mixed = mixed + part.log_prob(ids, batch, per=per, rows=rows).exp_().mul(there)
            total = total + there
        return (mixed / total.clamp(min=1)).log_()

    def _there_for(self, number: int, batch: Batch, per: Per, rows: Tensor | None) -> Tensor:
        """(1,) or (N, 1) draws of a part that are there for each row."""
        if per == "batch" or self._there is None:
            size = self.parts[number].k
            return torch.full((1,), len(batch.pool.targets_N) if size == "all" else size, device=batch.device)
        there = self._there[number]
        if there.dim() == 1:
            return there
        if per == "position" and self.per != "position":
            there = there[batch.target_rows]
        return taken(there, rows)


def spread(drawn: Negatives, batch: Batch, of: Per, to: Per) -> Negatives:
    """What was drawn in the granularity ``of`` in the finer one ``to``; what is excluded or own there becomes 0."""
    if of == to:
        return drawn
    rows = rows_of(batch, to)
    if drawn.ids.dim() == 1:
        finer = drawn.ids.expand(len(rows), -1)
    else:
        finer = (batch.by_sequence(drawn.ids) if of == "batch" else drawn.ids).index_select(0, rows)
    left_out = excluded(finer, batch, to)
    if drawn.owner is not None:
        left_out[:, : drawn.owner.shape[-1]] |= own_mask(drawn.owner, batch)[rows]
    return Negatives(finer.masked_fill(left_out, 0), frozen=drawn.frozen)


def _there(drawn: Negatives, batch: Batch) -> Tensor:
    """(1,) or (N, 1) how many of the ids are there for each row."""
    present = (drawn.ids > 0).sum(-1, keepdim=True)
    present = batch.by_sequence(present) if present.dim() == 3 else present
    return present if drawn.owner is None else present - own_mask(drawn.owner, batch).sum(1, keepdim=True)


def _owners(drawn: list[Negatives]) -> Tensor | None:
    """(N,), or (S, N), of the first ids of all parts, up to the last that is somebody's."""
    last = max((at for at, each in enumerate(drawn) if each.owner is not None), default=-1)
    owners = []
    for each in drawn[: last + 1]:
        ids = each.ids if each.ids.dim() == 1 else each.ids.squeeze(1)
        owner = ids[..., :0] if each.owner is None else each.owner
        owners.append(F.pad(owner, (0, ids.shape[-1] - owner.shape[-1]), value=NOBODY))
    return torch.cat(owners, -1) if owners else None
