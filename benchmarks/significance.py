"""`python -m benchmarks.significance`: how often a difference is called significant where there is none, and where
there is one.

*Nulls* (`--nulls 1000`). Studies of methods that all hit by one law: users of one or more events in three cohorts,
with a level of their own; each (method, user) leans to one side, and each (method, seed) is better or worse by a factor
whose standard deviation is given (one method may have its own). Counted are studies with any difference below 5 % after
Holm's correction, family by family.

*Power* (`--power 60`). The first method hits more often by a given factor, in a world like the test part of Amazon
Beauty: found is the share of its differences in total NDCG@10. Beside it what the test before this one would have
found: a bootstrap of users and Student's t of the seeds with one ratio for all methods, corrected over four scopes
together.

*A real study* (`--study FOLDER`): its `significance.csv` under 20 resampling seeds, and the standard errors of its
differences by influences against those by resampled users.

Writes `benchmarks/results/significance.json`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import RESULTS
from negsample.analysis.measures import FAMILIES, SCOPES
from negsample.analysis.per_user import Entry, Sums, events_of, sample, sums_by_user
from negsample.analysis.reading import read_study
from negsample.analysis.resampling import draws
from negsample.analysis.significance import differences, significance_table, tested
from negsample.analysis.study import POPULAR, Study
from negsample.analysis.t_test import Sample, holm
from negsample.analysis.verdict import advice_of

Floats = NDArray[np.float64]
LEVEL = 0.05
_GAINS = 1 / np.log2(np.arange(10) + 2)  # NDCG of a hit by its rank
_COHORTS = np.array([1.6, 1.0, 0.4])  # head, mid and tail: how much likelier a hit is
_FAMILIES = ("NDCG@10 in total", "HR@10 by cohort", "Balance")
_BEFORE = 40_000  # draws of the older test


class World(NamedTuple):
    """``sd``: of a seed, relative to the hits; ``noisy``: that of the first method, where it has its own; ``better``:
    by what factor it hits more often; ``hits``: of an event on average; ``lean``: of a method to a user, in logs."""

    methods: int = 7
    seeds: int = 3
    sd: float = 0.05
    noisy: float | None = None
    better: float = 1.0
    users: int = 600
    events: float = 2.0
    hits: float = 0.1
    lean: float = 0.5
    baseline: bool = True


NULLS = (
    *(World(seeds=seeds, sd=sd) for seeds in (1, 2, 3, 5) for sd in (0.0, 0.05, 0.2)),
    *(World(seeds=seeds, sd=0.0, noisy=noisy) for seeds in (2, 3, 5) for noisy in (0.05, 0.2, 0.5)),
    *(World(methods=3, seeds=seeds, sd=0.0, noisy=0.2, baseline=False) for seeds in (2, 3, 5)),
    *(World(methods=2, seeds=seeds, sd=0.2, baseline=False) for seeds in (2, 3, 5)),
    World(users=60, seeds=3),
    World(users=4000, seeds=3, noisy=0.2),
)
BEAUTY = World(sd=0.03, users=4500, events=1.8, hits=0.02)
FACTORS = (1.1, 1.2, 1.3, 1.4, 1.5, 1.7, 2.0)


def simulated(world: World, number: int) -> Sums:
    """One study, as the report has it; the same at every call."""
    chance = np.random.default_rng(number)
    events_UC = chance.poisson(world.events / 3, (world.users, 3))
    events_UC[np.arange(world.users), chance.integers(0, 3, world.users)] += 1  # nobody is without
    level_UC = world.hits * np.exp(chance.normal(0, 1, world.users) - 0.5)[:, None] * _COHORTS
    gains: dict[Entry, Floats] = {}
    for method in range(world.methods + world.baseline):
        runs = world.seeds if method < world.methods else 1
        sd = 0.0 if method == world.methods else world.noisy if method == 0 and world.noisy is not None else world.sd
        own_UC = level_UC * np.exp(chance.normal(0, world.lean, world.users) - world.lean**2 / 2)[:, None]
        own_UC = own_UC * (world.better if method == 0 else 1.0)
        each = []
        for _ in range(runs):
            effect_C = np.exp(sd * (chance.normal() + chance.normal(0, 1, 3)) / np.sqrt(2) - sd * sd / 2)
            hits_UC = chance.binomial(events_UC, np.minimum(own_UC * effect_C, 1.0)).astype(float)
            each.append(np.stack([hits_UC, hits_UC * _GAINS[chance.integers(0, 10, hits_UC.shape)]], axis=1))
        name = POPULAR if method == world.methods else f"m{method}"
        gains[name, (0.0,) * runs] = np.stack(each)
    users = (world.users, *(int((events_UC[:, each] > 0).sum()) for each in range(3)))
    return Sums(events_UC.astype(float), users, gains)


def adjusted(sums: Sums, family: str) -> Floats:
    """The corrected p of every pair of methods in ``family``; NaN where it is not tested."""
    entries = list(sums.gains)
    pairs = list(combinations(range(len(entries)), 2))
    p = [each.p for key in FAMILIES[family] for each in tested([sums], family, key, entries, pairs)]
    return holm(np.array(p))


def errors(world: World, studies: int, families: Sequence[str] = _FAMILIES) -> dict[str, int]:
    """In how many of so many ``studies`` a difference is called significant, by family."""
    found = dict.fromkeys(families, 0)
    for number in range(studies):
        sums = simulated(world, number)
        for family in families:
            found[family] += bool((adjusted(sums, family) < LEVEL).any())
    return found


def found_by(world: World, studies: int) -> dict[str, float]:
    """The share of the first method's differences in total NDCG@10 that this test finds, and the one before."""
    now, before = [], []
    for number in range(studies):
        sums = simulated(world, number)
        pairs = list(combinations(range(len(sums.gains)), 2))
        first = np.array([0 in pair for pair in pairs])
        now.append((adjusted(sums, "NDCG@10 in total") < LEVEL)[first].mean())
        samples = [[sample(sums, entry, "ndcg@10", scope) for entry in sums.gains] for scope in SCOPES]
        p = [_before(some, pairs, np.random.default_rng(number)) for some in samples]
        before.append((holm(np.concatenate(p))[: len(pairs)] < LEVEL)[first].mean())
    return {"found": float(np.mean(now)), "found_before": float(np.mean(before))}


