"""From which state a target is predicted, by time."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.data.dataset import Dataset
from negsample.data.known import first_at

Ints = NDArray[np.int64]
Targets = Literal["rows", "moments", "horizon"]
"""How targets are predicted: by rows, from before their moment, or from before a cut; see :class:`Cuts`."""


class Cuts(NamedTuple):
    """Times, microseconds, at ``offset`` plus every multiple of ``width``: a target is predicted from the state after
    its user's last event strictly before the latest cut at or before it.

    Width 1 (``MOMENTS``) has a cut at every microsecond: the state is that after the last event strictly before the
    target, so that no event of its own moment (a basket, a day in a log with days) is known.
    """

    width: int = 1
    offset: int = 0

    def before(self, times: Ints) -> Ints:
        """The latest cut at or before each time."""
        return times - (times - self.offset) % self.width

    def after(self, times: Ints) -> Ints:
        """The earliest cut after each time."""
        return self.before(times) + self.width


MOMENTS = Cuts()


def counting_cuts(targets: Targets) -> Cuts | None:
    """The cuts that say what may be a target in some epoch."""
    return None if targets == "rows" else MOMENTS


def horizon_width(data: Dataset) -> int:
    """Microseconds that the validation part spans, about as many as the test part does."""
    start, stop = (datetime.fromisoformat(each) for each in (data.manifest.valid_start, data.manifest.test_start))
    return max(round((stop - start).total_seconds() * 10**6), 1)


def unknown_from(times: NDArray[np.int64], events: Ints, firsts: Ints, cuts: Cuts | None) -> Ints:
    """For each of ``events`` its user's first event that is not known when it is predicted.

    ``firsts``: an event of the same user, from which on is searched. ``cuts`` None: all that is before it is known.
    """
    return events if cuts is None else first_at(times, firsts, events, cuts.before(times[events]))


def predicted_from(times: NDArray[np.int64], inputs: Ints, ends: Ints, cuts: Cuts | None) -> Ints:
    """For each of ``inputs`` the first event that is predicted with it among what is known; ``end`` if none is."""
    return inputs + 1 if cuts is None else first_at(times, inputs + 1, ends, cuts.after(times[inputs]))
