"""Validation by epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from negsample.analysis.curves import CurvePoint, baseline_level, chosen_points, mean_curve
from negsample.analysis.study import POPULAR
from negsample.report.encodings import CHOSEN, chart_of, colour, dash, highlighted, legend_of, shade, sized, tooltips
from negsample.report.formats import with_sd
from negsample.report.palette import Look
from negsample.runs.folder import Run

_TICKS = 8  # that many validations each have a tick; over more epochs whole numbers come by themselves
_DOTTED = 12  # of so few validations each has a dot: a line alone would hide where they were


def training_curves(runs: Sequence[Run], looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """Validation HR@10 by epoch: the mean over a method's runs, a band of one sd, each run's chosen epoch.

    ``runs``: those of one dataset, in the study's order. PopRec is a dashed line. None if no run has a log.
    """
    means = [_row(point) for method in looks for point in mean_curve(runs, method)]
    if not means:
        return None
    level = baseline_level(runs)
    levels = [] if level is None else [{"method": POPULAR, "hr": 100 * level, "text": with_sd(level, None)}]
    methods = list(dict.fromkeys(row["method"] for row in (*means, *levels)))
    epochs = sorted({row["epoch"] for row in means})
    ticks = epochs if len(epochs) <= _TICKS else alt.Undefined
    x = alt.X(
        "epoch:Q",
        title="epoch",
        scale=alt.Scale(zero=False, nice=False),
        axis=alt.Axis(values=ticks, format="d", grid=False),
    )
    y = alt.Y("hr:Q", title="validation HR@10, %", scale=alt.Scale(zero=False))
    tint = colour(looks, methods, legend_of(methods, "stroke"))
    opacity, dashes = highlighted(1.0, 0.08), dash(looks, methods)

    def layer(rows: Sequence[Mapping[str, Any]], epoch: str | None) -> alt.Chart:
        told = [("method", "method"), *([("epoch", epoch)] if epoch else []), ("text", "validation HR@10")]
        return chart_of(rows).encode(color=tint, tooltip=tooltips(*told))

    mean = layer(means, "epoch")
    band = mean.mark_area().encode(x=x, y=alt.Y("low:Q"), y2="high:Q", opacity=shade(methods))
    dots = {"size": 16} if len(epochs) <= _DOTTED else False
    line = mean.mark_line(point=dots, strokeWidth=2).encode(x=x, y=y, opacity=opacity, strokeDash=dashes)
    chosen = layer([_row(point) for point in chosen_points(runs)], "chosen epoch")
    rings = chosen.mark_point(shape="circle", size=70, strokeWidth=2).encode(x=x, y=y, opacity=opacity)
    layers = [band, line.add_params(CHOSEN), rings]
    if levels:
        flat = layer(levels, None).mark_rule(strokeWidth=2)
        layers.append(flat.encode(y=y, opacity=opacity, strokeDash=dashes))
    return sized(layers, 320)


def _row(point: CurvePoint) -> dict[str, Any]:
    low, high = 100 * max(0.0, point.hr - (point.sd or 0.0)), 100 * (point.hr + (point.sd or 0.0))
    row = {"method": point.method, "epoch": point.epoch, "hr": 100 * point.hr, "text": with_sd(point.hr, point.sd)}
    return row | {"low": low, "high": high}
