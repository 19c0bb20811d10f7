"""What a model is measured on: the events of a part, and the history that each is ranked for."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import numpy as np

from negsample.batches.windows import Ints, Windows
from negsample.data.blocks import spans
from negsample.data.dataset import Dataset
from negsample.errors import InputError, check_word
from negsample.evaluation.seen import Seen
from negsample.settings import History

Part = Literal["valid", "test"]
"""What can be measured on."""


class Queries(NamedTuple):
    """E events to rank and the Q histories they are ranked for.

    ``windows``: the history of each query, at most L items; ``query_E``: which query an event belongs to, ascending;
    ``targets_E``: its item; ``known_until``: (Q,) events of the query's user before this index are known to it.
    """

    windows: Windows
    query_E: Ints
    targets_E: Ints
    known_until: Ints

    def take(self, which: Ints) -> Queries:
        """Those at ``which``, ascending, with their events."""
        begins, ends = (np.searchsorted(self.query_E, which, side=side) for side in ("left", "right"))
        events = spans(begins, ends - begins)
        query_E = np.repeat(np.arange(len(which)), ends - begins)
        return Queries(self.windows.take(which), query_E, self.targets_E[events], self.known_until[which])

    def seen(self, data: Dataset) -> Seen:
        """Of each user the events that the last of their queries knows."""
        users, user_Q = np.unique(self.windows.users, return_inverse=True)
        until_U = np.zeros(len(users), np.int64)
        np.maximum.at(until_U, user_Q, self.known_until)
        starts_U = np.asarray(data.offsets[:-1])[users]
        events = spans(starts_U, until_U - starts_U)
        of_user, items = np.repeat(np.arange(len(users)), until_U - starts_U), data.items[events].astype(np.int64)
        known = {"user_Q": user_Q, "until_Q": self.known_until}
        return Seen.of_events(of_user, items, events, **known, items=data.catalogue_size)


def queries(data: Dataset, part: Part, *, history: History, max_length: int) -> Queries:
    """The events of ``part`` that can be measured: those of users with an earlier event outside it.

    ``frozen``: one query a user, the last L events before the part. ``rolling``: one query a user and moment, the last
    L events strictly earlier than it; an event without any (its moment began before a cut by rows) is not measured.
    ``rolling-basket``: one query an event, the last L rows before it, those of its own moment included: another task,
    the completion of a basket.

    Raises:
        InputError: ``part`` or ``history`` is another word (train events are learned, not measured), or there is no
            such event.
    """
    check_word("part", part, get_args(Part))
    check_word("history", history, get_args(History))
    first = np.asarray(data.offsets[:-1])
    begin = np.asarray(data.train_ends if part == "valid" else data.valid_ends)
    end = np.asarray(data.valid_ends if part == "valid" else data.offsets[1:])
    users = np.flatnonzero((end > begin) & (begin > first))
    if not len(users):
        raise InputError(f"nothing to measure on: no {part} event of {data.name} is of a user with an earlier event")
    first, begin, end = first[users], begin[users], end[users]
    events = spans(begin, end - begin)
    targets = data.items[events].astype(np.int64)
    of_user = np.repeat(np.arange(len(users)), end - begin)
    if history == "frozen":
        return Queries(Windows(users, np.maximum(first, begin - max_length), begin), of_user, targets, begin)
    until = events if history == "rolling-basket" else _moments(data, events, of_user, first)
    known = until > first[of_user]
    of_user, until, targets = of_user[known], until[known], targets[known]
    if not len(until):
        raise InputError(f"nothing to measure on: no {part} event of {data.name} is later than another of its user")
    new = np.r_[True, until[1:] != until[:-1]]  # also between users: their events lie one after another
    until, of_user = until[new], of_user[new]
    windows = Windows(users[of_user], np.maximum(first[of_user], until - max_length), until)
    return Queries(windows, np.cumsum(new) - 1, targets, until)


def _moments(data: Dataset, events: Ints, of_user: Ints, first: Ints) -> Ints:
    """(E,) where the moment of each of ``events`` begins among the events of its user, whose first is ``first``."""
    times = data.times[events]
    new = np.r_[True, (of_user[1:] != of_user[:-1]) | (times[1:] != times[:-1])]
    begins = events[new]
    open_ = np.flatnonzero(begins > first[of_user[new]])
    while len(open_):  # a cut by rows may go through a moment: one round for each of its earlier rows
        open_ = open_[data.times[begins[open_] - 1] == times[new][open_]]
        begins[open_] -= 1
        open_ = open_[begins[open_] > first[of_user[new]][open_]]
    begins_E: Ints = begins[np.cumsum(new) - 1]
    return begins_E
