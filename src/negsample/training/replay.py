"""The replay buffer: batches with their negatives, kept to be trained on again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from negsample.batches.packed import Batch
from negsample.samplers import Negatives


class Replay(NamedTuple):
    """A step to be done again: ``ends_B`` of its batch tell the windows; ids of ``negatives`` have 32 bits."""

    ends_B: Tensor
    negatives: Negatives

    @classmethod
    def of(cls, batch: Batch, negatives: Negatives) -> Replay:
        """The entry for a step."""
        return cls(batch.ends_B, _with_ids_of(torch.int32, negatives))

    def drawn(self) -> Negatives:
        """The negatives as they were."""
        return _with_ids_of(torch.int64, self.negatives)

    def state(self) -> tuple[Any, ...]:
        """What :meth:`restored` takes."""
        return self.ends_B, *self.negatives

    @classmethod
    def restored(cls, state: Sequence[Any], device: torch.device) -> Replay:
        """The entry of this state, on ``device``."""
        ends_B, *fields = (each.to(device, copy=True) if isinstance(each, Tensor) else each for each in state)
        return cls(ends_B, Negatives._make(fields))


def laid_together(entries: Sequence[Replay]) -> list[Replay]:
    """The same, as parts of a few large tensors: small ones that stay would lie scattered among those that are freed,
    and keep several times their size of memory from use."""
    fields = [_laid(values) for values in zip(*(each.state() for each in entries), strict=True)]
    return [Replay(ends_B, Negatives._make(values)) for ends_B, *values in zip(*fields, strict=True)]


def _laid(values: Sequence[Any]) -> Sequence[Any]:
    if not isinstance(values[0], Tensor):
        return values
    parts = torch.split(torch.cat([each.flatten() for each in values]), [each.numel() for each in values])
    return [part.view(each.shape) for part, each in zip(parts, values, strict=True)]


def _with_ids_of(dtype: torch.dtype, negatives: Negatives) -> Negatives:
    owner = None if negatives.owner is None else negatives.owner.to(dtype)
    return negatives._replace(ids=negatives.ids.to(dtype), owner=owner)
