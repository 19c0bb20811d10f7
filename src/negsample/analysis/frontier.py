"""What each method reaches over all settings of the dial, and which method leads where.

A method is compared by its curve of (Balance@10, NDCG@10), not by a point: ``reached(b)`` is the highest NDCG@10 that
it has with a Balance of at least ``b``, along straight lines between neighbouring settings. Its hypervolume over the
reference point (Balance 1/3, NDCG 0) is the mean of ``reached`` over all floors ``b`` from 1/3 to 1: what it offers to
somebody whose demand on Balance is not known yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.analysis.reading import POPULAR, Study
from negsample.analysis.statistics import REPLICATES, draws, groups_of, interval, picks, sums_of
from negsample.analysis.tables import COHORTS, common_betas
from negsample.evaluation.metrics import balances, hit, ndcg
from negsample.random import resampling
from negsample.runs.folder import Run, read_ranks

Floats = NDArray[np.float64]

K = 10
FLOORS = np.linspace(1 / 3, 1, 201)
"""The demands on Balance, from none to perfection."""
USEFUL = 0.5
"""Floors count for which method leads as long as somebody keeps this share of the best NDCG@10 there."""
_BINS, _IN_A_BIN = 12, 80  # of popularity: at most, and test events in one at least
_LEAST = 1 / 3  # Balance when one cohort has all hits


class Reach(NamedTuple):
    """What a method has at each of G settings: the means over its runs, and R resamples of them (or None).

    ``balance_G`` is NaN where nothing was hit.
    """

    method: str
    betas: tuple[float, ...]
    balance_G: Floats
    ndcg_G: Floats
    balance_RG: Floats | None
    ndcg_RG: Floats | None

    def reached(self) -> Floats:
        """(A,) the highest NDCG@10 at each of the floors."""
        (found,) = _reached(self.balance_G[None], self.ndcg_G[None])
        return np.asarray(found)

    def resampled(self) -> Floats | None:
        """(R, A) the same in each resample."""
        if self.balance_RG is None or self.ndcg_RG is None:
            return None
        return _reached(self.balance_RG, self.ndcg_RG)


class Standing(NamedTuple):
    """How a method stands among the others of a dataset.

    ``hypervolume`` with its 90 % interval; ``best``: in how many resamples (share) it has the largest; ``leads``: the
    stretches of floors at which it is ahead or level, within the useful ones; ``share`` of those; ``ahead``: share of
    resamples in which it leads anywhere there; ``adds``: what the joint hypervolume would lose without it (share).
    """

    method: str
    hypervolume: float
    low: float | None
    high: float | None
    best: float | None
    leads: tuple[tuple[float, float], ...]
    share: float
    ahead: float | None
    adds: float


def reaches(study: Study, dataset: str) -> list[Reach]:
    """Of every method on ``dataset``, in the study's order; settings that all of its runs have."""
    resampler = _Resampler(study, dataset)
    found = []
    for method in study.methods_of(dataset):
        runs = study.runs_of(dataset, method)
        betas = common_betas(study, runs)
        figures = [[study.figures(run, "test")[beta] for beta in betas] for run in runs]
        resampled = resampler.of(runs, betas)
        found.append(
            Reach(
                method,
                betas,
                _mean([[row[f"balance@{K}"] for row in each] for each in figures]),
                _mean([[row[f"ndcg@{K}"] for row in each] for each in figures]),
                *(resampled or (None, None)),
            )
        )
    return found


def standings(found: Sequence[Reach]) -> list[Standing]:
    """How each stands among the others, in their order."""
    reached = np.stack([each.reached() for each in found])
    resampled = _together(found)
    volume = reached.mean(1)
    joint = reached.max(0)
    leads = _leads(reached)
    useful = max(int(leads.any(0).sum()), 1)
    standing = []
    for number, each in enumerate(found):
        others = np.delete(reached, number, 0).max(0) if len(found) > 1 else np.zeros_like(joint)
        low = high = best = ahead = None
        if resampled is not None:
            volumes = resampled.mean(2)
            low, high = (float(end) for end in interval(volumes[number]))
            best = float((volumes.argmax(0) == number).mean())
            ahead = float(_leads(resampled)[number].any(1).mean())
        standing.append(
            Standing(
                each.method,
                float(volume[number]),
                low,
                high,
                best,
                _stretches(leads[number]),
                float(leads[number].sum() / useful),
                ahead,
                float(1 - others.mean() / joint.mean()) if joint.any() else 0.0,
            )
        )
    return standing


def _leads(reached: Floats) -> NDArray[np.bool_]:
    """(M, ..., A) whether a method is ahead or level at a floor, where that floor is a useful one."""
    joint = reached.max(0)
    useful = joint >= USEFUL * joint.max(-1, keepdims=True)
    return np.asarray((reached >= joint) & useful & (joint > 0))


