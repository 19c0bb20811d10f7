"""Who is served: groups of the measured events beside the paper's cohorts, and the means over each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.data.dataset import Dataset
from negsample.data.popularity import COHORTS
from negsample.evaluation.metrics import Floats
from negsample.evaluation.queries import Part, Queries

Ints = NDArray[np.signedinteger[Any]]
CUT = tuple(f"cut_{cohort}" for cohort in COHORTS)
"""The cohorts as of the cut: the paper's rule on the counts of all events before the part that is measured."""
QUERIES_AT_ONCE = 1 << 14  # whose histories are held at once


class Groups(NamedTuple):
    """Of E events: ``user_E``, users numbered from 0; ``events_U``: how many events each has, none has 0; ``of``: by
    name of a group, the positions of its events.

    The groups: ``new`` and ``repeat``, by whether the user has the item in what the model knows of them at the query
    (by the setting ``history``, the whole of it), and CUT.
    """

    user_E: Ints
    events_U: Ints
    of: Mapping[str, Ints]

    @classmethod
    def by(cls, user_E: Ints, repeat_E: NDArray[np.bool_], cohort_E: NDArray[np.int8]) -> Groups:
        """From facts of each event; ``cohort_E``: of its target, as of the cut."""
        which = {"new": ~repeat_E, "repeat": repeat_E} | {name: cohort_E == at for at, name in enumerate(CUT)}
        return cls(user_E, np.bincount(user_E), {name: np.flatnonzero(each) for name, each in which.items()})

    def means(self, measure: str, values_E: Floats) -> dict[str, float]:
        """The mean of one number an event over each group, and over users of each user's own mean (``user``)."""
        found = {f"{name}_{measure}": mean(values_E[at]) for name, at in self.of.items()}
        return found | {f"user_{measure}": mean(np.bincount(self.user_E, weights=values_E) / self.events_U)}

    def sizes(self) -> dict[str, float | int]:
        """Events of each group, users, and as how many users they count in a mean over events: ``n^2 / sum n_u^2``."""
        found: dict[str, float | int] = {f"{name}_events": len(at) for name, at in self.of.items()}
        squares = int((self.events_U**2).sum())
        found["effective_users"] = len(self.user_E) ** 2 / squares if squares else math.nan
        return found | {"users": len(self.events_U)}


def mean(values: Floats) -> float:
    """NaN where there is none."""
    return float(values.mean()) if len(values) else math.nan


def groups_of(data: Dataset, part: Part, asked: Queries) -> Groups:
    """The groups of the events of ``asked``, which are of ``part``."""
    cohorts = data.cohorts if part == "valid" else data.cut_cohorts
    starts = range(0, len(asked.windows), QUERIES_AT_ONCE)
    parts = (asked.take(np.arange(first, min(first + QUERIES_AT_ONCE, len(asked.windows)))) for first in starts)
    repeat_E = np.concatenate([some.seen(data).holds(some.query_E, some.targets_E) for some in parts])
    user_E = np.unique(asked.windows.users, return_inverse=True)[1][asked.query_E]
    return Groups.by(user_E, repeat_E, cohorts[asked.targets_E])
