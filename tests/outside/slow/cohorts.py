"""Head, mid and tail, and what the paper's Table 2 says of them (FIELD, section 2)."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

NAMES = ("head", "mid", "tail")


def counts(train: Mapping[Any, list[int]], items: int) -> list[int]:
    """Train events of each id from 0 to V, from each user's train items."""
    found = [0] * (items + 1)
    for history in train.values():
        for item in history:
            found[item] += 1
    return found


def cohorts(count_of: list[int]) -> list[int]:
    """Cohort of each id from 1 on, -1 at 0: a third of the train events each, down the list of the most popular."""
    total = sum(count_of)
    found, running = [-1] * len(count_of), 0
    for item in sorted(range(1, len(count_of)), key=lambda item: (-count_of[item], item)):
        found[item] = 0 if 3 * running < total else 1 if 3 * running < 2 * total else 2
        running += count_of[item]
    return found


def mpu(train: Mapping[Any, list[int]], cohort_of: list[int], cohort: int) -> float:
    """Median over the items of a cohort of the share of the users with train events who have it, in %."""
    having = [0] * len(cohort_of)
    for history in train.values():
        for item in set(history):
            having[item] += 1
    everyone = sum(1 for history in train.values() if history)
    return median(100 * having[item] / everyone for item in range(1, len(cohort_of)) if cohort_of[item] == cohort)
