"""Packed batches: T real positions, never B x L with padding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.windows import Events, Ints, Which, Windows, longest_first, targets_of
from negsample.data.blocks import spans
from negsample.data.moments import MOMENTS, Cuts, TrainWindow, predicted_from, unknown_from
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
class Predicted:
    """Targets that do not follow the inputs one for one: ``states_T`` is the input after which each is predicted,
    ``rows_T`` its sequence, ``offsets`` where the targets of each sequence start, B + 1 of them."""

    states_T: Tensor
    rows_T: Tensor
    offsets: Ints


@dataclass(frozen=True)
class Pool:
    """What in-batch negatives are drawn from: targets, and whose each is."""

    targets_N: Tensor
    users_N: Tensor


@dataclass(frozen=True)
class Batch:
    """A training batch: packed inputs, T targets, and what each user already has.

    ``predicted``: from which state each target is predicted; None: from that of the input at its place.
    ``users_B``: whose each sequence is; below ``NOBODY`` where that is not known, each another one.
    ``ends_B``: where each sequence's window ends among the events of its dataset; empty where it is of none.
    ``history_keys``: ``row * (V + 1) + item`` of every distinct train item of each sequence's user, ascending.
    ``catalogue_size``: V. ``exclude``: what a sampler must not draw, or the scores must mask: all that the user
    has (``history``), the position's target (``target``), or nothing (``none``). ``target_keys``: as ``history_keys``,
    of every training target of each sequence's user, as often as it is one; None: those of the sequence are all.
    ``times_T``: when each target was, microseconds, and ``as_of_T``: before when all is known that it is predicted
    from, the same but with a horizon; None where that is not known. ``weights_T``: how much each target counts in the
    loss, 1 in the mean over an epoch (of :func:`training_batch` the weights of the events); None: all the same.
    ``target_counts``: (V + 1,) how often each id is a target in the batch's epoch, where epochs differ in that.
    ``of_all``: the pool of the batch of all processes, of which this is the share of one; None: it is no share.
    ``counts``: False for a share that stands in where there are fewer sequences than processes: nothing is learned
    from it.
    """

    inputs: Packed
    targets_T: Tensor
    users_B: Tensor
    ends_B: Tensor
    history_keys: Tensor
    catalogue_size: int
    exclude: Exclude = "history"
    target_keys: Tensor | None = None
    predicted: Predicted | None = None
    times_T: Tensor | None = None
    weights_T: Tensor | None = None
    target_counts: Ints | None = None
    as_of_T: Tensor | None = None
    of_all: Pool | None = None
    counts: bool = True

    def __post_init__(self) -> None:
        """Refuses a policy that is none, which nothing would be left out by."""
        check_word("exclude", self.exclude, get_args(Exclude))

    @property
    def sequences(self) -> int:
        """B."""
        return self.inputs.sequences

    @property
    def target_rows(self) -> Tensor:
        """(T,) the sequence of each target."""
        return self.inputs.rows_T if self.predicted is None else self.predicted.rows_T

    @property
    def target_offsets(self) -> Ints:
        """(B + 1,) where the targets of each sequence start."""
        return self.inputs.offsets if self.predicted is None else self.predicted.offsets

    def of_targets(self, values: Tensor) -> Tensor:
        """(T, ...) of ``values`` of the inputs, such as states or items, those that the targets are predicted from."""
        return values if self.predicted is None else values.index_select(0, self.predicted.states_T)

    @property
    def position_users(self) -> Tensor:
        """(T,) whose each target is."""
        return self.users_B.index_select(0, self.target_rows)

    @property
    def pool(self) -> Pool:
        """All targets of the batch, those of other processes included; a sampler draws from these."""
        return self.of_all or Pool(self.targets_T, self.position_users)

    @property
    def device(self) -> torch.device:
        """Where the tensors live."""
        return self.targets_T.device

    def to(self, device: torch.device) -> Batch:
        """The same batch on ``device``."""
        predicted = self.predicted and replace(self.predicted, **_uploaded(self.predicted, device))
        return replace(self, inputs=self.inputs.to(device), predicted=predicted, **_uploaded(self, device))

    def span(self, first: int, last: int) -> slice:
        """The targets of sequences ``first .. last - 1``."""
        return slice(*self.target_offsets[[first, last]].tolist())

    def part(self, first: int, last: int) -> Batch:
        """Sequences ``first .. last - 1`` alone."""
        whole, here, targets = self.inputs, self.inputs.span(first, last), self.span(first, last)
        offsets = whole.offsets[first : last + 1] - here.start
        inputs = Packed(whole.items_T[here], whole.positions_T[here], whole.rows_T[here] - first, offsets)
        bounds = torch.tensor([first, last], device=self.device) * (self.catalogue_size + 1)

        def of_some(keys: Tensor) -> Tensor:
            begin, end = torch.searchsorted(keys, bounds).tolist()
            return keys[begin:end] - bounds[0]

        return replace(
            self,
            inputs=inputs,
            targets_T=self.targets_T[targets],
            users_B=self.users_B[first:last],
            ends_B=self.ends_B[first:last],
            history_keys=of_some(self.history_keys),
            target_keys=None if self.target_keys is None else of_some(self.target_keys),
            times_T=None if self.times_T is None else self.times_T[targets],
            weights_T=None if self.weights_T is None else self.weights_T[targets],
            as_of_T=None if self.as_of_T is None else self.as_of_T[targets],
            predicted=self.predicted
            and Predicted(
                self.predicted.states_T[targets] - here.start,
                self.predicted.rows_T[targets] - first,
                self.predicted.offsets[first : last + 1] - targets.start,
            ),
        )


def _uploaded(of: Packed | Predicted | Batch, device: torch.device) -> dict[str, Any]:
    return {name: upload(each, device) for name, each in vars(of).items() if isinstance(each, Tensor)}


def may_ask(device: torch.device) -> bool:
    """Whether values there may decide what is computed next. A GPU would have to be waited for: it does all of it."""
    return device.type == "cpu"


def upload(values: Tensor, device: torch.device) -> Tensor:
    """``values`` on ``device``; to a GPU by way of pinned memory, so that the CPU need not wait for the copy."""
    if device.type in ("cpu", "meta") or values.device.type != "cpu":  # meta: shapes alone
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


def training_batch(
    data: Events,
    windows: Windows,
    *,
    max_length: int,
    exclude: Exclude = "history",
    which: Which = "last",
    cuts: Cuts | None = None,
    train_window: TrainWindow | None = None,
) -> Batch:
    """The inputs of ``windows``, and the events that are predicted from a state in them; ``which`` windows a user has.

    Without ``cuts`` targets are all but the first event of a window and the one after it; see
    :func:`~negsample.batches.windows.training_windows`.
    """
    windows = longest_first(windows)
    items, catalogue_size = data.items, data.catalogue_size
    packed = pack(items, windows, max_length)
    first, last = targets_of(data, windows, cuts, train_window)
    events = spans(first, last - first)
    had_from, had_to = data.offsets[windows.users], data.train_ends[windows.users]
    had = items[spans(had_from, had_to - had_from)].astype(np.int64)
    keys = np.repeat(np.arange(len(windows)), had_to - had_from) * (catalogue_size + 1) + had
    all_targets = None
    if which == "all":
        begin = predicted_from(data.times, had_from, had_to, cuts)  # nothing is known before the events up to it
        if train_window is not None:
            begin = np.maximum(begin, train_window.first(data.times, had_from, had_to))
        targets = items[spans(begin, had_to - begin)].astype(np.int64)
        rows = np.repeat(np.arange(len(windows)), had_to - begin)
        all_targets = torch.from_numpy(np.sort(rows * (catalogue_size + 1) + targets))
    times = np.array(data.times[events]) if len(data.times) else None
    return Batch(
        inputs=packed,
        targets_T=torch.from_numpy(items[events].astype(np.int64)),
        users_B=torch.from_numpy(windows.users),
        ends_B=torch.from_numpy(windows.stops),
        history_keys=torch.from_numpy(np.unique(keys)),
        catalogue_size=catalogue_size,
        exclude=exclude,
        target_keys=all_targets,
        predicted=None
        if cuts is None and train_window is None
        else _predicted(data, windows, packed, events, last - first, cuts),
        times_T=None if times is None else torch.from_numpy(times),
        weights_T=None if data.weights is None else torch.from_numpy(np.array(data.weights[events])),
        as_of_T=None if times is None else torch.from_numpy((cuts or MOMENTS).before(times)),
    )


def _predicted(
    data: Events, windows: Windows, packed: Packed, events: Ints, counts: Ints, cuts: Cuts | None
) -> Predicted:
    rows = np.repeat(np.arange(len(windows)), counts)
    starts = windows.starts[rows]
    states = packed.offsets[rows] + unknown_from(data.times, events, starts, cuts) - 1 - starts
    offsets = np.concatenate([[0], np.cumsum(counts)])
    return Predicted(torch.from_numpy(states), torch.from_numpy(rows), offsets)
