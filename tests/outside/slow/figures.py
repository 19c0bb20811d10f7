"""Ranks over the whole catalogue and every figure that is made of them (FIELD, section 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

CUTOFFS = (1, 5, 10, 20)
NAMES = ("head", "mid", "tail")
Floats = NDArray[np.float64]


class Event(NamedTuple):
    """A target and its rank; whose event it is, and whether the item was known of that user."""

    target: int
    rank: float
    user: int
    repeat: bool


def scores(state: Floats, items: Floats) -> Floats:
    """(V + 1,) inner products, row by row and no matrix product, so that equal vectors have equal scores."""
    products: Floats = (items * state).sum(1)
    return products


def rank(score_of: Floats, target: int, left_out: AbstractSet[int] = frozenset()) -> float:
    """``#(score > s) + (#(score == s) - 1) / 2`` over items 1..V but those left out; infinite for one of these."""
    if target in left_out:
        return math.inf
    there = np.array([item > 0 and item not in left_out for item in range(len(score_of))])
    above, equal = (score_of > score_of[target]) & there, (score_of == score_of[target]) & there
    return float(above.sum() + (equal.sum() - 1) / 2)


def order(score_of: Floats, left_out: AbstractSet[int] = frozenset()) -> list[int]:
    """Items 1..V but those left out, the highest score first."""
    return sorted((item for item in range(1, len(score_of)) if item not in left_out), key=lambda item: -score_of[item])


def gain(measure: str, rank: float, k: int) -> float:
    """What one event adds."""
    if rank >= k:
        return 0.0
    return {"hr": 1.0, "ndcg": 1 / math.log2(rank + 2), "mrr": 1 / (rank + 1)}[measure]


def gini(values: Sequence[float]) -> float:
    """By its formula, undefined where all are zero."""
    x, n = sorted(values), len(values)
    if any(math.isnan(value) for value in x) or sum(x) == 0:
        return math.nan
    return sum((2 * i - n - 1) * value for i, value in enumerate(x, 1)) / (n * sum(x))


def mean(values: Sequence[float]) -> float:
    """NaN of nothing."""
    return sum(values) / len(values) if values else math.nan


def percentiles(count_of: Sequence[int]) -> list[float]:
    """Share of the other items that an item outdoes by train count, ties by half; 0 for id 0, which is none."""
    counts = count_of[1:]
    below = {count: sum(other < count for other in counts) for count in set(counts)}
    equal = {count: sum(other == count for other in counts) - 1 for count in set(counts)}
    return [0.0] + [(below[count] + equal[count] / 2) / (len(counts) - 1) for count in counts]


def figures(
    events: Sequence[Event],
    count_of: Sequence[int],
    cohort_of: Sequence[int],
    cut_cohort_of: Sequence[int],
    orders: Sequence[Sequence[int]],
) -> dict[str, float]:
    """All by name; ``cut_cohort_of``: cohorts by all that is known at the cut; ``orders``: the catalogue in its order
    for each history that was asked for."""
    warm = [event for event in events if count_of[event.target] > 0]
    of = {name: [event for event in events if cohort_of[event.target] == number] for number, name in enumerate(NAMES)}
    found: dict[str, float] = {"events": len(events), "cold_events": len(events) - len(warm)}
    found |= {f"{name}_events": len(members) for name, members in of.items()}
    percentile = percentiles(count_of)
    for k in CUTOFFS:
        for measure in ("hr", "ndcg", "mrr"):
            for name, members in {"": events, "warm_": warm, **{f"{each}_": of[each] for each in NAMES}}.items():
                found[f"{name}{measure}@{k}"] = mean([gain(measure, event.rank, k) for event in members])
        found[f"balance@{k}"] = 1 - gini([found[f"{name}_hr@{k}"] for name in NAMES])
        shown = [item for each in orders for item in each[:k]]
        found[f"coverage@{k}"] = len(set(shown)) / (len(count_of) - 1)
        found[f"arp@{k}"] = mean([percentile[item] for item in shown])
    return found | served(events, cut_cohort_of)


def served(events: Sequence[Event], cut_cohort_of: Sequence[int]) -> dict[str, float]:
    """Repeated and new items apart, each user's own mean, and cohorts as of the cut (FIELD, sections 2 and 9)."""
    groups = {
        "repeat": [event for event in events if event.repeat],
        "new": [event for event in events if not event.repeat],
    }
    for number, name in enumerate(NAMES):
        groups[f"cut_{name}"] = [event for event in events if cut_cohort_of[event.target] == number]
    found: dict[str, float] = {f"{name}_events": len(members) for name, members in groups.items()}
    by_user = [[event for event in events if event.user == user] for user in sorted({event.user for event in events})]
    found["users"] = len(by_user)
    found["effective_users"] = len(events) ** 2 / sum(len(own) ** 2 for own in by_user)
    for k in CUTOFFS:
        for measure in ("hr", "ndcg", "mrr"):
            for name, members in groups.items():
                found[f"{name}_{measure}@{k}"] = mean([gain(measure, event.rank, k) for event in members])
            own_means = [mean([gain(measure, event.rank, k) for event in own]) for own in by_user]
            found[f"user_{measure}@{k}"] = mean(own_means)
        found[f"cut_balance@{k}"] = 1 - gini([found[f"cut_{name}_hr@{k}"] for name in NAMES])
    return found


def log_shares(target_counts: Sequence[int]) -> Floats:
    """(V + 1,) ``log p``, ``p`` the share of the training targets; an item that is none counts as one."""
    total = sum(target_counts)
    return np.array([math.log(max(count, 1) / total) for count in target_counts])
