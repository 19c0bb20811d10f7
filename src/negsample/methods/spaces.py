"""What a tuning searches: the training's own settings, and those that a method's row names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


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

_COUNTS = (
    "random_negatives",
    "popularity_negatives",
    "log_uniform_negatives",
    "in_batch_negatives",
    "cohort_negatives",
    "cache_negatives",
    "mixed_negatives",
    "resampled",
    "kept_hardest",
    "picked_from",
)


def space_of(defaults: Mapping[str, object], own: Mapping[str, Space]) -> dict[str, Space]:
    """What is searched for a method with these ``defaults``: ``own``, and around each other number of negatives.

    A number that the row does not give a range of its own is searched from a twentieth of its default to five times
    that. A setting that is no number (``in_batch_negatives="all"``) is left as it is.
    """
    counts = {key: value for key, value in defaults.items() if key in _COUNTS and isinstance(value, int)}
    around: dict[str, Space] = {key: Whole(max(1, value // 20), 5 * value) for key, value in counts.items()}
    return dict(OF_TRAINING) | around | dict(own)
