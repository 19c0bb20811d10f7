"""Which stretches of a user's events a model sees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.data.dataset import Dataset
from negsample.data.moments import Cuts, TrainWindow, predicted_from, unknown_from

Ints = NDArray[np.int64]
Which = Literal["last", "all"]
"""Of a user's train events: the last window alone, or as many as all of them fill."""


class TrainEvents(NamedTuple):
    """What batches need of a dataset: train events of user ``u`` are ``items[offsets[u]:train_ends[u]]``.

    ``times``: of the events, ascending for each user; needed where targets are predicted by time, or negatives are
    drawn as of it. ``weights``: how much each event counts; None: all count 1.
    """

    items: NDArray[np.int32]
    offsets: Ints
    train_ends: Ints
    catalogue_size: int
    times: Ints = np.zeros(0, np.int64)
    weights: NDArray[np.int32] | None = None

    def weights_of(self, events: Ints) -> Any:
        """As of :class:`~negsample.data.dataset.Dataset`."""
        return 1 if self.weights is None else self.weights[events]


Events = Dataset | TrainEvents


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


def training_windows(
    data: Events,
    max_length: int,
    which: Which = "last",
    cuts: Cuts | None = None,
    train_window: TrainWindow | None = None,
) -> Windows:
    """The inputs of each user with a target, as windows of at most ``L`` train events.

    The last window ends with the event whose state the user's last target is predicted from (without ``cuts`` the one
    before it), and its targets are the events predicted from a state in it. ``last``: that window alone. ``all``: as
    many as all inputs fill, one after another, so that each event that has a state is a target once; the first is the
    one that may be shorter. Users and windows without a target in ``train_window`` are left out.

    Raises:
        InputError: none is left in ``train_window``.
    """
    offsets, ends = np.asarray(data.offsets), np.asarray(data.train_ends)
    users = np.flatnonzero(ends - offsets[:-1] >= 2)
    if train_window is not None:
        users = users[data.times[ends[users] - 1] >= train_window.start]
    stops = unknown_from(data.times, ends[users] - 1, offsets[users], cuts)
    users, stops = users[stops > offsets[users]], stops[stops > offsets[users]]
    if train_window is not None and not len(users):
        raise train_window.nothing_left()
    if which == "last":
        return windows_to(users, stops, offsets, max_length)
    windows = -(-(stops - offsets[users]) // max_length)
    behind = np.repeat(np.cumsum(windows), windows) - 1 - np.arange(int(windows.sum()))  # windows of the user after it
    found = windows_to(np.repeat(users, windows), np.repeat(stops, windows) - max_length * behind, offsets, max_length)
    first, last = targets_of(data, found, cuts, train_window)
    return found.take(np.flatnonzero(first < last))


def targets_of(
    data: Events, windows: Windows, cuts: Cuts | None, train_window: TrainWindow | None = None
) -> tuple[Ints, Ints]:
    """The events predicted from a state in each window: the first, and the first that is not."""
    ends = np.asarray(data.train_ends)[windows.users]
    first = predicted_from(data.times, windows.starts, ends, cuts)
    last = predicted_from(data.times, windows.stops, ends, cuts)
    if train_window is None:
        return first, last
    allowed = train_window.first(data.times, np.asarray(data.offsets)[windows.users], ends)
    return np.maximum(first, allowed), np.maximum(last, allowed)


def windows_to(users: Ints, stops: Ints, offsets: Ints, max_length: int) -> Windows:
    """The windows of ``users`` that end before the events ``stops``, in their order."""
    return Windows(users, np.maximum(offsets[users], stops - max_length), stops)


def longest_first(windows: Windows) -> Windows:
    """Sorted by length, descending; ties keep their order."""
    return windows.take(np.argsort(windows.starts - windows.stops, kind="stable"))
