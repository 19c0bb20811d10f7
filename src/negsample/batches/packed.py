"""Packed batches: T real positions, never B x L with padding."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from negsample.batches.device import upload
from negsample.batches.windows import Ints
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

    Those of several models stand one after another (:func:`~negsample.batches.joined.joined`): ``split`` says which
    sequence is the first of each, and how many there are, ``tables_B`` where the rows of its model's item table begin
    among those of all, of which ``items_T`` are some. None: they are of one.
    """

    items_T: Tensor
    positions_T: Tensor
    rows_T: Tensor
    offsets: Ints
    split: Ints | None = None
    tables_B: Tensor | None = None

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

    def part(self, first: int, last: int) -> Packed:
        """Sequences ``first .. last - 1`` alone."""
        here = self.span(first, last)
        return Packed(
            self.items_T[here],
            self.positions_T[here],
            self.rows_T[here] - first,
            self.offsets[first : last + 1] - here.start,
            None if self.split is None else self.split.clip(first, last) - first,
            None if self.tables_B is None else self.tables_B[first:last],
        )


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
    loss, 1 in the mean over an epoch (of
    :func:`~negsample.batches.from_windows.training_batch` the weights of the events); None: all the same.
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
    def users_by_model(self) -> list[Tensor]:
        """Of each of S models, whose its sequences are."""
        split = self.inputs.split
        return [self.users_B] if split is None else list(torch.split(self.users_B, (split[1:] - split[:-1]).tolist()))

    def split_of(self, per: str) -> Ints | None:
        """(S + 1,) as ``inputs.split``, of rows for each ``batch``, ``sequence`` or ``position``."""
        split = self.inputs.split
        if split is None or per == "sequence":
            return split
        return np.arange(len(split)) if per == "batch" else self.target_offsets[split]

    def by_sequence(self, values: Tensor) -> Tensor:
        """(B, K) of what all sequences of a model share, (S, K) or (S, 1, K); (K,) of one model as it is."""
        if values.dim() == 1:
            return values
        assert self.inputs.tables_B is not None
        models_B = torch.div(self.inputs.tables_B, self.catalogue_size + 1, rounding_mode="floor")
        return values.reshape(len(values), values.shape[-1]).index_select(0, models_B)

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
        targets = self.span(first, last)
        bounds = torch.tensor([first, last], device=self.device) * (self.catalogue_size + 1)

        def of_some(keys: Tensor) -> Tensor:
            begin, end = torch.searchsorted(keys, bounds).tolist()
            return keys[begin:end] - bounds[0]

        return replace(
            self,
            inputs=self.inputs.part(first, last),
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
                self.predicted.states_T[targets] - int(self.inputs.offsets[first]),
                self.predicted.rows_T[targets] - first,
                self.predicted.offsets[first : last + 1] - targets.start,
            ),
        )


def _uploaded(of: Packed | Predicted | Batch, device: torch.device) -> dict[str, Any]:
    return {name: upload(each, device) for name, each in vars(of).items() if isinstance(each, Tensor)}
