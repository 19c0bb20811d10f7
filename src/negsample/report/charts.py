"""Charts of figures by method: accuracy against Balance, and hit rates by cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import polars as pl

from negsample.analysis.measures import COHORTS
from negsample.analysis.tables import TableRow
from negsample.report.encodings import (
    CHOSEN,
    DIAL,
    at_the_dial,
    colour,
    domain,
    highlighted,
    legend_of,
    shape,
    sized,
    whisker,
)
from negsample.report.formats import spread
from negsample.report.palette import Look

_SHADE = {"head": 1.0, "mid": 0.7, "tail": 0.42}


def accuracy_balance(table: pl.DataFrame, looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """One point a method: NDCG@10 against Balance, with a standard deviation both ways; highlighted ones have names.

    ``table``: the rows of one dataset. Methods without a defined Balance have no place here; None if
    no method has one.
    """
    rows = [_point(row) for row in table.to_dicts() if None not in (row["balance@10"], row["ndcg@10"])]
    if not rows:
        return None
    x_domain = domain([row["x_low"] for row in rows], [row["x_high"] for row in rows])
    y_domain = domain([row["y_low"] for row in rows], [row["y_high"] for row in rows])
    methods = [row["method"] for row in rows]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X("x:Q", title="Balance@10, %", scale=alt.Scale(domain=x_domain, nice=False, zero=False)),
        y=alt.Y("y:Q", title="NDCG@10, %", scale=alt.Scale(domain=y_domain, nice=False, zero=False)),
        tooltip=[
            alt.Tooltip("method:N", title="method"),
            alt.Tooltip("ndcg:N", title="NDCG@10"),
            alt.Tooltip("hr:N", title="HR@10"),
            alt.Tooltip("balance:N", title="Balance@10"),
            alt.Tooltip("runs:Q", title="runs"),
        ],
    )
    marks = base.encode(color=colour(looks, methods, legend_of(methods)), opacity=highlighted(1.0, 0.12))
    points = marks.mark_point(filled=True, size=120).encode(shape=shape(looks, methods))
    across = marks.mark_rule(strokeWidth=1.5).encode(x="x_low:Q", x2="x_high:Q")
    up = marks.mark_rule(strokeWidth=1.5).encode(y="y_low:Q", y2="y_high:Q")
    names = base.mark_text(align="left", baseline="bottom", dx=7, dy=-5).encode(
        text="method:N",
        opacity=alt.when("indexof(chosen, datum.method) >= 0").then(alt.value(1.0)).otherwise(alt.value(0.0)),
    )
    return sized([across, up, points.add_params(CHOSEN), names], 340)


def cohort_bars(given: Sequence[TableRow], looks: Mapping[str, Look]) -> alt.LayerChart:
    """HR@10 of head, mid and tail of each method, on one scale, with a standard deviation; the dial moves them.

    ``given``: the rows of one dataset at each setting of the dial. A cohort without test events has no bar.
    """
    rows = [_bar(row, cohort) for row in given for cohort in COHORTS if row[f"{cohort}_hr@10"] is not None]
    methods = list(dict.fromkeys(row["method"] for row in given))
    high = max((row["high"] for row in rows), default=0.0) or 1.0
    room_for_names = alt.ExprRef(f"{high} * width / max(60, width - 70)")
    base = at_the_dial(rows).encode(
        y=alt.Y(
            "method:N",
            sort=methods,
            title=None,
            scale=alt.Scale(paddingInner=0.25),
            axis=alt.Axis(grid=False, labelFontSize=12),
        ),
        yOffset=alt.YOffset("cohort:N", sort=list(COHORTS)),
        opacity=highlighted(1.0, 0.15),
        tooltip=[
            alt.Tooltip("method:N", title="method"),
            alt.Tooltip("cohort:N", title="cohort"),
            alt.Tooltip("text:N", title="HR@10"),
        ],
    )
    few = alt.Axis(tickCount=6)
    shades = alt.Scale(domain=list(_SHADE), range=list(_SHADE.values()))
    bars = base.mark_bar(cornerRadiusEnd=1).encode(
        x=alt.X(
            "hr:Q",
            title="HR@10, %",
            scale=alt.Scale(domainMin=0, domainMax=room_for_names, nice=False),
            axis=few,
        ),
        color=colour(looks, methods, legend=None),
        fillOpacity=alt.FillOpacity("cohort:O", scale=shades, legend=None),
    )
    whiskers = base.mark_rule(strokeWidth=1.2).encode(x="low:Q", x2="high:Q")
    names = base.mark_text(align="left", dx=6).encode(x="high:Q", text="label:N")
    return sized([bars.add_params(CHOSEN, DIAL), whiskers, names], 52 * len(methods))


def _point(row: Mapping[str, Any]) -> dict[str, Any]:
    x_low, x_high = whisker(row["balance@10"], row["balance@10_sd"])
    y_low, y_high = whisker(row["ndcg@10"], row["ndcg@10_sd"])
    return {
        "method": row["method"],
        "runs": row["runs"],
        "x": 100 * row["balance@10"],
        "x_low": x_low,
        "x_high": x_high,
        "y": 100 * row["ndcg@10"],
        "y_low": y_low,
        "y_high": y_high,
        "ndcg": spread(row["ndcg@10"], row["ndcg@10_sd"]),
        "hr": spread(row["hr@10"], row["hr@10_sd"]),
        "balance": spread(row["balance@10"], row["balance@10_sd"], 1),
    }


def _bar(row: Mapping[str, Any], cohort: str) -> dict[str, Any]:
    value, sd = row[f"{cohort}_hr@10"], row[f"{cohort}_hr@10_sd"]
    low, high = whisker(value, sd)
    return {
        "method": row["method"],
        "dial": row["dial"],
        "cohort": cohort,
        "hr": 100 * value,
        "low": low,
        "high": high,
        "label": f"{cohort} {100 * value:.2f}",
        "text": spread(value, sd),
    }