def _before(samples: Sequence[Sample], pairs: Sequence[tuple[int, int]], rng: np.random.Generator) -> Floats:
    """The older test's p: one ratio of seeds to chance and ``(M - 1)(S - 1)`` degrees of freedom for all."""
    drawn = [each for each in samples if each.random]
    runs = [_square(each.influence_SN) if each.random else 0.0 for each in samples]
    seeds = [_square(each.figures_S[:, None]) if each.random else 0.0 for each in samples]
    freedom = (len(drawn) - 1) * (len(drawn[0].figures_S) - 1)
    ratio = sum(seeds) / sum(runs)
    normal_R, t_R = rng.standard_normal(_BEFORE), rng.standard_t(freedom, _BEFORE)
    found = []
    for a, b in pairs:
        users = float(np.square(samples[a].influence_SN.mean(0) - samples[b].influence_SN.mean(0)).sum())
        chance = runs[a] + runs[b]
        moved_R = np.sqrt(max(users - chance, 0.0)) * normal_R + np.sqrt(ratio * chance) * t_R
        difference = abs(float(samples[a].figures_S.mean() - samples[b].figures_S.mean()))
        found.append((1 + np.count_nonzero(np.abs(moved_R) >= difference)) / (1 + _BEFORE))
    return np.array(found)


