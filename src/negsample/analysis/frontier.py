"""What each method reaches over all settings of the dial, and which method leads where.

A method is compared by its curve of (Balance@10, NDCG@10), not by a point: ``reached(b)`` is the highest NDCG@10 that
it has with a Balance of at least ``b``, along straight lines between neighbouring settings. Its hypervolume over the
reference point (Balance 1/3, NDCG 0) is the mean of ``reached`` over all floors ``b`` from 1/3 to 1: what it offers to
somebody whose demand on Balance is not known yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.analysis.measures import ACCURACY, BALANCE
from negsample.analysis.per_user import MeasuredEvents, events_of, ranks_of
from negsample.analysis.resampling import REPLICATES, draws, interval, picks
from negsample.analysis.study import Study
from negsample.analysis.tables import common_betas
from negsample.evaluation.figures import balances
from negsample.random import resampling
from negsample.runs.folder import Run

Floats = NDArray[np.float64]

FLOORS = np.linspace(1 / 3, 1, 201)
"""The demands on Balance, from none to perfection."""
USEFUL = 0.5
"""Floors count for which method leads as long as somebody keeps this share of the best NDCG@10 there."""
_LEAST = 1 / 3  # Balance when one cohort has all hits


class Reach(NamedTuple):
    """What a method has at each of G settings: the means over its runs, and R resamples of them.

    ``balance_G`` is NaN where nothing was hit.
    """

    method: str
    betas: tuple[float, ...]
    balance_G: Floats
    ndcg_G: Floats
    balance_RG: Floats
    ndcg_RG: Floats

    def reached(self) -> Floats:
        """(A,) the highest NDCG@10 at each of the floors."""
        (found,) = _reached(self.balance_G[None], self.ndcg_G[None])
        return np.asarray(found)

    def resampled(self) -> Floats:
        """(R, A) the same in each resample."""
        return _reached(self.balance_RG, self.ndcg_RG)


class Standing(NamedTuple):
    """How a method stands among the others of a dataset.

    ``hypervolume`` with its 90 % interval; ``best``: in how many resamples (share) none has a larger one; ``leads``:
    the stretches of floors at which no method has more, within the useful ones; ``share`` of those; ``undominated``:
    share of resamples in which it leads anywhere there; ``adds``: what the joint hypervolume would lose without it.
    """

    method: str
    hypervolume: float
    low: float
    high: float
    best: float
    leads: tuple[tuple[float, float], ...]
    share: float
    undominated: float
    adds: float


def reaches(study: Study, dataset: str) -> list[Reach]:
    """Of every method on ``dataset``, in the study's order; settings that all of its runs have. Empty where no test
    event was measured."""
    folds = events_of(study, dataset)
    if not folds:
        return []
    draws_RN = draws(folds[0].groups, REPLICATES, resampling(dataset))  # the same users for all methods and folds
    counts_FRC = [draws_RN @ events.sums(events.cohort_CE) for events in folds]

    def resampled(ranks_GE: Floats, events: MeasuredEvents, counts_RC: Floats) -> Floats:
        """(G, 2, R) Balance and NDCG of one run at each setting in each resample, from one product for all settings."""
        gains_NX = np.concatenate([events.gains(ranks_E).reshape(events.groups, -1) for ranks_E in ranks_GE], axis=1)
        drawn_RX = draws_RN @ gains_NX
        hits_GRC, ndcg_GRC = drawn_RX.reshape(REPLICATES, len(ranks_GE), 2, -1).transpose(2, 1, 0, 3)
        with np.errstate(invalid="ignore", divide="ignore"):
            balance_GR = np.stack([balances(hits_RC / counts_RC) for hits_RC in hits_GRC])
            return np.stack([balance_GR, ndcg_GRC.sum(2) / counts_RC.sum(1)], axis=1)

    found = []
    for method in study.methods_of(dataset):
        if not (repeats := study.repeats_of(dataset, method)):
            continue
        betas = common_betas(study, study.runs_of(dataset, method))
        balance_G, ndcg_G = (
            _mean(
                _mean(
                    np.array(
                        [[_dialled(study, run, betas, name) for run in runs] for runs in zip(*repeats, strict=True)]
                    )
                )
            )
            for name in (BALANCE, ACCURACY)
        )
        figures_FSGR = np.array(
            [
                [resampled(ranks_of(study, run, betas), events, counts_RC) for run in runs]
                for events, counts_RC, runs in zip(folds, counts_FRC, zip(*repeats, strict=True), strict=True)
            ]
        )
        figures_SGR = _mean(figures_FSGR)
        chosen_RS = picks(len(repeats), REPLICATES, resampling(f"{dataset}/seeds"))  # seeds are drawn too
        drawn = _mean(figures_SGR[chosen_RS.T, :, :, np.arange(REPLICATES)[None]])  # (R, G, 2)
        found.append(Reach(method, betas, balance_G, ndcg_G, drawn[..., 0], drawn[..., 1]))
    return found


def _dialled(study: Study, run: Run, betas: Sequence[float], name: str) -> Floats:
    """(G,) a figure of ``run`` on test at ``betas``."""
    figures = study.figures(run, "test")
    return np.array([figures[beta][name] for beta in betas], float)


def standings(found: Sequence[Reach]) -> list[Standing]:
    """How each stands among the others, in their order."""
    if not found:
        return []
    reached = np.stack([each.reached() for each in found])
    resampled = np.stack([each.resampled() for each in found])
    volumes, joint, leads = resampled.mean(2), reached.max(0), _leads(reached)
    best = [float((each >= volumes.max(0)).mean()) for each in volumes]
    shares = leads.sum(1) / max(int(leads.any(0).sum()), 1)
    undominated = _leads(resampled).any(2).mean(1)
    standing = []
    for number, each in enumerate(found):
        others = np.delete(reached, number, 0).max(0, initial=0.0)
        adds = float(1 - others.mean() / joint.mean()) if joint.any() else 0.0
        low, high = map(float, interval(volumes[number]))
        points = (float(reached[number].mean()), low, high, best[number])
        leading = (_stretches(leads[number]), float(shares[number]), float(undominated[number]))
        standing.append(Standing(each.method, *points, *leading, adds))
    return standing


def leading(reach: Reach, standing: Standing) -> list[list[tuple[float, float]]]:
    """The points (Balance, NDCG) of a method's curve at which no method has more, by stretch, to the right.

    Its settings, and floors in between; none where it has more NDCG at a higher Balance itself.
    """
    reached = reach.reached()
    falls = np.append(reached[:-1] > reached[1:], False)
    settings = list(zip(reach.balance_G.tolist(), reach.ndcg_G.tolist(), strict=True))
    best = [(at, level) for at, level in settings if not any(b >= at and n > level for b, n in settings)]
    step = float(FLOORS[1] - FLOORS[0])
    found = []
    for low, high in standing.leads:
        inside = falls & (low <= FLOORS) & (high >= FLOORS)
        own = [(at, level) for at, level in best if low - step < at < high + step]
        between = list(zip(FLOORS[inside].tolist(), reached[inside].tolist(), strict=True))
        found.append(sorted({*own, *between}))
    return [stretch for stretch in found if stretch]


def _leads(reached: Floats) -> NDArray[np.bool_]:
    """(M, ..., A) whether no method has more at a floor, where that floor is a useful one."""
    joint = reached.max(0)
    useful = joint >= USEFUL * joint.max(-1, keepdims=True)
    return np.asarray((reached >= joint) & useful & (joint > 0))


def _stretches(at: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """First and last floor of each run of floors."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], at, [False]]).astype(np.int8)))
    return tuple((float(FLOORS[first]), float(FLOORS[last - 1])) for first, last in edges.reshape(-1, 2))


def _reached(balance_RG: Floats, ndcg_RG: Floats) -> Floats:
    """(R, A) the highest NDCG with a Balance of at least each floor."""
    balance = np.where(np.isnan(balance_RG), _LEAST, balance_RG)
    found = np.zeros((len(balance), len(FLOORS)))
    for at in range(balance.shape[1]):
        here, level = balance[:, at, None], ndcg_RG[:, at, None]
        np.maximum(found, np.where(here + 1e-9 >= FLOORS, level, 0.0), out=found)
        if at:
            before, from_level = balance[:, at - 1, None], ndcg_RG[:, at - 1, None]
            span = here - before
            share = (FLOORS - before) / np.where(span == 0, 1.0, span)
            between = (share > 0) & (share < 1) & (span != 0)
            np.maximum(found, np.where(between, from_level + share * (level - from_level), 0.0), out=found)
    return np.maximum.accumulate(found[:, ::-1], axis=1)[:, ::-1]


def _mean(values: Floats) -> Floats:
    """Mean over the first axis, the runs, where it is defined."""
    defined = ~np.isnan(values)
    mean = np.where(defined, values, 0.0).sum(0) / np.maximum(defined.sum(0), 1)
    return np.where(defined.any(0), mean, np.nan)
