"""What each user moves a figure by: the figures of runs from their ranks, and their influence functions by user."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.reliability.studies.checker.raw import BASELINES, COHORTS, Raw, RawRun

Floats = NDArray[np.float64]
Dials = tuple[float, ...]
Entry = tuple[str, Dials]
"""A method with the dial of each of its runs."""


class Moved(NamedTuple):
    """A figure of the S runs of an entry (each the mean over the folds), and what each user moves it by."""

    method: str
    figure_S: Floats
    moved_SU: Floats

    @property
    def rule(self) -> bool:
        """Whether it is a baseline, which has no seeds; the name of its study may stand before it."""
        return self.method.rpartition(" ")[2] in BASELINES


class Users:
    """Of a log: the user of each event of a part in each fold, the same number in all. ``by_user``: each user weighs
    as much as any other in a fold, and not each event."""

    def __init__(self, raw: Raw, log: str, part: str = "test", by_user: bool = False) -> None:
        self.raw, self.log, self.part = raw, log, part
        before = "" if part == "test" else f"{part}_"
        folds: list[dict[str, NDArray[Any]]] = [raw.events[name] for name in raw.logs[log]]
        people = [each[f"{before}{name}"] for each in folds for name in [_name(each, before)]]
        self.measured = all(len(each) for each in people)
        distinct = np.unique(np.concatenate(people))
        self.number = len(distinct)
        self.of: list[NDArray[np.int64]] = [np.searchsorted(distinct, each) for each in people]
        self.cohorts = [each[f"{before}cohort_E"] for each in folds]
        self.weights = [1 / np.bincount(user_E)[user_E] if by_user else np.ones(len(user_E)) for user_E in self.of]

    def least(self, measure: str, scope: str) -> int:
        """Users with an event in ``scope``; for Balance the fewest of all cohorts."""
        scopes = COHORTS if measure == "balance@10" else (scope,)
        return min(len(self._in(each)) for each in scopes)

    def _in(self, scope: str) -> set[int]:
        found: set[int] = set()
        for cohort_E, user_E in zip(self.cohorts, self.of, strict=True):
            of_E = np.ones(len(user_E), bool) if scope == "all" else cohort_E == COHORTS.index(scope)
            found |= set(user_E[of_E].tolist())
        return found

    def moved(self, entry: Entry, measure: str, scope: str) -> Moved:
        """A figure of ``entry``, seed by seed."""
        method, dials = entry
        runs = self.raw.of(self.log, method)
        dial_of = {run.folder: dial for run, dial in zip(runs, dials, strict=True)}
        figures, moves = [], []
        for of_seed in self.raw.whole(self.log, method):
            each = [self._moved(run, dial_of[run.folder], measure, scope, at) for at, run in enumerate(of_seed)]
            figures.append(np.mean([figure for figure, _ in each]))
            moves.append(np.mean([move_U for _, move_U in each], axis=0))
        return Moved(method, np.array(figures), np.array(moves))

    def _moved(self, run: RawRun, dial: float, measure: str, scope: str, at: int) -> tuple[float, Floats]:
        ranks_E = run.ranks[self.part][run.grid["betas"].index(dial)]
        cohort_E, user_E, weight_E = self.cohorts[at], self.of[at], self.weights[at]

        def ratio(gain_E: Floats, of_E: NDArray[Any]) -> tuple[float, Floats]:
            """Gain an event, and its influence function by user."""
            gains_U = np.bincount(user_E[of_E], (weight_E * gain_E)[of_E], self.number)
            counts_U = np.bincount(user_E[of_E], weight_E[of_E], self.number)
            total = counts_U.sum()
            figure = gains_U.sum() / total if total else np.nan
            return figure, (gains_U - figure * counts_U) / (total if total else np.nan)

        hit_E = (ranks_E < 10).astype(float)
        if measure == "balance@10":
            parts = [ratio(hit_E, cohort_E == number) for number in range(3)]
            rates = [rate for rate, _ in parts]
            total = sum(rates)
            if not total > 0:
                return np.nan, np.full(self.number, np.nan)
            high, low = int(np.argmax(rates)), int(np.argmin(rates))
            apart = rates[high] - rates[low]
            slopes = [-2 / (3 * total) * ((i == high) - (i == low) - apart / total) for i in range(3)]
            moved_U = sum(slope * move for slope, (_, move) in zip(slopes, parts, strict=True))
            return 1 - 2 * apart / (3 * total), np.asarray(moved_U)
        gain_E = hit_E if measure == "hr@10" else hit_E / np.log2(np.where(hit_E > 0, ranks_E, 0) + 2)
        of_E = np.ones(len(user_E), bool) if scope == "all" else cohort_E == COHORTS.index(scope)
        return ratio(gain_E, of_E)


def _name(events: dict[str, NDArray[Any]], before: str) -> str:
    """What tells users apart: in folds the same number in all."""
    return "person_E" if f"{before}person_E" in events else "user_E"
