"""Accuracy of one event: how high the target stands.

Ranks count from 0 and are means of ties, so they may be halves: ``rank = #(score > s) + (#(score == s) - 1) / 2``.
A target that is left out of the ranking has an infinite rank: it is no hit at any ``k``, even where ``k`` is above V.
Every function gives one float64 an event, 0 where ``rank >= k``; nothing is rounded or averaged.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def hit(ranks: Floats, k: int) -> Floats:
    """1 where the target is among the first ``k``; its mean is HR@k."""
    return (ranks < k).astype(np.float64)


def ndcg(ranks: Floats, k: int) -> Floats:
    """``1 / log2(rank + 2)`` among the first ``k``: NDCG@k with one relevant item."""
    return np.where(ranks < k, 1 / np.log2(ranks + 2), 0.0)


def reciprocal_rank(ranks: Floats, k: int) -> Floats:
    """``1 / (rank + 1)`` among the first ``k``; its mean is MRR@k."""
    return np.where(ranks < k, 1 / (ranks + 1), 0.0)


METRICS: dict[str, Callable[[Floats, int], Floats]] = {"hr": hit, "ndcg": ndcg, "mrr": reciprocal_rank}
