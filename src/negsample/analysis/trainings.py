"""How training went: validation by epoch, whether it was cut off, what it cost, what oversampling bought."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from negsample.analysis.study import Study
from negsample.models.baselines import is_baseline
from negsample.runs.folder import Run

_LAST = 5  # the last one in so many epochs


class CurvePoint(NamedTuple):
    """Mean validation HR@10 over a method's runs that were validated at an epoch; ``sd``: None with one of them."""

    method: str
    epoch: int
    hr: float
    sd: float | None


class CutOff(NamedTuple):
    """``late`` of ``runs`` have their best epoch among the last ``last`` of ``epochs`` (the most that a run has).

    ``stops``: they stop early, so these reached the limit and would have gone on.
    """

    late: int
    runs: int
    last: int
    epochs: int
    tuned: bool
    stops: bool = False


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


def mean_curve(runs: Sequence[Run], method: str) -> list[CurvePoint]:
    """Validation HR@10 by epoch."""
    curves = [_validated(run) for run in runs if run.config["method"] == method]
    points = []
    for epoch in sorted({epoch for curve in curves for epoch in curve}):
        values = [curve[epoch] for curve in curves if epoch in curve]
        sd = statistics.stdev(values) if len(values) > 1 else None
        points.append(CurvePoint(method, epoch, statistics.fmean(values), sd))
    return points


def chosen_points(runs: Sequence[Run]) -> list[CurvePoint]:
    """Each run at the epoch that it was measured at."""
    chosen = [(run, run.metrics["best_epoch"], _validated(run)) for run in runs]
    return [CurvePoint(run.config["method"], at, curve[at], None) for run, at, curve in chosen if at in curve]


def baseline_levels(runs: Sequence[Run]) -> dict[str, float]:
    """Validation HR@10 of each baseline, which is not trained."""
    levels = {run.config["method"]: run.metrics["valid"].get("hr@10") for run in runs if not run.log}
    return {method: level for method, level in levels.items() if level is not None and is_baseline(method)}


def _validated(run: Run) -> dict[int, float]:
    """Validation HR@10 by epoch, where it was validated."""
    seen = {entry["epoch"]: entry["valid"]["hr@10"] for entry in run.log if entry.get("valid")}
    return {epoch: value for epoch, value in seen.items() if value is not None}


def cut_off(study: Study, dataset: str) -> CutOff | None:
    """None where at most half of the trained runs have their best epoch on validation in the last fifth; of runs that
    stop early, where at most half reached the limit of epochs before they would have stopped."""
    runs = [run for run in study.runs_of(dataset) if not is_baseline(run.config["method"])]
    tails = [_tail(run.config["settings"]) for run in runs]
    late = [each for run, each in zip(runs, tails, strict=True) if run.metrics["best_epoch"] > each[0] - each[1]]
    if 2 * len(late) <= len(runs):
        return None
    most, tail, stops = max(late)
    tuned = bool(study.tunings_of(dataset)) or study.published_settings
    return CutOff(len(late), len(runs), tail, most, tuned, stops)


def _tail(settings: Mapping[str, Any]) -> tuple[int, int, bool]:
    """Epochs of a run, the last ones in which a best one is late, and whether it stops early.

    It stops at the limit at the latest if so many validations follow the best epoch: that is late where fewer can.
    """
    most, stop = int(settings["epochs"]), int(settings.get("early_stop", 0))
    if stop:
        return most, (stop - 1) * int(settings["eval_every"]) + 1, True
    return most, math.ceil(most / _LAST), False  # at least one epoch


def costs_of(study: Study, dataset: str) -> list[Cost]:
    """Of each method with a finished run, in the study's order."""
    found = []
    for method in study.methods_of(dataset):
        runs = study.runs_of(dataset, method)
        best = [value for run in runs if (value := seconds_to_best(run)) is not None]
        to_best = statistics.fmean(best) if len(best) == len(runs) else None
        peak = max((each for run in runs if (each := run.metrics.get("peak_memory_bytes"))), default=None)
        found.append(Cost(method, len(runs), _mean_seconds(runs), to_best, peak))
    return found


def seconds_to_best(run: Run) -> float | None:
    """Seconds of training until the epoch whose weights were kept; None where the log does not say."""
    best = run.metrics["best_epoch"]
    return next((float(entry["seconds"]) for entry in run.log if entry["epoch"] == best), None)


def _mean_seconds(runs: Sequence[Run]) -> float:
    return statistics.fmean(run.metrics["train_seconds"] for run in runs)


def oversampling_of(study: Study, dataset: str) -> list[Oversampled]:
    """The methods that were run at several factors, each factor with the seeds that all of its factors have: else a
    mean of many runs would stand beside single ones.

    The study's own runs stand for theirs where nothing else differs.
    """
    found = []
    beside = [run for run in study.oversampling if run.config["dataset"] in study.fold_names(dataset)]
    for method in study.about["methods"]:
        groups: dict[int | None, list[Run]] = {}
        for run in (each for each in beside if each.config["method"] == method):
            groups.setdefault(_factor(run), []).append(run)
        if not groups:
            continue
        peer = next(iter(groups.values()))[0]
        seeds = set.intersection(*({run.config["seed"] for run in some} for some in groups.values()))
        own = [run for run in study.runs_of(dataset, method) if run.config["seed"] in seeds]
        whole = bool(own) and {run.config["seed"] for run in own} == seeds
        if whole and _factor(own[0]) not in groups and _otherwise(own[0]) == _otherwise(peer):
            groups[_factor(own[0])] = own
        for factor in sorted(groups, key=lambda each: (each is None, each or 0)):
            runs = [run for run in groups[factor] if run.config["seed"] in seeds]
            ndcg, hr = ([run.metrics["test"][name] for run in runs] for name in ("ndcg@10", "hr@10"))
            if runs and None not in (*ndcg, *hr):
                found.append(Oversampled(method, factor, _mean_seconds(runs), ndcg, hr))
    return found


def _factor(run: Run) -> int | None:
    value: int | None = run.config["settings"].get("oversampling_factor")
    return value


def _otherwise(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a run was made with, but for its factor."""
    settings = {key: value for key, value in run.config["settings"].items() if key != "oversampling_factor"}
    return settings, run.config["negatives"]
