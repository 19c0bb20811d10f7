"""Which stretch of a user's events a model sees."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Windows:
    """Stretches of the flat event array: ``items[starts[i]:stops[i]]`` is what a model sees of user ``users[i]``."""

    users: Ints
    starts: Ints
    stops: Ints

    def __len__(self) -> int:
        return len(self.users)

    def take(self, index: Ints) -> Windows:
        """The windows at ``index``, in that order."""
        return Windows(self.users[index], self.starts[index], self.stops[index])


def training_windows(offsets: Ints, train_ends: Ints, max_length: int) -> Windows:
    """The last ``L + 1`` train events of each user with at least two."""
    return windows_of(np.flatnonzero(train_ends - offsets[:-1] >= 2), offsets, train_ends, max_length)


def windows_of(users: Ints, offsets: Ints, train_ends: Ints, max_length: int) -> Windows:
    """The last ``L + 1`` train events of each of ``users``, in their order."""
    stops = train_ends[users]
    return Windows(users, np.maximum(offsets[users], stops - (max_length + 1)), stops)


def longest_first(windows: Windows) -> Windows:
    """Sorted by length, descending; ties keep their order."""
    return windows.take(np.argsort(windows.starts - windows.stops, kind="stable"))


def spans(starts: Ints, lengths: Ints) -> Ints:
    """The indices of all stretches ``[start, start + length)``, one after another."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(total)
