"""Which stretches of a user's events a model sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Which = Literal["last", "all"]
"""Of a user's train events: the last window alone, or as many as all of them fill."""


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


def training_windows(offsets: Ints, train_ends: Ints, max_length: int, which: Which = "last") -> Windows:
    """The train events of each user with at least two, as windows of at most ``L + 1`` events.

    ``last``: one window, of the user's last events. ``all``: the windows of a user overlap by one event, which is the
    last target of one and the first input of the next, so that each event but the first is a target once. The last
    window ends with the last event, and the first is the one that may be shorter.
    """
    users = np.flatnonzero(train_ends - offsets[:-1] >= 2)
    if which == "last":
        return windows_to(users, train_ends[users], offsets, max_length)
    targets = train_ends[users] - offsets[users] - 1
    windows = -(-targets // max_length)
    behind = np.repeat(np.cumsum(windows), windows) - 1 - np.arange(int(windows.sum()))  # windows of the user after it
    of_user = np.repeat(users, windows)
    return windows_to(of_user, train_ends[of_user] - max_length * behind, offsets, max_length)


def windows_to(users: Ints, stops: Ints, offsets: Ints, max_length: int) -> Windows:
    """The windows of ``users`` that end before the events ``stops``, in their order."""
    return Windows(users, np.maximum(offsets[users], stops - (max_length + 1)), stops)


def longest_first(windows: Windows) -> Windows:
    """Sorted by length, descending; ties keep their order."""
    return windows.take(np.argsort(windows.starts - windows.stops, kind="stable"))


def spans(starts: Ints, lengths: Ints) -> Ints:
    """The indices of all stretches ``[start, start + length)``, one after another."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(total)
