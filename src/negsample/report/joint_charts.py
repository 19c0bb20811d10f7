"""Charts of several studies: methods over logs, their effects log by log, and what changed between two studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from negsample.analysis.effects_by_log import Effect
from negsample.analysis.measures import KEYS
from negsample.analysis.over_logs import TOGETHER, OverLogs
from negsample.analysis.two_studies import Change
from negsample.report import encodings as enc
from negsample.report.formats import signed
from negsample.report.palette import MUTED, Look
from negsample.report.significance_charts import FIGURES, KINDS, on_a_line

_SHAPES = ("circle", "square", "triangle-up", "triangle-down", "cross", "triangle-right", "triangle-left")
_ROW, _AIR = 15, 12  # pixels: of a log, and between methods


def over_logs_line(one: OverLogs, looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """The methods on the line of their mean share of each log's highest NDCG@10; a bar joins those without a
    significant difference. None with fewer than two that were tested against all others."""
    reached = {name: one.mean_share(name) for name in one.methods}
    return on_a_line(reached, one.tests, KEYS[one.measure], looks, "mean share of each log's highest NDCG@10, %")


def effects_by_log(effects: Sequence[Effect], looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """How much more NDCG@10 each method has than `random`, or than the best rule, by log and over the logs; a parameter
    says than which. None where nothing was compared."""
    if not effects:
        return None
    rows = [
        {"choice": each.over, "method": each.method, "log": each.log, "verdict": each.why or "tested"}
        | _ends(each.share, each.low, each.high)
        for each in effects
    ]
    logs = list(dict.fromkeys(each.log for each in effects))
    shapes = {log: "diamond" if log == TOGETHER else _SHAPES[at % len(_SHAPES)] for at, log in enumerate(logs)}
    title = "more NDCG@10, % of the log's highest"
    hints = (("method", "method"), ("log", "log"), ("choice", "than"), ("text", title), ("range", "95 % interval"))
    return _dots(rows, "Than ", looks, title, hints, shapes)


def changes(one: Change, looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """The difference of each method from one study to another, with its interval; a parameter says of which figure.
    None where nothing was compared."""
    rows = [
        {
            "choice": figure,
            "method": name,
            "verdict": f"not tested: {each.untested}" if each.untested else KINDS[each.kind][0],
        }
        | _ends(each.difference, each.low, each.high)
        for figure, measure in FIGURES.items()
        for name, each in one.tests.get(measure, {}).items()
        if each.difference is not None
    ]
    if not rows:
        return None
    title = f"{one.after.label} less {one.before.label}, points"
    hints = (
        ("method", "method"),
        ("choice", "figure"),
        ("text", title),
        ("range", "95 % interval"),
        ("verdict", "verdict"),
    )
    return _dots(rows, "Figure ", looks, title, hints)


def _ends(value: float, low: float | None, high: float | None) -> dict[str, Any]:
    """In %; no length without an interval."""
    known = low is not None and high is not None
    words = f"{signed(low or 0.0)} to {signed(high or 0.0)}" if known else ""
    ends = {"low": 100 * (value if low is None else low), "high": 100 * (value if high is None else high)}
    return {"x": 100 * value, "text": signed(value), "range": words} | ends


def _dots(
    rows: Sequence[Mapping[str, Any]],
    asks: str,
    looks: Mapping[str, Look],
    title: str,
    hints: Sequence[tuple[str, str]],
    shapes: Mapping[str, str] | None = None,
) -> alt.LayerChart:
    """Dots with their intervals, a row a method (in it one a log, where there are ``shapes`` of logs), for the choice
    that the parameter names; the first of ``rows`` has its default."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    choices = list(dict.fromkeys(row["choice"] for row in rows))
    choice = alt.param(name="choice", value=choices[0], bind=alt.binding_select(options=choices, name=asks))
    y = alt.Y("method:N", sort=methods).title(None).axis(grid=True, labelFontSize=12)
    zero = enc.chart_of([{"x": 0}]).mark_rule(strokeDash=[4, 3]).encode(x="x:Q")
    base = (
        enc.chart_of(rows)
        .transform_filter("datum.choice === choice")
        .encode(
            y=y,
            color=enc.colour(looks, methods, legend=None),
            opacity=enc.highlighted(1.0, 0.12),
            tooltip=enc.tooltips(*hints),
        )
    )
    lines = base.mark_rule(strokeWidth=1.5).encode(x=alt.X("low:Q").title(title).axis(tickCount=6), x2="high:Q")
    dots = base.mark_point(filled=True, size=60, opacity=1).encode(x="x:Q")
    many = 1
    if shapes is not None:
        logs, many = list(shapes), len(shapes)
        offset = alt.YOffset("log:N", sort=logs, scale=alt.Scale(domain=logs))
        room = enc.columns(34 + 6.6 * max(map(len, logs)))
        grey: dict[str, Any] = {"symbolFillColor": MUTED, "symbolStrokeColor": MUTED}
        legend = alt.Legend(orient="bottom", title=None, offset=14, columns=room, **grey)
        scale = alt.Scale(domain=logs, range=list(shapes.values()))
        of_all = alt.when(f"datum.log === '{TOGETHER}'")
        lines = lines.encode(yOffset=offset, strokeWidth=of_all.then(alt.value(3)).otherwise(alt.value(1.2)))
        dots = dots.encode(
            yOffset=offset,
            size=of_all.then(alt.value(110)).otherwise(alt.value(50)),
            shape=alt.Shape("log:N", scale=scale, legend=legend),
        )
    return enc.sized([zero, lines.add_params(enc.CHOSEN, choice), dots], (_ROW * many + _AIR) * len(methods))
