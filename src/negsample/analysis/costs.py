"""What a method costs: time, memory, and what reuse of mini-batches (oversampling) buys for its time."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any, NamedTuple

from negsample.analysis.study import Study
from negsample.runs.folder import Run


class Cost(NamedTuple):
    """Of a method's runs: mean seconds of training in all and to the chosen epoch (None: one has no log of it), and the
    largest peak of memory in bytes (None: not known)."""

    method: str
    runs: int
    seconds: float
    seconds_to_best: float | None
    peak: float | None


class Oversampled(NamedTuple):
    """Of a method's runs at one ``factor`` (None: new mini-batches in every epoch): mean seconds, and the test figures
    of its runs."""

    method: str
    factor: int | None
    seconds: float
    ndcg: list[float]
    hr: list[float]

    @property
    def runs(self) -> int:
        """How many."""
        return len(self.ndcg)


def costs_of(study: Study, dataset: str) -> list[Cost]:
    """Of each method with a finished run, in the study's order."""
    found = []
    for method in study.methods_of(dataset):
        runs = study.runs_of(dataset, method)
        best = [value for run in runs if (value := seconds_to_best(run)) is not None]
        found.append(
            Cost(
                method,
                len(runs),
                statistics.fmean(run.metrics["train_seconds"] for run in runs),
                statistics.fmean(best) if len(best) == len(runs) else None,
                max((each for run in runs if (each := run.metrics.get("peak_memory_bytes"))), default=None),
            )
        )
    return found


def seconds_to_best(run: Run) -> float | None:
    """Seconds of training until the epoch whose weights were kept; None where the log does not say."""
    best = run.metrics["best_epoch"]
    return next((float(entry["seconds"]) for entry in run.log if entry["epoch"] == best), None)


def oversampling_of(study: Study, dataset: str) -> list[Oversampled]:
    """The methods that were run at several factors, each factor with the seeds that all of its factors have: else a
    mean of many runs would stand beside single ones.

    The study's own runs stand for theirs where nothing else differs.
    """
    found = []
    beside = [run for run in study.oversampling if run.config["dataset"] == dataset]
    made = {run.config["method"] for run in beside}
    for method in (each for each in study.about["methods"] if each in made):
        peers = [run for run in beside if run.config["method"] == method]
        groups: dict[int | None, list[Run]] = {}
        for run in peers:
            groups.setdefault(_factor(run), []).append(run)
        seeds = set.intersection(*({run.config["seed"] for run in some} for some in groups.values()))
        own = [run for run in study.runs_of(dataset, method) if run.config["seed"] in seeds]
        whole = bool(own) and {run.config["seed"] for run in own} == seeds
        if whole and _factor(own[0]) not in groups and _otherwise(own[0]) == _otherwise(peers[0]):
            groups[_factor(own[0])] = own
        for factor in sorted(groups, key=lambda each: (each is None, each or 0)):
            found += _at(method, factor, [run for run in groups[factor] if run.config["seed"] in seeds])
    return found


def _at(method: str, factor: int | None, runs: Sequence[Run]) -> list[Oversampled]:
    ndcg, hr = ([run.metrics["test"][name] for run in runs] for name in ("ndcg@10", "hr@10"))
    if not runs or None in (*ndcg, *hr):
        return []
    return [Oversampled(method, factor, statistics.fmean(run.metrics["train_seconds"] for run in runs), ndcg, hr)]


def _factor(run: Run) -> int | None:
    value: int | None = run.config["settings"].get("oversampling_factor")
    return value


def _otherwise(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a run was made with, but for its factor."""
    settings = {key: value for key, value in run.config["settings"].items() if key != "oversampling_factor"}
    return settings, run.config["negatives"]
