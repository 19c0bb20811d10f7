"""Which events are targets, and from which state each is predicted, by time."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.data.dataset import Dataset
from negsample.data.known import first_at
from negsample.errors import InputError

Ints = NDArray[np.int64]
DAY = 86_400 * 10**6  # microseconds
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


def horizon_width(data: Dataset, horizon: Literal["auto"] | float = "auto") -> int:
    """Microseconds between the cuts of a ``horizon`` of so many days; ``auto``: as long as the validation part, about
    as long as the test part. It is the same with validation as part of train."""
    if horizon != "auto":
        return max(round(horizon * DAY), 1)
    return max(starts_of(data, "test") - starts_of(data, "valid"), 1)


class TrainWindow(NamedTuple):
    """The last ``days`` of what is trained on: events from ``start`` on (microseconds) are targets, earlier ones are
    inputs only."""

    days: float
    start: int

    @classmethod
    def of(cls, data: Dataset, days: float | None) -> TrainWindow | None:
        """That of ``data``; None: all events are targets. Its end is the start of validation, or, with validation as
        part of train, that of test (to the second)."""
        if days is None:
            return None
        return cls(days, starts_of(data, "test" if data.knows_validation else "valid") - round(days * DAY))

    def first(self, times: NDArray[np.int64], starts: Ints, ends: Ints) -> Ints:
        """The first event of each stretch ``[start, end)`` that may be a target; ``end`` if none."""
        return first_at(times, starts, ends, np.full(len(starts), self.start))

    def nothing_left(self) -> InputError:
        """The error where no event is a target."""
        return InputError(
            f"setting train_window={self.days:g}: no train event of the last {self.days:g} days can be predicted from "
            "an earlier one of its user; take more days, or leave it out"
        )


def nothing_earlier() -> InputError:
    """The error where no event can be predicted from what is earlier in time."""
    return InputError(
        "no train event can be predicted from an earlier time of its user (targets=moments), or from before a cut "
        "(targets=horizon); take targets=rows"
    )


def starts_of(data: Dataset, part: Literal["valid", "test"]) -> int:
    """When ``part`` starts, microseconds since 1970, to the second.

    Raises:
        InputError: it starts at another moment for each user.
    """
    start = data.manifest.valid_start if part == "valid" else data.manifest.test_start
    if start is None:
        raise InputError(f"the {part} part of {data.name} starts at no moment: split={data.split} is not one in time")
    return microseconds(start)


def microseconds(moment: str) -> int:
    """Microseconds since 1970 of ISO text, UTC."""
    return int(np.datetime64(moment, "us").astype(np.int64))


def unknown_from(times: NDArray[np.int64], events: Ints, firsts: Ints, cuts: Cuts | None) -> Ints:
    """For each of ``events`` its user's first event that is not known when it is predicted.

    ``firsts``: an event of the same user, from which on is searched. ``cuts`` None: all that is before it is known.
    """
    return events if cuts is None else first_at(times, firsts, events, cuts.before(times[events]))


def predicted_from(times: NDArray[np.int64], inputs: Ints, ends: Ints, cuts: Cuts | None) -> Ints:
    """For each of ``inputs`` the first event that is predicted with it among what is known; ``end`` if none is."""
    return inputs + 1 if cuts is None else first_at(times, inputs + 1, ends, cuts.after(times[inputs]))