def _stretches(at: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """First and last floor of each run of floors."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], at, [False]]).astype(np.int8)))
    return tuple((float(FLOORS[first]), float(FLOORS[last - 1])) for first, last in edges.reshape(-1, 2))


def _together(found: Sequence[Reach]) -> Floats | None:
    each = [reach.resampled() for reach in found]
    defined = [curve for curve in each if curve is not None]
    return np.stack(defined) if len(defined) == len(each) else None


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


def _mean(values: Sequence[Sequence[float | None]]) -> Floats:
    """(G,) mean over the runs where it is defined."""
    array = np.array([[np.nan if value is None else value for value in row] for row in values], dtype=np.float64)
    defined = ~np.isnan(array)
    total, count = np.where(defined, array, 0.0).sum(0), defined.sum(0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def hits_by_popularity(study: Study, dataset: str) -> list[dict[str, Any]]:
    """HR@10 by how popular the item is, for each method at each setting of the dial: mean over its runs.

    ``percentile``: share of the train events that are of less popular items. About as many test events in each bin;
    items of one count are never apart. Empty where the study has no ranks by event.
    """
    events = study.events.get(dataset)
    if events is None or not len(events["user_E"]):
        return []
    percentile_E = events["percentile_E"].astype(np.float64)
    bins = int(np.clip(len(percentile_E) // _IN_A_BIN, 3, _BINS))
    edges = _edges(percentile_E, bins)
    bin_E = np.searchsorted(edges, percentile_E, side="left")
    count_B = np.bincount(bin_E, minlength=len(edges) + 1)
    middle_B = np.bincount(bin_E, percentile_E, len(edges) + 1) / np.maximum(count_B, 1)
    rows = []
    for method in study.methods_of(dataset):
        runs = study.runs_of(dataset, method)
        betas = common_betas(study, runs)
        ranks = [ranks_of(study, run, betas) for run in runs]
        if any(each is None for each in ranks):
            continue
        hits_GE = np.mean([hit(each, K) for each in ranks if each is not None], axis=0)
        for beta, hits_E in zip(betas, hits_GE, strict=True):
            rates_B = np.bincount(bin_E, hits_E, len(edges) + 1) / np.maximum(count_B, 1)
            rows += [
                {
                    "method": method,
                    "dial": None if method == POPULAR else beta,
                    "hr": rate,
                    "percentile": middle,
                    "events": int(count),
                }
                for rate, middle, count in zip(rates_B.tolist(), middle_B.tolist(), count_B.tolist(), strict=True)
                if count
            ]
    return rows


def _edges(percentile_E: Floats, bins: int) -> Floats:
    """Upper ends of the bins but the last: quantiles, without those that leave a bin a fraction of its events.

    Items of one count are one value, so that a quantile can fall just beside a large heap of events.
    """
    least, kept, below = len(percentile_E) / bins / 2, [], 0
    for edge in np.unique(np.quantile(percentile_E, np.arange(1, bins) / bins)):
        up_to = int((percentile_E <= edge).sum())
        if up_to - below >= least and len(percentile_E) - up_to >= least:
            kept.append(float(edge))
            below = up_to
    return np.array(kept)


def ranks_of(study: Study, run: Run, betas: Sequence[float]) -> Floats | None:
    """(G, E) ranks of ``run`` at ``betas``; None where there are none, or of other events than the study's."""
    grid, events = study.grids[run.folder], study.events.get(run.config["dataset"])
    if grid is None or events is None:
        return None
    ranks_GE = read_ranks(run.folder, len(grid["betas"]))["test_GE"]
    if ranks_GE.shape[1] != len(events["user_E"]):
        return None
    return ranks_GE[[grid["betas"].index(beta) for beta in betas]]


class _Resampler:
    """Users and seeds of one dataset, drawn again and again: the same users for all methods."""

    def __init__(self, study: Study, dataset: str) -> None:
        self._study = study
        self._events = study.events.get(dataset)
        self._seed = dataset
        if self._events is None or not len(self._events["user_E"]):
            return
        self._group_E = groups_of(self._events["user_E"].astype(np.int64))
        self._groups = int(self._group_E.max()) + 1
        self._draws_RN = draws(self._groups, REPLICATES, resampling(dataset))
        self._cohorts = np.stack([self._events["cohort_E"] == number for number in range(len(COHORTS))])
        self._counts_RC = self._draws_RN @ sums_of(self._cohorts.astype(np.float64), self._group_E, self._groups)

    def of(self, runs: Sequence[Run], betas: Sequence[float]) -> tuple[Floats, Floats] | None:
        """(R, G) Balance and NDCG, means over seeds that are drawn too; None where a run has no ranks by event."""
        if self._events is None or not len(self._events["user_E"]):
            return None
        each = []
        for run in runs:
            ranks_GE = ranks_of(self._study, run, betas)
            if ranks_GE is None:
                return None
            each.append([self._figures(ranks_E) for ranks_E in ranks_GE])
        figures_SGR = np.array(each)  # (S, G, 2, R)
        chosen = picks(len(runs), REPLICATES, resampling(f"{self._seed}/seeds"))
        drawn = figures_SGR[chosen.T, :, :, np.arange(REPLICATES)[None]]  # (S, R, G, 2)
        defined = ~np.isnan(drawn)
        mean = np.where(defined, drawn, 0.0).sum(0) / np.maximum(defined.sum(0), 1)
        mean[~defined.any(0)] = np.nan
        return mean[..., 0], mean[..., 1]

    def _figures(self, ranks_E: Floats) -> Floats:
        """(2, R) Balance and NDCG of one run at one setting in each resample."""
        values = np.concatenate([self._cohorts * hit(ranks_E, K), ndcg(ranks_E, K)[None]])
        sums_RF = self._draws_RN @ sums_of(values, self._group_E, self._groups)
        with np.errstate(invalid="ignore", divide="ignore"):
            rates_RC = sums_RF[:, :3] / self._counts_RC
        return np.stack([balances(rates_RC), sums_RF[:, 3] / self._counts_RC.sum(1)])
