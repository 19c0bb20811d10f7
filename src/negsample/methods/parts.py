"""The nouns of the table of methods."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from negsample.batches.epochs import target_counts
from negsample.batches.packed import Exclude
from negsample.batches.windows import Which
from negsample.data.dataset import Dataset
from negsample.errors import guarded, whole
from negsample.methods.spaces import Space, space_of
from negsample.miners import Miner
from negsample.samplers import Sampler

Chosen = Mapping[str, Any]


class Catalogue(NamedTuple):
    """What proposals may know of the data.

    ``items``: V. ``counts``: (V + 1,) train events of each id. ``target_counts``: (V + 1,) how often each id is a
    target in an epoch of training.
    """

    items: int
    counts: Tensor
    target_counts: Tensor


class Memory(Protocol):
    """What a proposal keeps of earlier batches."""

    def state_dict(self) -> dict[str, Any]:
        """All of it: tensors and numbers."""
        ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        ...


class Method(NamedTuple):
    """The three seats, taken.

    ``exclude``: what is never a negative. ``merged``: the shared negatives are scored chunk by chunk and reach the
    loss as one, their logsumexp (for losses that need no more; nothing is selected). ``memory``: what the method
    remembers from batch to batch, so that a training that is carried on remembers it too.
    """

    sampler: Sampler
    miner: Miner
    loss: Callable[..., Tensor]
    exclude: Exclude = "history"
    merged: bool = False
    memory: Memory | None = None


class Row(NamedTuple):
    """A method as published: its seats in words, its source, and how it is built.

    ``defaults`` are the settings it has (see :class:`~negsample.settings.NegativeSettings`) and their values.
    ``search``: in which ranges a tuning looks, where they are not those of :func:`~negsample.methods.spaces.space_of`.
    """

    proposes: str
    selects: str
    loses: str
    paper: str
    year: int
    defaults: Chosen
    build: Callable[[Catalogue, Chosen], Method]
    search: Mapping[str, Space] = MappingProxyType({})

    @property
    def space(self) -> dict[str, Space]:
        """What a tuning searches, by setting: those of training, and those of the row."""
        return space_of(self.defaults, self.search)


@guarded
def catalogue_of(
    data: Dataset, max_length: int, device: torch.device | str = "cpu", *, windows: Which = "last"
) -> Catalogue:
    """What proposals may know of ``data``, when sequences are cut to ``max_length`` inputs, into one window or all."""
    whole("max_length", max_length, 1, 2**31 - 1)
    counts = np.array(data.train_counts)
    targets = target_counts(
        data.items,
        data.offsets,
        data.train_ends,
        max_length=max_length,
        width=data.catalogue_size + 1,
        which=windows,
    )
    return Catalogue(data.catalogue_size, torch.from_numpy(counts).to(device), torch.from_numpy(targets).to(device))
