"""What a rule is, and what it may know: all that was before the part it is measured on, and no more."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, Protocol, TypeGuard

import numpy as np
import scipy.sparse as sp  # type: ignore[import-untyped]
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.windows import Ints
from negsample.data import blocks
from negsample.data.blocks import spans
from negsample.data.dataset import Dataset

Part = Literal["valid", "test"]
Floats = NDArray[np.floating[Any]]


class Asked(NamedTuple):
    """Q queries: ``users_Q``, of whom the events before ``until_Q`` (positions among all events) are known, and the
    moments ``times_Q`` in microseconds; None: all at the cut before the part that is measured."""

    users_Q: Ints
    until_Q: Ints
    times_Q: Ints | None

    def take(self, which: Any) -> Asked:
        """The queries at ``which``."""
        times_Q = None if self.times_Q is None else self.times_Q[which]
        return Asked(self.users_Q[which], self.until_Q[which], times_Q)


Scorer = Callable[[Asked], Floats]
"""(Q, V) scores of the items ``1 .. V`` for each query, or (1, V) where all have the same."""


class Rule(Protocol):
    """A recommender by a rule: fitted on what is known, with at most one number that validation chooses."""

    choice: Tensor
    """What validation chose, a number; NaN: not chosen yet."""

    @property
    def choices(self) -> Sequence[float]:
        """What validation tries, the first of equals is taken; a single one where there is nothing to choose."""
        ...

    def beyond(self, choice: float) -> Sequence[float]:
        """What is tried as well where ``choice`` is the best so far, so that it need not be at an end."""
        ...

    @property
    def setting(self) -> str:
        """What is chosen, with its unit, as reports call it; empty where nothing is."""
        ...

    def trial(self, choice: float) -> Scorer:
        """The scores that validation judges a choice by."""
        ...

    def scorer(self, part: Part, choice: float) -> Scorer:
        """Scores for queries of ``part``: fitted on train for ``valid``, on train and validation for ``test``."""
        ...


def is_rule(model: object) -> TypeGuard[Rule]:
    """Whether ``model`` scores the catalogue for a query, and not a state against a table."""
    return hasattr(model, "scorer") and hasattr(model, "choices")


def not_chosen() -> Tensor:
    """The value of ``choice`` before validation."""
    return torch.tensor(math.nan, dtype=torch.float64)


def known_ends(data: Dataset, part: Part | None) -> Ints:
    """(U,) each user's events before this position are known when ``part`` begins; None: all are."""
    if part is None:
        return np.asarray(data.offsets[1:])
    return np.asarray(data.train_ends if part == "valid" else data.valid_ends)


def cut_time(data: Dataset, part: Part) -> int:
    """When ``part`` begins: the time of its first event. Only where it begins at one moment for all users."""
    assert data.in_time, "no part begins at a moment"
    begin = known_ends(data, part)
    end = np.asarray(data.valid_ends if part == "valid" else data.offsets[1:])
    return int(data.times[begin[end > begin]].min())


def known_events(data: Dataset, part: Part | None) -> Iterator[tuple[Ints, Ints]]:
    """Users and positions of the events that are known when ``part`` begins, some at a time; None: of all."""
    ends, offsets = known_ends(data, part), np.asarray(data.offsets)
    for first, last in blocks.user_blocks(offsets, blocks.BLOCK):
        lengths = ends[first:last] - offsets[first:last]
        yield np.repeat(np.arange(first, last), lengths), spans(offsets[first:last], lengths)


def binary_users(data: Dataset, part: Part | None) -> Any:
    """(U, V + 1) sparse: 1 where the user has the item when ``part`` begins; None: at all."""
    width = data.catalogue_size + 1
    counts, columns = np.zeros(data.users + 1, np.int64), []
    for users, events in known_events(data, part):
        pairs = np.sort(users * width + data.items[events])
        pairs = pairs[np.diff(pairs, prepend=-1) > 0]
        columns.append((pairs % width).astype(np.int32))
        counts[1:] += np.bincount(pairs // width, minlength=data.users)
    indices = np.concatenate(columns)
    return sp.csr_matrix((np.ones(len(indices), np.float32), indices, np.cumsum(counts)), (data.users, width))


def history_events(data: Dataset, asked: Asked, most: int | None = None) -> tuple[Ints, Ints, Ints]:
    """The last ``most`` known events of each query, all of them where None: query, item, and how many came after."""
    starts = np.asarray(data.offsets)[asked.users_Q]
    starts = starts if most is None else np.maximum(starts, asked.until_Q - most)
    lengths = asked.until_Q - starts
    events = spans(starts, lengths)
    ages = np.repeat(asked.until_Q, lengths) - 1 - events
    return np.repeat(np.arange(len(lengths)), lengths), data.items[events].astype(np.int64), ages
