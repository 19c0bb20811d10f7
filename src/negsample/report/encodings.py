"""What the charts share: a method's colour and shape, the legend, the size, whiskers."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import altair as alt

from negsample.report.palette import Look

DIAL = alt.param(name="dial", value=0)
"""The setting of the dial that a chart shows; the page's slider sets it."""
MANY = 12
"""Of more methods than this a chart shows names and bands where they are highlighted, since all would cover it."""
CHOSEN = alt.param(name="chosen", value=[])
"""The methods that are highlighted: one choice for the whole page, which sets it in every chart."""
PICKED = "indexof(chosen, datum.method) >= 0"
"""The test of a row whether its method is highlighted."""


_SHOWN = alt.VariableParameter(name="shown", value=[])  # the methods that a chart shows, none: all


def chart_of(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
    """A chart of ``rows``; of those that are of a method (and an ``other``), the ones that are shown."""
    values: Any = tuple(rows)  # Altair copies a list whenever something is added to a chart
    chart = alt.Chart(alt.InlineData(values=values))
    for field in ("method", "other"):
        if rows and field in rows[0]:
            chart = chart.transform_filter(f"!length(shown) || indexof(shown, datum.{field}) >= 0")
    return chart


def at_the_dial(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
    """A chart of those of ``rows`` whose ``dial`` is the one that is shown, or None: what has no dial."""
    return chart_of(rows).transform_filter("datum.dial === null || datum.dial === dial")


def tooltips(*shown: tuple[str, str]) -> list[alt.Tooltip]:
    """What the pointer shows: fields, each with its title. Whole numbers of ``events``, ``rank`` and ``count`` get
    commas."""
    return [
        alt.Tooltip(f"{field}:Q", title=title, format=",")
        if field in ("events", "rank", "count")
        else alt.Tooltip(f"{field}:N", title=title)
        for field, title in shown
    ]


def highlighted(full: float, low: float) -> alt.OpacityValue:
    """Opacity ``full`` of a method that is chosen, ``low`` of the others; ``full`` for all where none is."""
    return opacity(low, (f"!length(chosen) || {PICKED}", full))


def shade(methods: Collection[str], full: float = 0.12) -> alt.OpacityValue:
    """Opacity of a method's band; of more than ``MANY`` methods with one only those that are chosen show it."""
    return highlighted(full, 0.02) if len(methods) <= MANY else opacity(0.0, (PICKED, full))


def opacity(otherwise: float, *cases: tuple[str, float]) -> alt.OpacityValue:
    """The opacity of the first of ``cases`` (a test, and its opacity) that is true.

    What ``alt.when`` says too, which takes 25 ms each time to find out that it is an opacity.
    """
    conditions: list[Any] = [{"test": test, "value": value} for test, value in cases]
    return alt.OpacityValue(otherwise, condition=conditions)


def colour(looks: Mapping[str, Look], methods: Sequence[str], legend: alt.Legend | None) -> alt.Color:
    """The colour of each method, the same in every chart."""
    scale = alt.Scale(domain=list(methods), range=[looks[method].colour for method in methods])
    return alt.Color("method:N", scale=scale, legend=legend)


def shape(looks: Mapping[str, Look], methods: Sequence[str], legend: bool = True) -> alt.Shape:
    """The shape of each method, the same in every chart."""
    scale = alt.Scale(domain=list(methods), range=[looks[method].shape for method in methods])
    return alt.Shape("method:N", scale=scale, legend=legend_of(methods) if legend else None)


def dash(looks: Mapping[str, Look], methods: Sequence[str], legend: bool = True) -> alt.StrokeDash:
    """The dash of each method's line."""
    scale = alt.Scale(domain=list(methods), range=[list(looks[method].dash) or [1, 0] for method in methods])
    return alt.StrokeDash("method:N", scale=scale, legend=legend_of(methods, "stroke") if legend else None)


def legend_of(methods: Sequence[str], symbol: str | None = None) -> alt.Legend:
    """The legend under a chart, in as many columns as the page leaves room for.

    By the width of the container, not of the plot: that one is known only after the legend is laid out.
    """
    widest = 34 + 6.6 * max(len(method) for method in methods)
    kind = alt.Undefined if symbol is None else symbol
    values = alt.ExprRef(f"length(shown) ? shown : {json.dumps(list(methods), allow_nan=False)}")
    entries: Any = {"columns": columns(widest), "values": values, "symbolOpacity": 1, "symbolLimit": 100}
    return alt.Legend(orient="bottom", title=None, offset=14, symbolType=kind, **entries)


def columns(widest: float) -> alt.ExprRef:
    """So many entries of a legend stand side by side, where each needs ``widest`` pixels."""
    room = "(isFinite(containerSize()[0]) ? containerSize()[0] : 640) - 60"
    return alt.ExprRef(f"max(1, floor(({room}) / {widest:.0f}))")


def sized(layers: Sequence[alt.Chart], height: float) -> alt.LayerChart:
    """``layers`` over one another, as wide as the page lets them be."""
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    return alt.LayerChart(layer=list(layers), params=[_SHOWN], width="container", height=height, autosize=fit)


def whisker(value: float, sd: float | None, top: float = 1.0) -> tuple[float, float]:
    """One standard deviation down and up, in %, within what can be; no length without a spread."""
    return 100 * max(0.0, value - (sd or 0.0)), 100 * min(top, value + (sd or 0.0))


def domain(lows: Sequence[float], highs: Sequence[float], margin: float = 0.12) -> tuple[float, float]:
    """An axis in % that holds every whisker and some air around it."""
    low, high = min(lows), max(highs)
    air = margin * (high - low) or 0.25 * high or 1.0
    return max(0.0, low - air), min(103.0, high + air)
