"""Validation by epoch."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from negsample.analysis.study import POPULAR
from negsample.runs.folder import Run


class CurvePoint(NamedTuple):
    """Mean validation HR@10 over a method's runs that were validated at an epoch; ``sd``: None with one of them."""

    method: str
    epoch: int
    hr: float
    sd: float | None


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


def baseline_level(runs: Sequence[Run]) -> float | None:
    """Validation HR@10 of PopRec, which is not trained."""
    found = [run.metrics["valid"].get("hr@10") for run in runs if run.config["method"] == POPULAR]
    return found[0] if found else None


def _validated(run: Run) -> dict[int, float]:
    """Validation HR@10 by epoch, where it was validated."""
    seen = {entry["epoch"]: entry["valid"]["hr@10"] for entry in run.log if entry.get("valid")}
    return {epoch: value for epoch, value in seen.items() if value is not None}
