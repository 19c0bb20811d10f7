"""Validation by epoch."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from negsample.analysis.reading import POPULAR
from negsample.report.encodings import CHOSEN, colour, dash, highlighted, legend_of, shade, sized
from negsample.report.formats import spread
from negsample.report.palette import Look
from negsample.runs.folder import Run

_TICKS = 8  # that many looks each have a tick; over more epochs whole numbers come by themselves


def training_curves(runs: Sequence[Run], looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """Validation HR@10 by epoch: the mean over a method's runs, a band of one sd, each run's chosen epoch.

    ``runs``: those of one dataset, in the study's order. PopRec is a dashed line. None if no run has a log.
    """
    means = [row for method in looks for row in _means(runs, method)]
    if not means:
        return None
    picks = [row for run in runs for row in _pick(run)]
    levels = [row for run in runs for row in _level(run)][:1]
    methods = list(dict.fromkeys(row["method"] for row in (*means, *levels)))
    looked = sorted({row["epoch"] for row in means})
    x = alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(zero=False, nice=False),
        axis=alt.Axis(values=looked if len(looked) <= _TICKS else alt.Undefined, format="d", grid=False),
    )
    y = alt.Y("hr:Q", title="validation HR@10, %", scale=alt.Scale(zero=False))
    tint = colour(looks, methods, legend_of(methods, "stroke"))

    def layer(rows: list[dict[str, Any]], tooltip: list[alt.Tooltip]) -> alt.Chart:
        return alt.Chart(alt.InlineData(values=rows)).encode(color=tint, tooltip=tooltip)

    told = [
        alt.Tooltip("method:N", title="method"),
        alt.Tooltip("epoch:Q", title="epoch"),
        alt.Tooltip("text:N", title="validation HR@10"),
    ]
    mean = layer(means, told)
    band = mean.mark_area().encode(x=x, y=alt.Y("low:Q"), y2="high:Q", opacity=shade(methods))
    line = mean.mark_line(point={"size": 16} if _few(means) else False, strokeWidth=2).encode(
        x=x, y=y, opacity=highlighted(1.0, 0.08), strokeDash=dash(looks, methods)
    )
    marks = layer(picks, [*told[:1], alt.Tooltip("epoch:Q", title="chosen epoch"), *told[2:]])
    mark = marks.mark_point(shape="circle", size=70, strokeWidth=2).encode(x=x, y=y, opacity=highlighted(1.0, 0.08))
    flat = layer(levels, [told[0], told[2]]).mark_rule(strokeWidth=2)
    layers = [
        band,
        line.add_params(CHOSEN),
        mark,
        *([flat.encode(y=y, opacity=highlighted(1.0, 0.08), strokeDash=dash(looks, methods))] if levels else []),
    ]
    return sized(layers, 320)


def _looked_at(run: Run) -> dict[int, float]:
    """Validation HR@10 by epoch, where it was looked at."""
    looks = {entry["epoch"]: entry["valid"]["hr@10"] for entry in run.log if entry.get("valid")}
    return {epoch: value for epoch, value in looks.items() if value is not None}


def _means(runs: Sequence[Run], method: str) -> list[dict[str, Any]]:
    curves = [_looked_at(run) for run in runs if run.config["method"] == method]
    rows = []
    for epoch in sorted({epoch for curve in curves for epoch in curve}):
        values = [curve[epoch] for curve in curves if epoch in curve]
        mean = statistics.fmean(values)
        sd = statistics.stdev(values) if len(values) > 1 else None
        row = {"method": method, "epoch": epoch, "hr": 100 * mean, "text": spread(mean, sd)}
        rows.append(row | {"low": 100 * max(0.0, mean - (sd or 0.0)), "high": 100 * (mean + (sd or 0.0))})
    return rows


def _pick(run: Run) -> list[dict[str, Any]]:
    epoch = run.metrics["best_epoch"]
    value = _looked_at(run).get(epoch)
    if value is None:
        return []
    return [{"method": run.config["method"], "epoch": epoch, "hr": 100 * value, "text": spread(value, None)}]


def _level(run: Run) -> list[dict[str, Any]]:
    value = run.metrics["valid"].get("hr@10")
    if run.config["method"] != POPULAR or value is None:
        return []
    return [{"method": POPULAR, "hr": 100 * value, "text": spread(value, None)}]


def _few(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the looks are so few that a line alone would hide where they were."""
    return len({row["epoch"] for row in rows}) <= 12
