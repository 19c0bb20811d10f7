"""What a tuning searches: the training's own settings, and those that a method's row names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from negsample.errors import InputError


class Whole(NamedTuple):
    """Whole numbers from ``low`` to ``high``, both included, evenly by their logarithm."""

    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"


class Real(NamedTuple):
    """Numbers from ``low`` to ``high``, evenly by their logarithm."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


class OneOf(NamedTuple):
    """One of some values."""

    values: tuple[int, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.values))


Space = Whole | Real | OneOf

OF_TRAINING: Mapping[str, Space] = {
    "learning_rate": Real(1e-4, 1e-2),
    "batch_size": OneOf((64, 128, 256, 512)),
}
"""Searched for every method: the paper's ranges (its published settings lie between 1e-4 and 1e-2, 64 and 256)."""

_PROPOSED = (
    "random_negatives",
    "popularity_negatives",
    "log_uniform_negatives",
    "in_batch_negatives",
    "cohort_negatives",
    "cache_negatives",
)

_LEFT = {"kept_hardest": 1, "picked_from": 1, "resampled": 0}
"""What selects among the proposed, and how many it must leave: whoever keeps them all selects nothing."""

_COUNTS = (*_PROPOSED, "mixed_negatives", *_LEFT)


def space_of(defaults: Mapping[str, object], own: Mapping[str, Space]) -> dict[str, Space]:
    """What is searched for a method with these ``defaults``: ``own``, and around each other number of negatives.

    A number that the row does not give a range of its own is searched from a twentieth of its default to five times
    that. A setting that is no number (``in_batch_negatives="all"``) is left as it is. What is selected comes after
    what is proposed, so that one can be drawn within the other (:func:`narrowed`).
    """
    counts = {key: value for key, value in defaults.items() if key in _COUNTS and isinstance(value, int)}
    around: dict[str, Space] = {key: Whole(max(1, value // 20), 5 * value) for key, value in counts.items()}
    found = dict(OF_TRAINING) | around | dict(own)
    return dict(sorted(found.items(), key=lambda each: each[0] in _LEFT))


def narrowed(name: str, spaces: Mapping[str, Space], known: Mapping[str, Any]) -> Space:
    """The part of a setting's range that leaves a method what it is, beside what is known of the others.

    A method that selects selects fewer than are proposed (``kept_hardest``, ``picked_from``; ``resampled``, drawn with
    replacement, at most as many): else it would be another method under its name.

    Args:
        name: of the setting.
        spaces: of all that is searched; ``name`` is among them.
        known: settings that are given, and those of ``spaces`` that were drawn before this one.

    Raises:
        InputError: nothing is left of it.
    """
    space = spaces[name]
    if not isinstance(space, Whole) or name not in (*_PROPOSED, *_LEFT):
        return space
    ends = {key: (each.low, each.high) for key, each in spaces.items() if isinstance(each, Whole)}
    ends |= {key: (value, value) for key, value in known.items() if isinstance(value, int)}
    proposed = [key for key in _PROPOSED if key in known or key in spaces]
    if any(key not in ends for key in proposed):  # as many as the batch has
        return space
    low, high = space
    for selects in (key for key in _LEFT if key in ends):
        if name == selects:
            high = min(high, sum(ends[key][1] for key in proposed) - _LEFT[name])
        elif name in proposed:
            others = sum(ends[key][1] for key in proposed if key != name)
            low = max(low, ends[selects][0] + _LEFT[selects] - others)
    if low > high:
        told = ", ".join(f"{key}={value}" for key, value in known.items() if key in (*_PROPOSED, *_LEFT))
        raise InputError(
            f"no {name} from {space} leaves a choice among what is proposed, with {told}; give {name} by --set, or "
            "other numbers"
        )
    return Whole(low, high)
