"""Validation by epoch, and by each setting that was tuned (the paper's Figure 5)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from negsample.analysis.trainings import CurvePoint, baseline_levels, chosen_points, mean_curve
from negsample.report import encodings as enc
from negsample.report.formats import percent, seconds, value_text, with_sd
from negsample.report.palette import Look
from negsample.runs.folder import Run
from negsample.runs.tunings import TuningSummary, in_order

RATE = "learning_rate"
_OTHERS = ("kept_hardest", "batch_size")
_TICKS = 8  # that many validations each have a tick; over more epochs whole numbers come by themselves
_DOTTED = 12  # of so few validations each has a dot: a line alone would hide where they were
_FEW = 14  # values that stand side by side on an axis of names
_BINS_A_DECADE = 3
_MOSTLY = 0.6  # share of the trials with a value of their own from which on values are gathered for the line


def training_curves(runs: Sequence[Run], looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """Validation HR@10 by epoch: the mean over a method's runs, a band of one sd, each run's chosen epoch.

    ``runs``: those of one dataset, in the study's order. Baselines are dashed lines. None if no run has a log.
    """
    means = [_mean(point) for method in looks for point in mean_curve(runs, method)]
    if not means:
        return None
    levels = [
        {"method": method, "hr": 100 * level, "text": with_sd(level, None)}
        for method, level in baseline_levels(runs).items()
    ]
    methods = list(dict.fromkeys(row["method"] for row in (*means, *levels)))
    epochs = sorted({row["epoch"] for row in means})
    ticks = epochs if len(epochs) <= _TICKS else alt.Undefined
    x = alt.X("epoch:Q").title("epoch").scale(zero=False, nice=False).axis(values=ticks, format="d", grid=False)
    y = alt.Y("hr:Q").title("validation HR@10, %").scale(zero=False)
    tint = enc.colour(looks, methods, enc.legend_of(methods, "stroke"))
    opacity, dashes = enc.highlighted(1.0, 0.08), enc.dash(looks, methods)

    def layer(rows: Sequence[Mapping[str, Any]], *epoch: tuple[str, str]) -> alt.Chart:
        hints = enc.tooltips(("method", "method"), *epoch, ("text", "validation HR@10"))
        return enc.chart_of(rows).encode(color=tint, tooltip=hints)

    mean, shade = layer(means, ("epoch", "epoch")), enc.shade({row["method"] for row in means})
    band = mean.mark_area().encode(x=x, y=alt.Y("low:Q"), y2="high:Q", opacity=shade)
    dots = {"size": 16} if len(epochs) <= _DOTTED else False
    line = mean.mark_line(point=dots, strokeWidth=2).encode(x=x, y=y, opacity=opacity, strokeDash=dashes)
    chosen = layer([_mean(point) for point in chosen_points(runs)], ("epoch", "chosen epoch"))
    rings = chosen.mark_point(shape="circle", size=70, strokeWidth=2).encode(x=x, y=y, opacity=opacity)
    flat = layer(levels).mark_rule(strokeWidth=2).encode(y=y, opacity=opacity, strokeDash=dashes)
    return enc.sized([band, line.add_params(enc.CHOSEN), rings, *([flat] if levels else [])], 320)


def _mean(point: CurvePoint) -> dict[str, Any]:
    low, high = enc.whisker(point.hr, point.sd)
    row = {"method": point.method, "epoch": point.epoch, "hr": 100 * point.hr, "text": with_sd(point.hr, point.sd)}
    return row | {"low": low, "high": high}


def responses(tunings: Sequence[TuningSummary]) -> list[str]:
    """The settings that have a chart: varied by somebody, the learning rate first, then the numbers of negatives."""
    varied = {name for tuning in tunings for name in tuning.searched()}
    negatives = sorted(name for name in varied if name.endswith("_negatives"))
    return [name for name in (RATE, *negatives, *_OTHERS) if name in varied]


def response_chart(tunings: Sequence[TuningSummary], name: str, looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """Validation NDCG@10 of each trial against the setting ``name``: a point a trial, hollow where it was pruned.

    It is that of the epoch with the best HR@10, by which trials are chosen.

    A line runs through the best complete trial at each value; of values that are nearly all distinct, through the
    best of each third of a decade. None if no trial of a method that varied it has a value.
    """
    varied = [tuning for tuning in tunings if name in tuning.searched()]
    rows = [row for tuning in varied for row in _trials(tuning, name)]
    if not rows:
        return None
    values = sorted({row["value"] for row in rows}, key=in_order)
    grid = len(values) <= _FEW and len(rows) >= 2 * len(values)
    named = any(isinstance(value, str | bool) for value in values) or (name != RATE and grid)
    tried = len({(row["method"], row["value"]) for row in rows})
    for row in rows:
        row["x"] = str(row["value"]) if named else row["value"]
    best = [row for tuning in varied for row in _best(rows, tuning, thin=not named and tried > _MOSTLY * len(rows))]
    methods, title = [tuning.method for tuning in varied], name.replace("_", " ")
    if named:
        x = alt.X("x:N", sort=list(map(str, values))).title(title).axis(labelAngle=0, labelOverlap=True)
    else:
        x = alt.X("x:Q").title(title).axis(format="~g", labelOverlap=True, grid=False)
        x = x.scale(type="log" if min(values) > 0 else "symlog", nice=False, padding=12)
    y = alt.Y("ndcg:Q").title("validation NDCG@10, %").scale(zero=False, padding=10)
    tint = enc.colour(looks, methods, enc.legend_of(methods, "circle"))
    figures = (("text", "validation NDCG@10"), ("hr", "validation HR@10"))
    how = (("trial", "trial"), ("trained", "trained"), ("others", "with"))
    hints = enc.tooltips(("method", "method"), ("value_text", title), *figures, *how)

    def layer(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
        return enc.chart_of(rows).encode(x=x, y=y, color=tint)

    line = layer(best).mark_line(strokeWidth=2).encode(opacity=enc.highlighted(0.75, 0.06))
    kinds: list[tuple[list[dict[str, Any]], dict[str, Any]]] = [
        ([row for row in rows if row["state"] == "complete"], {"filled": True, "size": 46}),
        ([row for row in rows if row["state"] == "pruned"], {"filled": False, "size": 42, "strokeWidth": 1.5}),
        ([row for row in rows if row["taken"]], {"filled": False, "size": 190, "strokeWidth": 1.8}),
    ]
    points = [
        layer(some).mark_point(**look).encode(opacity=enc.highlighted(1.0, 0.08), tooltip=hints)
        for some, look in kinds
        if some  # a layer without a row has no extent
    ]
    first, *others = [line, *points] if best else points
    return enc.sized([first.add_params(enc.CHOSEN), *others], 300)


def _trials(tuning: TuningSummary, name: str) -> list[dict[str, Any]]:
    taken = None if tuning.best is None else tuning.best.number
    return [
        {
            "method": tuning.method,
            "value": trial.params[name],
            "ndcg": 100 * trial.ndcg,
            "hr": percent(trial.value),
            "state": trial.state,
            "taken": trial.number == taken,
            "value_text": value_text(trial.params[name]),
            "text": percent(trial.ndcg),
            "trial": f"{trial.number}, {trial.state}" + (", chosen" if trial.number == taken else ""),
            "trained": f"{trial.epochs} {'epoch' if trial.epochs == 1 else 'epochs'}, {seconds(trial.seconds)}",
            "others": ", ".join(f"{key} {value_text(value)}" for key, value in trial.params.items() if key != name),
        }
        for trial in tuning.trials
        if trial.ndcg is not None and trial.state != "failed" and trial.params.get(name) is not None
    ]


def _best(rows: Sequence[dict[str, Any]], tuning: TuningSummary, thin: bool) -> list[dict[str, Any]]:
    best: dict[Any, dict[str, Any]] = {}
    for row in rows:
        if row["method"] != tuning.method or row["state"] != "complete":
            continue
        key = math.floor(_BINS_A_DECADE * math.log10(row["value"])) if thin and row["value"] > 0 else row["value"]
        if key not in best or row["ndcg"] > best[key]["ndcg"]:
            best[key] = row
    return sorted(best.values(), key=lambda row: in_order(row["value"]))
