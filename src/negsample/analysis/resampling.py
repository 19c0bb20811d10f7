"""Users and seeds, drawn again and again: how far a figure would move on others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REPLICATES = 1000
INTERVAL = (0.05, 0.95)
"""The quantiles between which a resampled figure lies in 90 % of the replicates."""
_GROUPS = 8192  # drawn as a whole: beyond so many users, some share a group


def groups_of(user_E: NDArray[np.int64]) -> NDArray[np.int64]:
    """(E,) the group that each event goes with: its user, or where there are many users, some of them.

    Users and not events are what varies, because the events of one user stand and fall together (cluster bootstrap).
    """
    return user_E % _GROUPS


def sums_of(values_FE: Floats, group_E: NDArray[np.int64], groups: int) -> Floats:
    """(N, F) sum of each of F values over the events of each group."""
    return np.stack([np.bincount(group_E, each, groups) for each in values_FE], axis=1)


def draws(groups: int, replicates: int, rng: np.random.Generator) -> Floats:
    """(R, N) how often each of N groups is in each replicate: N draws with replacement."""
    drawn = rng.integers(0, groups, (replicates, groups)) + groups * np.arange(replicates)[:, None]
    return np.bincount(drawn.ravel(), minlength=replicates * groups).reshape(replicates, groups).astype(np.float64)


def picks(runs: int, replicates: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(R, S) which of S runs are in each replicate: S draws with replacement."""
    return rng.integers(0, runs, (replicates, runs))


def interval(values: Floats, axis: int = 0) -> tuple[Floats, Floats]:
    """The ends of the 90 % interval of the replicates that are defined."""
    low, high = np.nanquantile(values, INTERVAL, axis=axis)
    return low, high
