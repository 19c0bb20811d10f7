"""What is proposed for a batch, and what is kept of it to be used again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from negsample.batches.packed import Batch
from negsample.methods import Method
from negsample.samplers import Negatives, Sampler
from negsample.samplers.exclusion import excludes, split_keys


class Proposed(NamedTuple):
    """What the first seat gave for a batch.

    ``negatives``: their ``log_q`` is there when the miner needs it. ``frozen``: how many at the end take no
    gradient. ``pos_log_q_T`` and ``masked_T``: when the miner needs them, see
    :class:`~negsample.miners.base.Scored`.
    """

    negatives: Negatives
    frozen: int
    pos_log_q_T: Tensor | None = None
    masked_T: Tensor | None = None


class Replay(NamedTuple):
    """A step to be done again: which batch it was, and its proposal, as small as they can be.

    ``ends_B``: of the batch, they tell its windows. ``ids`` of the negatives, of any granularity, and their owners: 32
    bits each. The rest as of :class:`Proposed`.
    """

    ends_B: Tensor
    ids: Tensor
    log_q: Tensor | None
    owner: Tensor | None
    frozen: int
    pos_log_q_T: Tensor | None
    masked_T: Tensor | None

    @classmethod
    def of(cls, batch: Batch, proposed: Proposed) -> Replay:
        """What is kept of a step."""
        (ids, log_q, owner), frozen, pos_log_q_T, masked_T = proposed
        owner = None if owner is None else owner.to(torch.int32)
        return cls(batch.ends_B, ids.to(torch.int32), log_q, owner, frozen, pos_log_q_T, masked_T)

    def proposed(self) -> Proposed:
        """The proposal, as it was."""
        owner = None if self.owner is None else self.owner.long()
        negatives = Negatives(self.ids.long(), self.log_q, owner)
        return Proposed(negatives, self.frozen, self.pos_log_q_T, self.masked_T)

    def to(self, device: torch.device) -> Replay:
        """The same on ``device``."""
        return self.with_tensors([None if each is None else each.to(device, copy=True) for each in self.tensors()])

    def tensors(self) -> list[Tensor | None]:
        """Ends, ids, log_q, owner, pos_log_q_T, masked_T."""
        return [each for each in self if not isinstance(each, int)]

    def with_tensors(self, tensors: Sequence[Tensor | None]) -> Replay:
        """The same with others in the place of :meth:`tensors`."""
        ends_B, ids, log_q, owner, pos_log_q_T, masked_T = tensors
        assert ends_B is not None
        assert ids is not None
        return Replay(ends_B, ids, log_q, owner, self.frozen, pos_log_q_T, masked_T)


def laid_together(kept: Sequence[Replay]) -> list[Replay]:
    """The same (one at least), as parts of a few large tensors: small ones that stay lie scattered among those that go,
    and hold several times their size of memory."""
    fields = [_laid(values) for values in zip(*(each.tensors() for each in kept), strict=True)]
    return [each.with_tensors(values) for each, values in zip(kept, zip(*fields, strict=True), strict=True)]


def _laid(values: Sequence[Tensor | None]) -> list[Tensor | None]:
    tensors = [each for each in values if each is not None]
    if not tensors:
        return list(values)
    parts = iter(torch.split(torch.cat([each.flatten() for each in tensors]), [each.numel() for each in tensors]))
    return [None if each is None else next(parts).view(each.shape) for each in values]


def propose(method: Method, batch: Batch, *, rng: torch.Generator) -> Proposed:
    """The method's proposal, and no more than its miner needs."""
    needs, sampler = method.miner.needs, method.sampler
    negatives = sampler.sample(batch, rng=rng) if "log_q" in needs else sampler.draw(batch, rng=rng)
    pos_log_q_T = sampler.log_prob(batch.targets_T, batch, per="batch") if "pos_log_q" in needs else None
    masked_T = masked_share(sampler, batch) if "masked" in needs else None
    return Proposed(negatives, sampler.frozen, pos_log_q_T, masked_T)


def masked_share(sampler: Sampler, batch: Batch) -> Tensor:
    """(T,) probability that one draw of ``sampler`` is masked when it is scored: what its draw could not leave out."""
    rows_T = batch.inputs.rows_T
    if batch.exclude == "none" or excludes(batch, sampler.per):
        return torch.zeros(len(rows_T), device=batch.device)
    free = replace(batch, exclude="none")
    if batch.exclude == "target":
        return sampler.log_prob(batch.targets_T.unsqueeze(1), free, per="position").exp().squeeze(1)
    rows, items = split_keys(batch)
    share = sampler.log_prob(items.unsqueeze(1), free, per="sequence", rows=rows).exp().squeeze(1)
    return torch.zeros(batch.sequences, device=batch.device).index_add_(0, rows, share)[rows_T]


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

    def of_some(values_T: Tensor | None) -> Tensor | None:
        return None if values_T is None else values_T[low:high]

    ids, log_q, owner = proposed.negatives
    negatives = Negatives(of(ids), None if log_q is None else of(log_q), owner)
    return Proposed(negatives, proposed.frozen, of_some(proposed.pos_log_q_T), of_some(proposed.masked_T))
