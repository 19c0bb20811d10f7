"""Figures of methods at chosen settings of the dial, and what each user moves them by: what a test needs of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.analysis.frontier import ranks_of
from negsample.analysis.reading import POPULAR, Study
from negsample.analysis.statistics import Sample, groups_of, sums_of
from negsample.analysis.tables import COHORTS
from negsample.evaluation.metrics import balance_slopes, balances, hit, ndcg

Floats = NDArray[np.float64]
Entry = tuple[str, tuple[float, ...]]
"""A method, and the dial of each of its runs."""

K = 10
SCOPES = ("all", *COHORTS)


class Sums(NamedTuple):
    """Of N groups of users: ``events_NC`` by cohort, ``gains`` (S, N, 2, C): hits and NDCG of each run of an entry."""

    events_NC: Floats
    users_C: tuple[int, ...]  # with an event in each cohort, and in any
    gains: dict[Entry, Floats]


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
        {entry: np.stack(each) for entry, each in gains.items()},
    )


def gained(ranks_E: Floats, cohort_CE: Floats, group_E: NDArray[np.int64], groups: int) -> Floats:
    """(N, 2, C) hits and NDCG that each of N groups of users adds up in each of C cohorts."""
    found = np.concatenate([cohort_CE * hit(ranks_E, K), cohort_CE * ndcg(ranks_E, K)])
    return sums_of(found, group_E, groups).reshape(groups, 2, len(cohort_CE))


def users_of(sums: Sums, measure: str, scope: str) -> int:
    """With an event in ``scope``; for Balance, the fewest of all cohorts."""
    by_scope = dict(zip(SCOPES, sums.users_C, strict=True))
    return min(by_scope.values()) if measure == "balance@10" else by_scope[scope]


def sample(sums: Sums, entry: Entry, measure: str, scope: str) -> Sample:
    """A figure (``hr@10``, ``ndcg@10``, ``balance@10``) of an entry in one of SCOPES."""
    gains = sums.gains[entry]
    with np.errstate(invalid="ignore", divide="ignore"):
        if measure == "balance@10":
            figures_S, influence_SN = _even(gains[:, :, 0], sums.events_NC)
        else:
            kind = ("hr@10", "ndcg@10").index(measure)
            part = slice(None) if scope == "all" else slice(COHORTS.index(scope), COHORTS.index(scope) + 1)
            figures_S, influence_SN = _ratio(gains[:, :, kind, part].sum(2), sums.events_NC[:, part].sum(1))
    return Sample(figures_S, influence_SN, entry[0], entry[0] != POPULAR)


def _ratio(gains_SN: Floats, events_N: Floats) -> tuple[Floats, Floats]:
    """Gains an event of each run, and what each group moves it by."""
    total = events_N.sum()
    figures_S = gains_SN.sum(1) / total
    return figures_S, (gains_SN - figures_S[:, None] * events_N) / total


def _even(hits_SNC: Floats, events_NC: Floats) -> tuple[Floats, Floats]:
    """The same of Balance."""
    parts = [_ratio(hits_SNC[:, :, number], events_NC[:, number]) for number in range(len(COHORTS))]
    rates_SC = np.stack([figures for figures, _ in parts], axis=1)
    slopes_SC = balance_slopes(rates_SC)
    influence_SN = sum(slopes_SC[:, number, None] * moved for number, (_, moved) in enumerate(parts))
    return balances(rates_SC), np.asarray(influence_SN)