def _square(values_SN: Floats) -> float:
    runs = len(values_SN)
    return float(np.square(values_SN - values_SN.mean(0)).sum()) / (runs * (runs - 1))


def of_study(study: Study, seeds: int = 20) -> dict[str, Any]:
    """Verdicts of a study under so many resampling seeds, and errors by influences over those by resampled users."""
    tables, found = [], []
    for seed in range(seeds):
        with patch("negsample.random.resampling", lambda of, seed=seed: np.random.default_rng([seed, len(of)])):
            found = [
                each for name in study.datasets() for each in differences(study, name, advice_of(study, name)).found
            ]
            tables.append(significance_table(found).write_csv())
    ratios = [each for name in study.datasets() for each in _error_ratios(study, name, seeds)]
    ends = np.quantile(ratios, [0, 0.5, 1]).tolist()
    return {
        "study": study.folder.name,
        "resampling_seeds": seeds,
        "distinct_tables": len(set(tables)),
        "tested": sum(each.p is not None for each in found),
        "significant": sum(each.significant for each in found),
        "borderline": [
            [each.dataset, each.family, each.scope, each.a, each.b, each.p_holm] for each in found if each.borderline
        ],
        "error_over_resampled": dict(zip(("least", "median", "most"), ends, strict=True)),
    }


def _error_ratios(study: Study, dataset: str, seeds: int) -> list[float]:
    """By pair, for total NDCG@10: the users' part of the error by influences, over the spread of 20,000 resamples."""
    entries = [
        (method, tuple(run.metrics["dial"] for run in study.runs_of(dataset, method)))
        for method in study.methods_of(dataset)
    ]
    folds = events_of(study, dataset)
    if not folds:
        return []
    (sums,) = sums_by_user(study, dataset, folds, entries)
    events_N, groups = sums.events_NC.sum(1), len(sums.events_NC)
    gains_NM = np.stack([sums.gains[entry][:, :, 1].sum(2).mean(0) for entry in entries], axis=1)
    moved = np.stack([sample(sums, entry, "ndcg@10", "all").influence_SN.mean(0) for entry in entries], axis=1)
    drawn = (draws(groups, 1000, np.random.default_rng(seed)) for seed in range(seeds))
    resampled_RM = np.concatenate([(each @ gains_NM) / (each @ events_N)[:, None] for each in drawn])
    return [
        float(np.sqrt(np.square(moved[:, a] - moved[:, b]).sum()) / (resampled_RM[:, a] - resampled_RM[:, b]).std())
        for a, b in combinations(range(len(entries)), 2)
    ]


def main() -> None:
    """Measure the parts that are asked for, print, and put them in the place of those in the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.significance")
    parser.add_argument("--nulls", type=int, default=0, help="simulated studies of each null, such as 1000")
    parser.add_argument("--power", type=int, default=0, help="simulated studies of each difference, such as 60")
    parser.add_argument("--study", type=Path, action="append", default=[], help="a real one; may be given again")
    given = parser.parse_args()
    written = RESULTS / "significance.json"
    found: dict[str, Any] = json.loads(written.read_text()) if written.exists() else {}
    if given.nulls:
        rows = [_said(world._asdict() | {"called": errors(world, given.nulls)}) for world in NULLS]
        found["nulls"] = {"studies": dict.fromkeys(_FAMILIES, given.nulls), "worlds": rows}
    if given.power:
        worlds = ((better, BEAUTY._replace(better=better)) for better in FACTORS)
        rows = [_said({"better": better} | found_by(world, given.power)) for better, world in worlds]
        found["power"] = {"studies": given.power, "world": BEAUTY._asdict(), "differences": rows}
    if given.study:
        found["real"] = [_said(of_study(read_study(folder))) for folder in given.study]
    written.write_text(json.dumps(found, indent=1) + "\n")


def _said(row: dict[str, Any]) -> dict[str, Any]:
    print(row, flush=True)
    return row


if __name__ == "__main__":
    main()
