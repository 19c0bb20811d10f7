"""RecentPop: the items that are popular lately."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from negsample.batches.windows import Ints
from negsample.data.blocks import slices
from negsample.data.dataset import Dataset
from negsample.data.known import KAPPA, Known
from negsample.rules.rule import Asked, Floats, Part, Scorer, cut_time, known_events, not_chosen

HALVINGS = 12
"""The shortest half-life is the log's span halved so often."""


class RecentPop(nn.Module):
    """Ranks items by their share in the events as of the moment, older events counting less.

    ``(c_h + kappa p) / (sum of c_h + kappa)``, see :meth:`negsample.data.known.Known.shares`. The half-life ``h`` is
    chosen on validation: all time, or the span of train halved 0 to 12 times.
    """

    setting = "half-life, days"

    def __init__(self, data: Dataset) -> None:
        super().__init__()
        self.register_buffer("choice", not_chosen())
        self._data = data

    @property
    def choices(self) -> Sequence[float]:
        """Half-lives in days, the longest first."""
        return half_lives(self._data)

    def beyond(self, choice: float) -> Sequence[float]:
        """See :class:`negsample.rules.rule.Rule`."""
        return ()

    def trial(self, choice: float) -> Scorer:
        """See :class:`negsample.rules.rule.Rule`."""
        return self.scorer("valid", choice)

    def scorer(self, part: Part, choice: float) -> Scorer:
        """See :class:`negsample.rules.rule.Rule`."""
        return recent_shares(self._data, part, choice)


_DAY = 86_400_000_000  # microseconds


def half_lives(data: Dataset) -> list[float]:
    """The half-lives that validation chooses among, in days; train alone says how long the span is. All time alone
    where there is no moment as of which popularity could be counted."""
    if not data.in_time:
        return [math.inf]
    first = min(int(data.times[events].min()) for _, events in known_events(data, "valid") if len(events))
    span = (cut_time(data, "valid") - first) / _DAY
    return [math.inf, *(span / 2**halving for halving in range(HALVINGS + 1) if span > 0)]


def recent_shares(data: Dataset, part: Part, days: float) -> Scorer:
    """The shares of all items as of each query's moment, with a half-life in days."""
    half_life = days * _DAY
    at_cut = _at_cut(data, part, half_life)

    def scores(asked: Asked) -> Floats:
        return at_cut if asked.times_Q is None else _as_of(data, asked.times_Q, half_life)

    return scores


def shares_at(known: Known, time: int, days: float) -> Floats:
    """(V,) the shares of all items in the events before ``time``, microseconds, with a half-life in days."""
    every = np.arange(1, known.catalogue_size + 1)
    moment = np.array(time)
    return _shares(known.counts(every, moment, days * _DAY), known.counts(every, moment), days)


def _at_cut(data: Dataset, part: Part, half_life: float) -> Floats:
    """(1, V) of all that is known then: a cut by rows may go through a moment, whose first rows are known.

    Events are added in the order of time, so that items with events at the same times tie.
    """
    cut, width = None if math.isinf(half_life) else cut_time(data, part), data.catalogue_size + 1
    decayed, seen = np.zeros(width), np.zeros(width, np.int64)
    if cut is not None:
        known = data.known
        for block in slices(int(np.searchsorted(known.by_time_times, cut))):
            weights = np.exp2((known.by_time_times[block] - cut) / half_life)
            np.add.at(decayed, known.by_time_items[block], weights)  # whatever a block is, the same bits
    for _, events in known_events(data, part):
        seen += np.bincount(data.items[events], minlength=width)
        if cut is not None:
            decayed += np.bincount(data.items[events[data.times[events] == cut]], minlength=width)
    return _shares(decayed[1:], seen[1:], half_life)[None]


def _shares(decayed: Floats, seen: NDArray[Any], half_life: float) -> Floats:
    share = np.maximum(seen, 1) / np.maximum(seen, 1).sum()
    if math.isinf(half_life):
        return np.asarray(share)
    return np.asarray((decayed + KAPPA * share) / (decayed.sum() + KAPPA))


def _as_of(data: Dataset, times_Q: Ints, half_life: float) -> Floats:
    """(Q, V): counted anew at the first time, then from each time on to the next."""
    known, every = data.known, np.arange(1, data.catalogue_size + 1)
    now = times_Q.min()
    decayed, seen = known.counts(every, now, half_life), known.counts(every, now)
    found = np.empty((len(times_Q), len(every)))
    at = np.searchsorted(known.by_time_times, now)
    for row in np.argsort(times_Q, kind="stable"):
        later = times_Q[row]
        end = np.searchsorted(known.by_time_times, later)
        if later > now:
            items, moments = known.by_time_items[at:end] - 1, known.by_time_times[at:end]
            decayed = decayed * np.exp2((now - later) / half_life)
            np.add.at(decayed, items, np.exp2((moments - later) / half_life))
            np.add.at(seen, items, 1)
            now, at = later, end
        found[row] = _shares(decayed, seen, half_life)
    return found
