"""With which probability a draw gives an item, and what a log-q estimate should add up to (FIELD, section 4)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def uniform(items: int) -> Floats:
    """(V + 1,) the same for each of 1..V."""
    return np.array([0.0] + [1.0] * items)


def popularity(counts: Sequence[int], exponent: float) -> Floats:
    """(V + 1,) ``count ** exponent``; what has no count is never drawn."""
    return np.array([count**exponent if count else 0.0 for count in counts])


def log_uniform(counts: Sequence[int]) -> Floats:
    """(V + 1,) ``log((r + 2) / (r + 1))``, ``r`` the rank by count from 0, ties by id."""
    found = np.zeros(len(counts))
    for rank, item in enumerate(sorted(range(1, len(counts)), key=lambda item: (-counts[item], item))):
        found[item] = math.log((rank + 2) / (rank + 1))
    return found


def by_cohort(cohort_of: Sequence[int], shares: Sequence[float]) -> Floats:
    """(V + 1,) a cohort by its share, then any of its items alike."""
    sizes = [sum(each == cohort for each in cohort_of) for cohort in range(3)]
    return np.array([0.0] + [shares[cohort] / sizes[cohort] for cohort in cohort_of[1:]])


def occurrences(targets: Iterable[Sequence[int]], items: int) -> Floats:
    """(V + 1,) how often each item is a target."""
    found = np.zeros(items + 1)
    for sequence in targets:
        for item in sequence:
            found[item] += 1
    return found


def in_batch(everywhere: Floats, own: Sequence[int]) -> Floats:
    """(V + 1,) occurrences among the training targets of all others: ``n_i - c_u(i)``."""
    return everywhere - occurrences([own], len(everywhere) - 1)


def given(weights: Floats, barred: AbstractSet[int]) -> Floats:
    """(V + 1,) probabilities in proportion to the weights, without what is barred."""
    found = weights.copy()
    found[list(barred)] = 0.0
    total = found.sum()
    return found / total if total else found


def mixture(laws: Sequence[Floats], draws: Sequence[float]) -> Floats:
    """(V + 1,) of all parts together, whichever drew it."""
    return sum((m * law for m, law in zip(draws, laws, strict=True)), np.zeros(len(laws[0]))) / sum(draws)


def partition(scores: Floats, law: Floats, barred: AbstractSet[int]) -> float:
    """``sum exp(s)`` over the items that can be drawn and are not barred: what an estimate should give in the mean."""
    there = law > 0
    there[list(barred)] = False
    return float(np.exp(scores[there]).sum())
