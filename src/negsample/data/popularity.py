"""Popularity cohorts (head, mid and tail) from train counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
COHORTS = ("head", "mid", "tail")
HEAD, MID, TAIL = range(3)
MPU = "MPU: the share of users who have an item (of those with train events), median over the items of the cohort."


def popularity_order(counts: Ints) -> Ints:
    """(V,) item ids ``1..V`` by train count, descending; ties by id, ascending.

    ``counts``: (V + 1,) train events of each item; ``counts[0]`` is 0.
    """
    if len(counts) < 1 or counts[0] != 0:
        raise ValueError("counts must have length V + 1 with counts[0] == 0: id 0 is no item")
    return np.argsort(-counts[1:], kind="stable") + 1


def cohorts(counts: Ints) -> NDArray[np.int8]:
    """(V + 1,) the cohort of each item: 0 head, 1 mid, 2 tail; -1 at index 0, which is no item.

    In :func:`popularity_order`, with ``c`` the train events of the items before this one and ``n`` those of
    all: head while ``c < n/3``, mid while ``c < 2n/3``, tail the rest, items without train events included.
    """
    order = popularity_order(counts)
    ordered = counts[order].astype(np.int64)
    before = np.cumsum(ordered) - ordered
    n = int(ordered.sum())
    result = np.full(len(counts), -1, np.int8)
    result[order] = np.where(3 * before < n, HEAD, np.where(3 * before < 2 * n, MID, TAIL))
    return result


def users_of_items(users: NDArray[Any], items: NDArray[Any], width: int) -> Ints:
    """(width,) how many users have each item, from (n,) events; results for disjoint sets of users add up."""
    pairs = np.sort(users.astype(np.int64) * width + items)
    return np.bincount(pairs[np.diff(pairs, prepend=pairs[:1] - 1) != 0] % width, minlength=width)


def median_percent(users_of_item: Ints, users: int, cohort: NDArray[np.int8]) -> dict[str, float | None]:
    """MPU (the paper's Table 2): median over a cohort's items of the share of users who have the item, in %.

    Args:
        users_of_item: (V + 1,) as :func:`users_of_items` gives them, of the train events.
        users: with train events, whom the shares are of.
        cohort: (V + 1,) as :func:`cohorts` gives them; one without items has None.
    """
    having = {name: users_of_item[cohort == which] for which, name in enumerate(COHORTS)}
    return {name: 100 * float(np.median(each)) / users if len(each) else None for name, each in having.items()}
