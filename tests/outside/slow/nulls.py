"""Studies of methods that do not differ, simulated hit by hit, and what statistics should make of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Null(NamedTuple):
    """``methods`` with ``seeds`` runs each, whose seeds shift all their hits by ``sd``, in logits; of the first by
    ``noisy``. Users have a level of their own (sd 1), and a leaning of their own to each method (``lean``)."""

    methods: int = 7
    seeds: int = 3
    sd: float = 0.0
    noisy: float | None = None
    lean: float = 0.5
    level: float = -2.0


def hits(null: Null, events_of_user: NDArray[np.int64], chance: np.random.Generator, ahead: float = 0.0) -> Floats:
    """(methods, seeds, users) how many of each user's events are hits; ``ahead``: what the last method has more."""
    users = len(events_of_user)
    shape = (null.methods, null.seeds, users)
    logits = np.full(shape, null.level) + chance.normal(0, 1, users)
    logits += chance.normal(0, null.lean, (null.methods, 1, users))
    by_seed = chance.normal(0, null.sd, (null.methods, null.seeds, 1))
    if null.noisy is not None:
        by_seed[0] = chance.normal(0, null.noisy, (null.seeds, 1))
    logits[-1] += ahead
    return chance.binomial(events_of_user, 1 / (1 + np.exp(-logits - by_seed))).astype(float)


def influences(hits_SN: Floats, events_of_user: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """(S,) the hit rate of each run, and (S, N) what each user moves it by: ``(hits - rate * events) / all events``."""
    rates = hits_SN.sum(1) / events_of_user.sum()
    return rates, (hits_SN - rates[:, None] * events_of_user) / events_of_user.sum()


def holm(p: Sequence[float]) -> list[float]:
    """Step down: the smallest of n is multiplied by n, the next by n - 1, and none may fall below one before it."""
    order = sorted(range(len(p)), key=lambda place: p[place])
    found, highest = [0.0] * len(p), 0.0
    for step, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p) - step) * p[place]))
        found[place] = highest
    return found


def bootstrap(
    a_SN: Floats, b_SN: Floats, events_of_user: NDArray[np.int64], replicates: int, chance: np.random.Generator
) -> list[float]:
    """Differences of mean hit rates on users drawn with replacement, the same users for both methods."""
    users = len(events_of_user)
    found = []
    for _ in range(replicates):
        drawn = chance.integers(0, users, users)
        events = events_of_user[drawn].sum()
        found.append(float((a_SN[:, drawn].sum(1).mean() - b_SN[:, drawn].sum(1).mean()) / events))
    return found
