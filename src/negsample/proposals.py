"""What is proposed for a batch, and what is kept of it to be used again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from negsample.data.batches import Batch
from negsample.methods import Method
from negsample.negatives import Negatives


class Proposed(NamedTuple):
    """What the first seat gave for a batch.

    ``negatives``: their ``log_q`` is there when the selector needs it, and empty otherwise. ``frozen``: how many at
    the end take no gradient. ``pos_log_q_T``: of the targets, when the selector needs it.
    """

    negatives: Negatives
    frozen: int
    pos_log_q_T: Tensor | None


class Kept(NamedTuple):
    """A step to be done again: whose batch it was, and its proposal, as small as they can be.

    ``users_B``: of the batch. ``ids``: of the negatives, 32 bits each, of any granularity. The rest as of
    :class:`Proposed`.
    """

    users_B: Tensor
    ids: Tensor
    log_q: Tensor
    frozen: int
    pos_log_q_T: Tensor | None

    @classmethod
    def of(cls, batch: Batch, proposed: Proposed) -> Kept:
        """What is kept of a step."""
        ids, log_q = proposed.negatives
        return cls(batch.users_B.to(torch.int32), ids.to(torch.int32), log_q, proposed.frozen, proposed.pos_log_q_T)

    def proposed(self) -> Proposed:
        """The proposal, as it was."""
        return Proposed(Negatives(self.ids.long(), self.log_q), self.frozen, self.pos_log_q_T)

    def to(self, device: torch.device) -> Kept:
        """The same on ``device``."""
        pos_log_q_T = None if self.pos_log_q_T is None else self.pos_log_q_T.to(device, copy=True)
        users_B, ids, log_q = (each.to(device, copy=True) for each in self[:3])
        return Kept(users_B, ids, log_q, self.frozen, pos_log_q_T)


def laid_together(kept: Sequence[Kept]) -> list[Kept]:
    """The same (one at least), as parts of a few large tensors: small ones that stay lie scattered among those that go,
    and hold several times their size of memory."""
    users, ids = _laid([each.users_B for each in kept]), _laid([each.ids for each in kept])
    log_q = _laid([each.log_q for each in kept])
    targets = [each.pos_log_q_T for each in kept if each.pos_log_q_T is not None]
    pos_log_q = _laid(targets) if targets else [None] * len(kept)
    frozen = [each.frozen for each in kept]
    return [Kept(*each) for each in zip(users, ids, log_q, frozen, pos_log_q, strict=True)]


def _laid(tensors: Sequence[Tensor]) -> list[Tensor]:
    parts = torch.split(torch.cat([each.flatten() for each in tensors]), [each.numel() for each in tensors])
    return [part.view(each.shape) for part, each in zip(parts, tensors, strict=True)]


def propose(method: Method, batch: Batch, *, rng: torch.Generator) -> Proposed:
    """The method's proposal, and no more than its selector needs."""
    needs, sampler = method.select.needs, method.sampler
    if "log_q" in needs:
        negatives = sampler.sample(batch, rng=rng)
    else:
        ids = sampler.draw(batch, rng=rng)
        negatives = Negatives(ids, torch.empty(0, device=ids.device))
    pos_log_q_T = sampler.log_prob(batch.targets_T, batch, per="batch") if "pos_log_q" in needs else None
    return Proposed(negatives, sampler.frozen, pos_log_q_T)


def of_positions(ids: Tensor, batch: Batch) -> bool:
    """Whether each position has negatives of its own."""
    return ids.dim() == 2 and len(ids) != batch.sequences


def part_of(proposed: Proposed, batch: Batch, first: int, last: int) -> Proposed:
    """Of sequences ``first .. last - 1``."""
    low, high = batch.inputs.offsets[first], batch.inputs.offsets[last]

    def of(values: Tensor) -> Tensor:
        if values.dim() == 1:
            return values
        return values[first:last] if len(values) == batch.sequences else values[low:high]

    pos_log_q_T = proposed.pos_log_q_T
    return Proposed(
        Negatives(of(proposed.negatives.ids), of(proposed.negatives.log_q)),
        proposed.frozen,
        None if pos_log_q_T is None else pos_log_q_T[low:high],
    )
