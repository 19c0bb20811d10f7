"""A study as its files say it, read with the standard library and numpy alone."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BASELINES = ("RecentPop", "Repeat", "RepeatRecent", "ItemKNN", "EASE", "Terms", "PopRec")
COHORTS = ("head", "mid", "tail")
_FIGURES = ("hr@10", "ndcg@10", "balance@10", *(f"{cohort}_{name}@10" for cohort in COHORTS for name in ("hr", "ndcg")))


class RawRun(NamedTuple):
    """A finished run. ``fold``: its dataset, by the name in its files."""

    folder: Path
    fold: str
    method: str
    seed: int
    config: dict[str, Any]
    metrics: dict[str, Any]
    grid: dict[str, Any]
    ranks: Mapping[str, Floats]
    log: list[dict[str, Any]]

    @property
    def trained(self) -> bool:
        """Whether it is no baseline."""
        return self.method not in BASELINES

    def at(self, beta: float, part: str = "test") -> dict[str, Any]:
        """Its figures at a setting of the dial."""
        found: dict[str, Any] = self.grid[part][self.grid["betas"].index(beta)]
        return found


class Raw:
    """A study's files. ``logs``: the folds of each log, by the log's name; itself alone where it has none."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.about = _json(folder / "study.json")
        manifests = [_json(path) for path in (folder / "datasets").glob("*.json")]
        self.manifests = {each["name"]: each for each in manifests}
        self.events = {
            each["name"]: dict(np.load(folder / "datasets" / f"{each['name']}.npz").items()) for each in manifests
        }
        self.logs: dict[str, list[str]] = {}
        for name in self.about["datasets"]:
            fold = self.manifests[name].get("fold")
            self.logs.setdefault(fold["log"] if fold else name, []).append(name)
        self.runs = [_run(folder / "runs" / name) for name in self.about["runs"] if (folder / "runs" / name).exists()]
        self.beside = [_run(folder / "runs" / name) for name in self.about["oversampling"]]
        self.failed = [_json(path) for path in sorted((folder / "failed").glob("*.json"))]
        self.tunings = [_json(folder / "tuning" / f"{name}.json") for name in self.about["tunings"]]

    @cached_property
    def shown(self) -> list[str]:
        """The logs with a finished run."""
        return [log for log in self.logs if self.of(log)]

    def of(self, log: str, method: str | None = None) -> list[RawRun]:
        """The finished runs on a log, fold by fold."""
        return [
            run for fold in self.logs[log] for run in self.runs if run.fold == fold and method in (None, run.method)
        ]

    def methods(self, log: str) -> list[str]:
        """Those with a finished run."""
        there = {run.method for run in self.of(log)}
        return [name for name in self.about["methods"] if name in there]

    def whole(self, log: str, method: str) -> list[list[RawRun]]:
        """The runs of each seed that has finished all folds."""
        seeds: dict[int, list[RawRun]] = {}
        for run in self.of(log, method):
            seeds.setdefault(run.seed, []).append(run)
        return [some for some in seeds.values() if len(some) == len(self.logs[log])]

    def values(self, log: str, method: str, figure: str, beta: float | None = None, part: str = "test") -> list[Any]:
        """A figure of each run, at its own dial or at ``beta``."""
        runs = self.of(log, method)
        return [(run.metrics[part] if beta is None else run.at(beta, part)).get(figure) for run in runs]

    def mean(self, log: str, method: str, figure: str, beta: float | None = None, part: str = "test") -> float | None:
        """The mean over the folds of the means over their runs."""
        return self.mean_sd(log, method, self.values(log, method, figure, beta, part))[0]

    def mean_sd(self, log: str, method: str, values: Sequence[float | None]) -> tuple[float | None, float | None]:
        """Of a value of each run: that mean, and the standard deviation over the seeds of their means."""
        folds: dict[str, dict[int, float]] = {}
        for run, value in zip(self.of(log, method), values, strict=True):
            if value is not None:
                folds.setdefault(run.fold, {})[run.seed] = float(value)
        if not folds:
            return None, None
        mean = statistics.fmean(statistics.fmean(each.values()) for each in folds.values())
        seeds = set.intersection(*(set(each) for each in folds.values()))
        means = [statistics.fmean(each[seed] for each in folds.values()) for seed in seeds]
        return mean, statistics.stdev(means) if len(means) > 1 else None

    def betas(self, log: str, method: str) -> list[float]:
        """The settings that all runs of a method were measured at."""
        return sorted(set.intersection(*(set(run.grid["betas"]) for run in self.of(log, method))))

    def test(self, log: str) -> Mapping[str, Any]:
        """Counts of the measured test events, over all folds."""
        first = {run.fold: run.metrics["test"] for run in reversed(self.of(log))}
        if len(first) == 1 and not self.about["folds"]:
            return next(iter(first.values()))
        names = [name for name in next(iter(first.values())) if name.endswith("events")]
        return {name: sum(each[name] for each in first.values()) for name in names}


def wrong_figures(raw: Raw) -> list[str]:
    """Where the figures of a run are not those of its ranks."""
    found = []
    for run in raw.runs:
        events = raw.events[run.fold]
        for part, before in (("test", ""), ("valid", "valid_")):
            for beta, ranks_E, stated in zip(run.grid["betas"], run.ranks[part], run.grid[part], strict=True):
                expected = figures_of(ranks_E, events[f"{before}cohort_E"])
                found += [
                    f"{run.folder.name}, {part} at dial {beta}: {name} {stated[name]}, by its ranks {expected[name]}"
                    for name in _FIGURES
                    if not same(stated[name], expected[name])
                ]
    return found


def figures_of(ranks_E: Floats, cohort_E: NDArray[Any]) -> dict[str, float | None]:
    """HR, NDCG and Balance at 10 of ranks, from 0."""
    hit_E = ranks_E < 10
    gain_E = np.where(hit_E, 1 / np.log2(np.where(hit_E, ranks_E, 0) + 2), 0)
    found: dict[str, float | None] = {}
    for scope, of_E in (("", np.ones(len(ranks_E), bool)), *((f"{c}_", cohort_E == i) for i, c in enumerate(COHORTS))):
        found[f"{scope}hr@10"] = float(hit_E[of_E].mean()) if of_E.any() else None
        found[f"{scope}ndcg@10"] = float(gain_E[of_E].mean()) if of_E.any() else None
    found["balance@10"] = balance([found[f"{cohort}_hr@10"] for cohort in COHORTS])
    return found


def balance(rates: Sequence[float | None]) -> float | None:
    """``1 - Gini`` of three hit rates, by the mean absolute difference; None where it is undefined."""
    known = [each for each in rates if each is not None]
    if len(known) < len(rates) or sum(known) == 0:
        return None
    apart = sum(abs(a - b) for a in known for b in known)
    return 1 - apart / (2 * len(known) * sum(known))


def same(a: float | None, b: float | None, within: float = 1e-9) -> bool:
    """Whether two figures are the same but for rounding."""
    return a is b is None or (a is not None and b is not None and abs(a - b) <= within * max(1.0, abs(a), abs(b)))


def _run(folder: Path) -> RawRun:
    config = _json(folder / "config.json")
    lines = (folder / "log.jsonl").read_text("utf-8").splitlines()
    with np.load(folder / "ranks.npz") as stored:
        ranks = {part: stored[f"{part}_GE"] for part in ("valid", "test")}
    about = (config["dataset"], config["method"], config["seed"], config)
    metrics, grid = _json(folder / "metrics.json"), _json(folder / "dial.json")
    return RawRun(folder, *about, metrics, grid, ranks, [json.loads(line) for line in lines])


def _json(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found
