"""What a method is: its three parts, its settings and its description."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.epochs import TargetRule, target_counts
from negsample.batches.packed import Exclude
from negsample.batches.windows import Which
from negsample.data.dataset import Dataset
from negsample.data.known import Known
from negsample.data.moments import Targets, TrainWindow, counting_cuts, nothing_earlier
from negsample.errors import InputError, guarded, whole
from negsample.methods.fields import Space
from negsample.methods.spaces import space_of
from negsample.miners import Miner
from negsample.samplers import Sampler
from negsample.settings import Settings

S = TypeVar("S", bound=Settings)


class Events(NamedTuple):
    """Train events of U users: those of user ``u`` are ``items[offsets[u]:ends[u]]``, in the order of time."""

    items: NDArray[np.signedinteger[Any]]
    offsets: NDArray[np.int64]
    ends: NDArray[np.int64]


_NO_EVENTS = Events(*(np.zeros(size, dtype=np.int64) for size in (0, 1, 0)))


class Catalogue(NamedTuple):
    """What a sampler may know of the data.

    ``items``: V. ``counts``: (V + 1,) train events of each id, or their weights. ``target_counts``: (V + 1,) how often
    each id is a target in an epoch of training, which draws from batches follow. ``events``: who did what in train;
    without any where only shapes are asked for. ``known``: gives what is known at a time, of train and of later; None
    where only shapes are asked for. ``weighted``: ``target_counts`` by the weights of events; None: they have none.
    """

    items: int
    counts: Tensor
    target_counts: Tensor
    events: Events = _NO_EVENTS
    known: Callable[[], Known] | None = None
    weighted: Tensor | None = None

    @property
    def target_weights(self) -> Tensor:
        """(V + 1,) how much of an epoch's loss each id has as a target, but for ages: what the dial weighs by."""
        return self.target_counts if self.weighted is None else self.weighted


class Memory(Protocol):
    """What a sampler keeps of earlier batches."""

    def state_dict(self) -> dict[str, Any]:
        """All of it: tensors and numbers."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""


class Method(NamedTuple):
    """The three parts of a method, built: sampler, miner, loss.

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

    def loss_takes(self, name: str) -> bool:
        """Whether the loss has an argument of this name, or any."""
        taken = signature(self.loss).parameters.values()
        return any(each.name == name or each.kind == each.VAR_KEYWORD for each in taken)


class MethodDefinition(NamedTuple, Generic[S]):
    """A method by name: its settings and how it is built from them, its parts in words, and its source.

    Attributes:
        settings: the method's own settings, all with defaults; see :mod:`negsample.methods.fields` for those that
            methods share, and for what a tuning searches.
        build: makes the parts. What it refuses with a ``ValueError`` is an error of input.
        sampler, miner, loss: in words, what it proposes, what it selects by score, and the loss.
        paper, year: where it was published, or by whom it was made.
        formula: in signs; see the head of docs/methods.md.
        take, serves: when to take it, and what it does to head, mid and tail items.
        as_of_a_time: whether it asks ``Catalogue.known``, for which data must be split in time.
    """

    settings: type[S]
    build: Callable[[Catalogue, S], Method]
    sampler: str = ""
    miner: str = "all"
    loss: str = ""
    paper: str = ""
    year: int | None = None
    formula: str = ""
    take: str = ""
    serves: str = ""
    as_of_a_time: bool = False

    @property
    def defaults(self) -> dict[str, Any]:
        """The settings and their values where nobody says otherwise."""
        return self.settings().model_dump()

    @property
    def space(self) -> dict[str, Space]:
        """What a tuning searches, by setting: those of training, and those of the method."""
        return space_of(self.settings)


@guarded
def catalogue_of(
    data: Dataset,
    max_length: int,
    device: torch.device | str = "cpu",
    *,
    windows: Which = "last",
    targets: Targets = "rows",
    train_window: float | None = None,
) -> Catalogue:
    """What a sampler may know of ``data``, when sequences are cut to ``max_length`` inputs, into one window or all,
    and ``targets`` are predicted by rows or by time, all of them or those of the last ``train_window`` days.

    ``counts`` and ``events`` are of all that is trained on, ``target_counts`` of the targets alone. With a horizon,
    where cuts are other ones each epoch, these are the counts by moments; batches have those of their epoch.

    Raises:
        InputError: ``max_length`` breaks its rule, or no event is a target, in the ``train_window`` or by time.
    """
    whole("max_length", max_length, 1, 2**31 - 1)
    counts = np.array(data.train_counts)
    within = TrainWindow.of(data, train_window)
    rule = TargetRule(max_length, windows, counting_cuts(targets), within)._asdict()
    counted = torch.from_numpy(target_counts(data, **rule)).to(device)
    if targets != "rows" and not counted.any():
        raise nothing_earlier()
    weighted = None if data.weights is None else torch.from_numpy(target_counts(data, **rule, weighted=True)).to(device)
    return Catalogue(
        data.catalogue_size,
        torch.from_numpy(counts).to(device),
        counted,
        Events(data.items, data.offsets, data.train_ends),
        partial(_known, data),
        weighted,
    )


def _known(data: Dataset) -> Known:
    if not data.in_time:
        raise InputError(f"it asks what is known as of a time, and {data.name} has split={data.split}, not one in time")
    return data.known
