"""Figures of methods at chosen settings of the dial, on users drawn again and again: what a test needs of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.metrics import balance_slopes, balances, hit, ndcg
from negsample.report.frontier import ranks_of
from negsample.report.reading import POPULAR, Study
from negsample.report.tables import COHORTS
from negsample.seeds import resampling
from negsample.stats import Sample, draws_in_parts, groups_of, sums_of

Floats = NDArray[np.float64]
Entry = tuple[str, tuple[float, ...]]
"""A method, and the dial of each of its runs."""

K = 10
SCOPES = ("all", *COHORTS)
REPLICATES = 10_000
"""At least; Balance has no more, since every run has to be resampled by itself for it."""


class Sums(NamedTuple):
    """Of N groups of users: ``events_NC`` by cohort, ``gains`` (S, N, 2, C): hits and NDCG of each run of an entry."""

    events_NC: Floats
    users_C: tuple[int, ...]  # with an event in each cohort, and in any
    gains: dict[Entry, NDArray[np.float32]]
    seeds: dict[Entry, tuple[int, ...]]


def sums_by_user(study: Study, dataset: str, entries: Sequence[Entry]) -> Sums | None:
    """What each of ``entries`` gained, by user; None where a run has no ranks there, or of other events."""
    events = study.events[dataset]
    user_E = np.unique(events["user_E"], return_inverse=True)[1]
    cohort_CE = np.stack([events["cohort_E"] == number for number in range(len(COHORTS))]).astype(np.float64)
    group_E = groups_of(user_E)
    groups = int(group_E.max()) + 1
    gains: dict[Entry, list[Floats]] = {entry: [] for entry in entries}
    for method in study.methods_of(dataset):
        of_method = [entry for entry in entries if entry[0] == method]
        for number, run in enumerate(study.runs_of(dataset, method)):
            betas = sorted({dials[number] for _, dials in of_method})
            if study.grids[run.folder] is None or not set(betas) <= set(study.figures(run, "test")):
                return None
            ranks_GE = ranks_of(study, run, betas)
            if ranks_GE is None:
                return None
            for entry in of_method:
                ranks_E = ranks_GE[betas.index(entry[1][number])]
                gains[entry].append(gained(ranks_E, cohort_CE, group_E, groups))
    seen = [cohort_CE[number].astype(bool) for number in range(len(COHORTS))]
    return Sums(
        sums_of(cohort_CE, group_E, groups),
        (int(user_E.max()) + 1, *(len(np.unique(user_E[each])) for each in seen)),
        {entry: np.stack(each).astype(np.float32) for entry, each in gains.items()},
        {
            entry: () if entry[0] == POPULAR else tuple(r.config["seed"] for r in study.runs_of(dataset, entry[0]))
            for entry in entries
        },
    )


def gained(ranks_E: Floats, cohort_CE: Floats, group_E: NDArray[np.int64], groups: int) -> Floats:
    """(N, 2, C) hits and NDCG that each of N groups of users adds up in each of C cohorts."""
    found = np.concatenate([cohort_CE * hit(ranks_E, K), cohort_CE * ndcg(ranks_E, K)])
    return sums_of(found, group_E, groups).reshape(groups, 2, len(cohort_CE))


class Resampled:
    """Users of one dataset, drawn again and again: the same users for all methods.

    ``even``: the entries whose Balance will be asked for; it takes every run by itself.
    """

    def __init__(self, dataset: str, sums: Sums, replicates: int, even: Sequence[Entry]) -> None:
        self._sums = sums
        self._entries, self._even = list(sums.gains), list(dict.fromkeys(even))
        groups = len(sums.events_NC)
        mean_NF = np.concatenate(
            [each.mean(0, dtype=np.float64).reshape(groups, -1) for each in sums.gains.values()], 1
        )
        hits_NF = np.concatenate(
            [sums.gains[entry][:, :, 0].transpose(1, 0, 2).reshape(groups, -1) for entry in self._even], 1
        )  # whole numbers: their sums are exact in float32 too
        events, means, evenness = [], [], []
        left = REPLICATES
        for drawn_RN in draws_in_parts(groups, replicates, resampling(f"{dataset}/significance")):
            events.append(drawn_RN @ sums.events_NC)
            means.append(drawn_RN @ mean_NF)
            if left > 0:
                evenness.append(self._evenness(drawn_RN[:left].astype(np.float32) @ hits_NF, events[-1][:left]))
                left -= len(drawn_RN)
        self._events_RC = np.concatenate(events)
        self._means = np.concatenate(means).reshape(replicates, len(self._entries), 2, len(COHORTS))
        self._evenness_RM = np.concatenate(evenness)

    def _evenness(self, hits_RF: NDArray[np.float32], events_RC: Floats) -> Floats:
        """(R, M) Balance of each entry, mean over its runs; NaN where one has none."""
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = hits_RF.reshape(len(hits_RF), -1, len(COHORTS)) / events_RC[:, None]
        each_RS = balances(rates.reshape(-1, len(COHORTS))).reshape(rates.shape[:2])
        ends = np.cumsum([len(self._sums.gains[entry]) for entry in self._even])[:-1]
        return np.stack([part.mean(1) for part in np.split(each_RS, ends, axis=1)], axis=1)

    def users(self, measure: str, scope: str) -> int:
        """With an event in ``scope``; for Balance, in every cohort."""
        by_scope = dict(zip(SCOPES, self._sums.users_C, strict=True))
        return min(by_scope.values()) if measure == "balance@10" else by_scope[scope]

    def sample(self, entry: Entry, measure: str, scope: str) -> Sample:
        """A figure (``hr@10``, ``ndcg@10``, ``balance@10``) of an entry in one of SCOPES."""
        number, gains = self._entries.index(entry), self._sums.gains[entry].astype(np.float64)
        seeds = self._sums.seeds[entry]
        with np.errstate(invalid="ignore", divide="ignore"):
            if measure == "balance@10":
                return _even(gains[:, :, 0], self._sums.events_NC, self._evenness_RM[:, self._even.index(entry)], seeds)
            kind = ("hr@10", "ndcg@10").index(measure)
            part = slice(None) if scope == "all" else slice(COHORTS.index(scope), COHORTS.index(scope) + 1)
            resampled_R = self._means[:, number, kind, part].sum(1) / self._events_RC[:, part].sum(1)
            figures_S, influence_SN = _ratio(gains[:, :, kind, part].sum(2), self._sums.events_NC[:, part].sum(1))
        return Sample(figures_S, influence_SN, resampled_R, seeds)


def _ratio(gains_SN: Floats, events_N: Floats) -> tuple[Floats, Floats]:
    """Gains an event of each run, and what each group moves it by."""
    total = events_N.sum()
    figures_S = gains_SN.sum(1) / total
    return figures_S, (gains_SN - figures_S[:, None] * events_N) / total


def _even(hits_SNC: Floats, events_NC: Floats, resampled_R: Floats, seeds: tuple[int, ...]) -> Sample:
    parts = [_ratio(hits_SNC[:, :, number], events_NC[:, number]) for number in range(len(COHORTS))]
    rates_SC = np.stack([figures for figures, _ in parts], axis=1)
    slopes_SC = balance_slopes(rates_SC)
    influence_SN = sum(slopes_SC[:, number, None] * moved for number, (_, moved) in enumerate(parts))
    return Sample(balances(rates_SC), np.asarray(influence_SN), resampled_R, seeds)
