"""What each user gains by a method's ranks: what a test of a difference and a resample of users both start from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.analysis.measures import ACCURACY, BALANCE, COHORTS, SCOPES, K
from negsample.analysis.resampling import groups_of, sums_of
from negsample.analysis.study import Study
from negsample.analysis.t_test import Sample
from negsample.evaluation.figures import balance_slopes, balances
from negsample.evaluation.metrics import hit, ndcg
from negsample.models.baselines import is_baseline
from negsample.runs.folder import Run, read_ranks

Floats = NDArray[np.float64]
Part = Literal["valid", "test"]
Entry = tuple[str, tuple[float, ...]]
"""A method, and the dial of each of its runs."""


class MeasuredEvents(NamedTuple):
    """The E measured events of a dataset or fold: the group of users of each, its cohort, and N, how many groups.

    ``cohort_CE``: the weight of each event in its cohort, 0 in the others. ``users_C``: with an event at all, and in
    each cohort, in any fold.
    """

    group_E: NDArray[np.int64]
    cohort_CE: Floats
    groups: int
    users_C: tuple[int, ...]

    def sums(self, values_FE: Floats) -> Floats:
        """(N, F) sum of each of F values over the events of each group."""
        return sums_of(values_FE, self.group_E, self.groups)

    def gains(self, ranks_E: Floats) -> Floats:
        """(N, 2, C) hits and NDCG that each group adds up in each cohort."""
        found = np.concatenate([self.cohort_CE * hit(ranks_E, K), self.cohort_CE * ndcg(ranks_E, K)])
        return self.sums(found).reshape(self.groups, 2, len(COHORTS))


def events_of(study: Study, dataset: str, part: Part = "test", *, by_user: bool = False) -> list[MeasuredEvents]:
    """The events of ``part`` of ``dataset``, by fold; a user is in one group in all folds. Empty where none was
    measured. ``by_user``: each user weighs as much as any other, not each event."""
    folds, before = study.events[dataset], "valid_" if part == "valid" else ""
    if any(not len(each[f"{before}user_E"]) for each in folds):
        return []
    stored = [each.get(f"{before}person_E", each[f"{before}user_E"]) for each in folds]
    user_E = np.unique(np.concatenate(stored), return_inverse=True)[1]
    cohort_E = np.concatenate([each[f"{before}cohort_E"] for each in folds])
    cohort_CE = np.stack([cohort_E == number for number in range(len(COHORTS))])
    users = (int(user_E.max()) + 1, *(len(np.unique(user_E[each])) for each in cohort_CE))
    group_E, ends = groups_of(user_E), np.cumsum([len(each) for each in stored])[:-1]
    weights = [_shares(each) if by_user else np.ones(len(each)) for each in np.split(user_E, ends)]
    parts = zip(np.split(group_E, ends), np.split(cohort_CE, ends, axis=1), weights, strict=True)
    groups = int(group_E.max()) + 1
    return [MeasuredEvents(group_E, cohort_CE * weight_E, groups, users) for group_E, cohort_CE, weight_E in parts]


def _shares(user_E: NDArray[np.int64]) -> Floats:
    """(E,) one over the number of events that the user of each has."""
    return np.asarray(1 / np.bincount(user_E)[user_E])


def ranks_of(study: Study, run: Run, betas: Sequence[float], part: Part = "test") -> Floats:
    """(G, E) ranks of ``run`` at ``betas``."""
    grid = study.grids[run.folder]
    ranks_GE = read_ranks(run.folder, len(grid.betas))[f"{part}_GE"]
    return ranks_GE[[grid.betas.index(beta) for beta in betas]]


class Sums(NamedTuple):
    """Of N groups of users in a dataset or fold: ``events_NC`` by cohort (or their weight), ``gains`` (S, N, 2, C):
    hits and NDCG of each run of an entry; over folds, of each seed that has finished them all."""

    events_NC: Floats
    users_C: tuple[int, ...]
    gains: dict[Entry, Floats]


def sums_by_user(
    study: Study, dataset: str, folds: Sequence[MeasuredEvents], entries: Sequence[Entry], part: Part = "test"
) -> list[Sums]:
    """What each of ``entries`` gained on the events of ``part``, by fold and group of users."""
    gains: list[dict[Entry, list[Floats]]] = [{entry: [] for entry in entries} for _ in folds]
    for method in study.methods_of(dataset):
        of_method = [entry for entry in entries if entry[0] == method]
        number_of = {run.folder: number for number, run in enumerate(study.runs_of(dataset, method))}
        for runs in study.repeats_of(dataset, method):
            for run, events, found in zip(runs, folds, gains, strict=True):
                betas = [dials[number_of[run.folder]] for _, dials in of_method]
                for entry, ranks_E in zip(of_method, ranks_of(study, run, betas, part), strict=True):
                    found[entry].append(events.gains(ranks_E))
    stacked = [{entry: np.stack(each) for entry, each in found.items()} for found in gains]
    return [Sums(each.sums(each.cohort_CE), each.users_C, found) for each, found in zip(folds, stacked, strict=True)]


def users_of(sums: Sums, measure: str, scope: str) -> int:
    """With an event in ``scope``; for Balance, the fewest of all cohorts."""
    return min(sums.users_C) if measure == BALANCE else sums.users_C[SCOPES.index(scope)]


def sample(sums: Sums, entry: Entry, measure: str, scope: str) -> Sample:
    """A figure (``hr@10``, ``ndcg@10``, ``balance@10``) of an entry in one of SCOPES."""
    gains = sums.gains[entry]
    with np.errstate(invalid="ignore", divide="ignore"):
        if measure == BALANCE:
            figures_S, influence_SN = _balance(gains[:, :, 0], sums.events_NC)
        else:
            kind, cohorts = int(measure == ACCURACY), range(len(COHORTS)) if scope == "all" else [COHORTS.index(scope)]
            figures_S, influence_SN = _ratio(gains[:, :, kind, cohorts].sum(2), sums.events_NC[:, cohorts].sum(1))
    return Sample(figures_S, influence_SN, entry[0], not is_baseline(entry[0]))


def mean_sample(folds: Sequence[Sums], entry: Entry, measure: str, scope: str) -> Sample:
    """The mean of a figure over ``folds``, seed by seed. A user is the same one in all folds: what one moves the mean
    by is the mean of what they move each fold's figure by."""
    each = [sample(sums, entry, measure, scope) for sums in folds]
    figures_S = np.mean([one.figures_S for one in each], axis=0)
    return each[0]._replace(figures_S=figures_S, influence_SN=np.mean([one.influence_SN for one in each], axis=0))


def _ratio(gains_SN: Floats, events_N: Floats) -> tuple[Floats, Floats]:
    """Gains an event of each run, and what each group moves it by."""
    total = events_N.sum()
    figures_S = gains_SN.sum(1) / total
    return figures_S, (gains_SN - figures_S[:, None] * events_N) / total


def _balance(hits_SNC: Floats, events_NC: Floats) -> tuple[Floats, Floats]:
    """The same of Balance."""
    parts = [_ratio(hits_SNC[:, :, number], events_NC[:, number]) for number in range(len(COHORTS))]
    rates_SC = np.stack([figures for figures, _ in parts], axis=1)
    slopes_SC = balance_slopes(rates_SC)
    influence_SN = sum(slopes_SC[:, number, None] * moved for number, (_, moved) in enumerate(parts))
    return balances(rates_SC), np.asarray(influence_SN)
