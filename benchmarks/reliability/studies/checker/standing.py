"""The table of frontiers: hypervolumes, where a method is highest, and resamples of users and seeds drawn anew."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.reliability.studies.checker.page import Table
from benchmarks.reliability.studies.checker.place import Faults, Place
from benchmarks.reliability.studies.checker.raw import COHORTS, Floats, RawRun
from benchmarks.reliability.studies.checker.shown import expect, shows
from benchmarks.reliability.studies.checker.small_tables import lines_of

FLOORS = np.linspace(1 / 3, 1, 201)
_DRAWS = 400
_NEAR = (0.005, 0.11, 0.89, 0.995)  # between which of our own quantiles the ends of a 90 % interval are
_APART = 16.0  # percentage points that a share of resamples may be off: two draws, one of 400 and one of 1,000


def reached(balance_RG: Floats, ndcg_RG: Floats) -> Floats:
    """(R, A) the highest NDCG with at least each Balance, along straight lines between neighbouring settings."""
    balance_RG = np.where(np.isnan(balance_RG), 1 / 3, balance_RG)
    found = np.zeros((len(balance_RG), len(FLOORS)))
    for at, (own_R, level_R) in enumerate(zip(balance_RG.T, ndcg_RG.T, strict=True)):
        np.maximum(found, np.where(own_R[:, None] + 1e-9 >= FLOORS, level_R[:, None], 0.0), out=found)
        if at:
            before_R, from_R = balance_RG[:, at - 1], ndcg_RG[:, at - 1]
            low_R, high_R = np.minimum(before_R, own_R)[:, None], np.maximum(before_R, own_R)[:, None]
            with np.errstate(invalid="ignore", divide="ignore"):
                share = (FLOORS - before_R[:, None]) / (own_R - before_R)[:, None]
                line = from_R[:, None] + share * (level_R - from_R)[:, None]
            np.maximum(found, np.where((low_R < FLOORS) & (high_R > FLOORS), line, 0.0), out=found)
    return np.maximum.accumulate(found[:, ::-1], axis=1)[:, ::-1]


def leads(reached_MA: Floats) -> NDArray[np.bool_]:
    """(M, ..., A) whether no method has more, where half of the best NDCG is kept."""
    joint_A = reached_MA.max(0)
    return np.asarray((reached_MA >= joint_A) & (joint_A >= 0.5 * joint_A.max(-1, keepdims=True)) & (joint_A > 0))


def curves(place: Place) -> dict[str, Floats]:
    """Of each method what it reaches."""
    found = {}
    for method in place.methods:
        if not place.raw.whole(place.log, method):
            continue
        betas = place.raw.betas(place.log, method)
        points = []
        for name in ("balance@10", "ndcg@10"):
            points.append([_mean_of_whole(place, method, name, beta) for beta in betas])
        (found[method],) = reached(np.array([points[0]], float), np.array([points[1]], float))
    return found


def _mean_of_whole(place: Place, method: str, name: str, beta: float) -> float:
    """Mean over the folds of the means over the seeds that have all of them, where it is defined."""
    by_fold = []
    for runs in zip(*place.raw.whole(place.log, method), strict=True):
        known = [value for run in runs if (value := run.at(beta)[name]) is not None]
        by_fold += [sum(known) / len(known)] if known else []
    return sum(by_fold) / len(by_fold) if by_fold else np.nan


def standing(table: Table, place: Place) -> Faults:
    """Each line."""
    lines, of = lines_of(table), curves(place)
    yield from expect("methods", sorted(lines), sorted(of))
    reached_MA = np.array([of[name] for name in of])
    volumes, leading = reached_MA.mean(1), leads(reached_MA)
    order = [float(line["Hypervolume, %"]) for line in lines.values()]
    yield from expect("order", order, sorted(order, reverse=True))
    drawn = _drawn(place, list(of))
    for at, name in enumerate(of):
        line = lines[name]
        others = np.delete(reached_MA, at, 0).max(0, initial=0.0)
        adds = 1 - others.mean() / reached_MA.max(0).mean() if reached_MA.any() else 0.0
        if not shows(line["Hypervolume, %"], float(volumes[at]), 100):
            yield f"{name}: hypervolume {line['Hypervolume, %']}, by the runs {100 * volumes[at]}"
        if not shows(line.get("Adds, %", "0.0"), float(adds), 100):
            yield f"{name}: adds {line.get('Adds, %')}, by the runs {100 * adds}"
        yield from expect(f"{name}: highest at", line.get("Highest at Balance, %", ""), _stretches(leading[at]))
        best, dominated, ends_4 = drawn[name]
        for heading, share in (("Largest, % of resamples", best), ("Dominated, % of resamples", dominated)):
            if abs(float(line.get(heading, "0")) - 100 * share) > _APART:
                yield f"{name}: {heading} {line.get(heading)}, drawn anew {100 * share:.0f}"
        low, high = (float(each) / 100 for each in line["90 % interval"].split(" to "))
        if not (ends_4[0] - 1e-5 <= low <= ends_4[1] + 1e-5 and ends_4[2] - 1e-5 <= high <= ends_4[3] + 1e-5):
            yield f"{name}: interval {line['90 % interval']}, drawn anew {[100 * each for each in ends_4]}"


def _stretches(at_A: NDArray[np.bool_]) -> str:
    found: list[str] = []
    start: float | None = None
    for floor, here, after in zip(FLOORS, at_A, [*at_A[1:], False], strict=True):
        if here and start is None:
            start = floor
        if here and not after and start is not None:
            first, last = f"{100 * start:.0f}", f"{100 * floor:.0f}"
            found.append(first if first == last else f"{first} to {last}")
            start = None
    return ", ".join(found) or "nowhere"


def _drawn(place: Place, methods: list[str]) -> dict[str, tuple[float, float, list[float]]]:
    """By method: share of resamples in which none has a larger hypervolume, share in which it leads nowhere, and
    between which quantiles each end of the 90 % interval lies."""
    users, raw = place.compared.users, place.raw
    rng = np.random.default_rng(zlib.crc32(repr(sorted(curves(place).items())).encode()))
    draws_RU = rng.multinomial(users.number, np.full(users.number, 1 / users.number), _DRAWS).astype(float)
    reached_MRA = []
    for method in methods:
        betas, seeds = raw.betas(place.log, method), raw.whole(place.log, method)
        chosen_RS = np.random.default_rng([len(seeds), users.number]).integers(
            0, len(seeds), (_DRAWS, len(seeds))
        )  # by seed, not method
        figures = np.array(
            [[_resampled(place, runs, beta, draws_RU) for beta in betas] for runs in seeds]
        )  # (S, G, 2, R)
        with np.errstate(invalid="ignore"):
            mean_RG2 = _defined(figures[chosen_RS.T, :, :, np.arange(_DRAWS)[None]])
        reached_MRA.append(reached(mean_RG2[..., 0], mean_RG2[..., 1]))
    cube = np.array(reached_MRA)
    volumes_MR = cube.mean(2)
    best_M = (volumes_MR >= volumes_MR.max(0) - 1e-12).mean(1)
    leads_MR = np.asarray(leads(cube).any(2))
    found = {}
    for at, name in enumerate(methods):
        ends_4 = np.quantile(volumes_MR[at], _NEAR).tolist()
        found[name] = float(best_M[at]), float(1 - leads_MR[at].mean()), ends_4
    return found


def _defined(values: Floats) -> Floats:
    """Mean over the first axis where it is defined."""
    known = ~np.isnan(values)
    mean = np.where(known, values, 0).sum(0) / np.maximum(known.sum(0), 1)
    return np.where(known.any(0), mean, np.nan)


def _resampled(place: Place, runs: Sequence[RawRun], beta: float, draws_RU: Floats) -> Floats:
    """(2, R) Balance and NDCG of a seed, the mean over its folds."""
    found = []
    users = place.compared.users
    for at, run in enumerate(runs):
        ranks_E = run.ranks["test"][run.grid["betas"].index(beta)]
        user_E, cohort_E = users.of[at], users.cohorts[at]
        hit_E = ranks_E < 10
        gain_E = np.where(hit_E, 1 / np.log2(np.where(hit_E, ranks_E, 0) + 2), 0)
        gains_R = draws_RU @ np.bincount(user_E, gain_E, users.number)
        with np.errstate(invalid="ignore", divide="ignore"):
            rates = np.array(
                [
                    draws_RU
                    @ np.bincount(user_E[cohort_E == c], hit_E[cohort_E == c], users.number)
                    / (draws_RU @ np.bincount(user_E[cohort_E == c], minlength=users.number))
                    for c in range(len(COHORTS))
                ]
            )
            balance_R = 1 - 2 * (rates.max(0) - rates.min(0)) / (3 * rates.sum(0))
            found.append(np.stack([balance_R, gains_R / (draws_RU @ np.bincount(user_E, minlength=users.number))]))
    return _defined(np.array(found))
