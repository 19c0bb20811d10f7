"""Packed batches: T real positions, never B x L with padding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.windows import Ints, Which, Windows, longest_first, spans
from negsample.data.dataset import Dataset
from negsample.errors import check_word

Exclude = Literal["none", "target", "history"]
"""What must never be a negative: nothing, the position's own target, or all that the user has in train."""


NOBODY = -1
"""Whose an occurrence is that is nobody's; users of whom nothing is known have numbers below it."""


@dataclass(frozen=True)
class Packed:
    """B sequences end to end, longest first.

    ``items_T``: what stands at each position; ``positions_T``: its position among L, the last one being L - 1;
    ``rows_T``: its sequence; ``offsets``: where each sequence starts, B + 1 of them.
    """

    items_T: Tensor
    positions_T: Tensor
    rows_T: Tensor
    offsets: Ints

    @property
    def sequences(self) -> int:
        """B."""
        return len(self.offsets) - 1

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.items_T.device

    def span(self, first: int, last: int) -> slice:
        """The positions of sequences ``first .. last - 1``."""
        return slice(*self.offsets[[first, last]].tolist())

    def to(self, device: torch.device) -> Packed:
        """The same sequences on ``device``."""
        return replace(self, **_uploaded(self, device))


@dataclass(frozen=True)
class Batch:
    """A training batch: packed inputs, the target of each, and what each user already has.

    ``users_B``: whose each sequence is; below ``NOBODY`` where that is not known, each another one.
    ``ends_B``: where each sequence's window ends among the events of its dataset; empty where it is of none.
    ``history_keys``: ``row * (V + 1) + item`` of every distinct train item of each sequence's user, ascending.
    ``catalogue_size``: V. ``exclude``: what a sampler must not draw, or the scores must mask: all that the user
    has (``history``), the position's target (``target``), or nothing (``none``). ``target_keys``: as ``history_keys``,
    of every training target of each sequence's user, as often as it is one; None: those of the sequence are all.
    """

    inputs: Packed
    targets_T: Tensor
    users_B: Tensor
    ends_B: Tensor
    history_keys: Tensor
    catalogue_size: int
    exclude: Exclude = "history"
    target_keys: Tensor | None = None

    def __post_init__(self) -> None:
        """Refuses a policy that is none, which nothing would be left out by."""
        check_word("exclude", self.exclude, get_args(Exclude))

    @property
    def sequences(self) -> int:
        """B."""
        return self.inputs.sequences

    @property
    def position_users(self) -> Tensor:
        """(T,) whose each position is."""
        return self.users_B.index_select(0, self.inputs.rows_T)

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.targets_T.device

    def to(self, device: torch.device) -> Batch:
        """The same batch on ``device``."""
        return replace(self, inputs=self.inputs.to(device), **_uploaded(self, device))

    def part(self, first: int, last: int) -> Batch:
        """Sequences ``first .. last - 1`` alone."""
        whole, here = self.inputs, self.inputs.span(first, last)
        offsets = whole.offsets[first : last + 1] - here.start
        inputs = Packed(whole.items_T[here], whole.positions_T[here], whole.rows_T[here] - first, offsets)
        bounds = torch.tensor([first, last], device=self.device) * (self.catalogue_size + 1)

        def of_some(keys: Tensor) -> Tensor:
            low, high = torch.searchsorted(keys, bounds).tolist()
            return keys[low:high] - bounds[0]

        return replace(
            self,
            inputs=inputs,
            targets_T=self.targets_T[here],
            users_B=self.users_B[first:last],
            ends_B=self.ends_B[first:last],
            history_keys=of_some(self.history_keys),
            target_keys=None if self.target_keys is None else of_some(self.target_keys),
        )


def _uploaded(of: Packed | Batch, device: torch.device) -> dict[str, Any]:
    return {name: upload(each, device) for name, each in vars(of).items() if isinstance(each, Tensor)}


def upload(values: Tensor, device: torch.device) -> Tensor:
    """``values`` on ``device``; to a GPU by way of pinned memory, so that the CPU need not wait for the copy."""
    if device.type != "cuda" or values.device.type != "cpu":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def pack(items: NDArray[np.int32], windows: Windows, max_length: int) -> Packed:
    """Whole windows as sequences, in the order given (which must be longest first)."""
    lengths = windows.stops - windows.starts
    assert len(lengths) == 0 or lengths.max() <= max_length
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    rows = np.repeat(np.arange(len(lengths)), lengths)
    positions = np.arange(offsets[-1]) - offsets[rows] + (max_length - lengths)[rows]
    ids = items[spans(windows.starts, lengths)].astype(np.int64)
    return Packed(torch.from_numpy(ids), torch.from_numpy(positions), torch.from_numpy(rows), offsets)


class TrainEvents(NamedTuple):
    """What batches need of a dataset: train events of user ``u`` are ``items[offsets[u]:train_ends[u]]``."""

    items: NDArray[np.int32]
    offsets: Ints
    train_ends: Ints
    catalogue_size: int


Events = Dataset | TrainEvents


def training_batch(
    data: Events, windows: Windows, *, max_length: int, exclude: Exclude = "history", which: Which = "last"
) -> Batch:
    """Inputs are all but the last event of each window, targets all but the first; ``which`` windows a user has."""
    windows = longest_first(windows)
    items, catalogue_size = data.items, data.catalogue_size
    packed = pack(items, Windows(windows.users, windows.starts, windows.stops - 1), max_length)
    targets = items[spans(windows.starts + 1, windows.stops - 1 - windows.starts)].astype(np.int64)
    had_from, had_to = data.offsets[windows.users], data.train_ends[windows.users]
    had = items[spans(had_from, had_to - had_from)].astype(np.int64)
    keys = np.repeat(np.arange(len(windows)), had_to - had_from) * (catalogue_size + 1) + had
    all_targets = None
    if which == "all":
        first = np.concatenate([[0], np.cumsum(had_to - had_from)[:-1]])  # no target: nothing was before it
        all_targets = torch.from_numpy(np.sort(np.delete(keys, first)))
    return Batch(
        inputs=packed,
        targets_T=torch.from_numpy(targets),
        users_B=torch.from_numpy(windows.users),
        ends_B=torch.from_numpy(windows.stops),
        history_keys=torch.from_numpy(np.unique(keys)),
        catalogue_size=catalogue_size,
        exclude=exclude,
        target_keys=all_targets,
    )
