"""Charts that show a method at every setting of the dial: its frontier, and hits by how popular the item is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from negsample.analysis.frontier import FLOORS, Reach
from negsample.analysis.measures import COHORTS
from negsample.analysis.statistics import interval
from negsample.analysis.study import POPULAR
from negsample.analysis.tables import TableRow
from negsample.report.encodings import (
    CHOSEN,
    DIAL,
    at_the_dial,
    chart_of,
    colour,
    dash,
    domain,
    highlighted,
    legend_of,
    shade,
    shape,
    sized,
    tooltips,
)
from negsample.report.formats import percent
from negsample.report.palette import Look

_THIN = 3  # every so many floors of a band are drawn


def frontier_chart(
    found: Sequence[Reach], rows: Sequence[TableRow], looks: Mapping[str, Look]
) -> alt.LayerChart | None:
    """NDCG@10 against Balance@10: a curve a method over the settings of the dial, the one that is shown marked.

    The band is the 90 % interval, over resampled users and seeds, of the highest NDCG@10 with at least that Balance.
    ``rows``: the rows of one dataset at each setting. None if no method has a Balance.
    """
    points = [_point(row) for row in rows if None not in (row["balance@10"], row["ndcg@10"])]
    if not points:
        return None
    bands = [row for each in found for row in _band(each)]
    x_domain = domain([row["x"] for row in points], [row["x"] for row in points], 0.04)
    y_high = max([row["y"] for row in points] + [row["high"] for row in bands])
    methods = list(dict.fromkeys(row["method"] for row in points))
    x = alt.X(
        "x:Q",
        title="Balance@10, %",
        scale=alt.Scale(domain=x_domain, nice=False, zero=False),
        axis=alt.Axis(tickCount=8),
    )
    y = alt.Y("y:Q", title="NDCG@10, %", scale=alt.Scale(domain=(0, 1.03 * y_high), nice=False))
    tint = colour(looks, methods, legend_of(methods))

    told = tooltips(
        ("method", "method"),
        ("dial", "dial"),
        *((name.lower(), f"{name}@10") for name in ("NDCG", "HR", "Balance")),
        *((cohort, f"{cohort} HR@10") for cohort in COHORTS),
    )
    base = chart_of(points).encode(x=x, y=y, color=tint)
    line = base.mark_line(strokeWidth=2).encode(
        order="dial:Q", opacity=highlighted(1.0, 0.08), strokeDash=dash(looks, methods, None)
    )
    dots = base.mark_point(filled=True, size=22).encode(opacity=highlighted(1.0, 0.08), tooltip=told)
    here = (
        at_the_dial(points)
        .mark_point(filled=True, size=130)
        .encode(x=x, y=y, color=tint, shape=shape(looks, methods), opacity=highlighted(1.0, 0.08), tooltip=told)
    )
    band = chart_of(bands).mark_area().encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=tint, opacity=shade(methods))
    return sized([*([band] if bands else []), line, dots, here.add_params(CHOSEN, DIAL)], 400)


def popularity_hits(rows: Sequence[Mapping[str, Any]], looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """HR@10 by how popular the item is, a line a method, at the setting of the dial that is shown.

    ``rows``: from :func:`negsample.analysis.popularity.hits_by_popularity`. None if there are none.
    """
    if not rows:
        return None
    shown = [
        {
            **row,
            "x": 100 * row["percentile"],
            "y": 100 * row["hr"],
            "text": percent(row["hr"]),
        }
        for row in rows
    ]
    methods = list(dict.fromkeys(row["method"] for row in rows))
    high = max(row["y"] for row in shown) or 1.0
    thirds = chart_of([{"x": 100 / 3}, {"x": 200 / 3}]).mark_rule(strokeDash=[2, 4]).encode(x="x:Q")
    base = at_the_dial(shown).encode(
        x=alt.X(
            "x:Q",
            title="popularity percentile (tail | mid | head)",
            scale=alt.Scale(domain=(0, 100), nice=False),
            axis=alt.Axis(grid=False, tickCount=6),
        ),
        y=alt.Y("y:Q", title="HR@10, %", scale=alt.Scale(domain=(0, 1.02 * high), nice=False)),
        color=colour(looks, methods, legend_of(methods, "stroke")),
        opacity=highlighted(1.0, 0.08),
        tooltip=tooltips(("method", "method"), ("text", "HR@10"), ("events", "test events")),
    )
    line = base.mark_line(strokeWidth=2).encode(strokeDash=dash(looks, methods))
    dots = base.mark_point(filled=True, size=26)
    return sized([thirds, line, dots.add_params(CHOSEN, DIAL)], 320)


def _point(row: TableRow) -> dict[str, Any]:
    return {
        "method": row["method"],
        "dial": row["dial"],
        "x": 100 * row["balance@10"],
        "y": 100 * row["ndcg@10"],
        "ndcg": percent(row["ndcg@10"]),
        "hr": percent(row["hr@10"]),
        "balance": percent(row["balance@10"], 1),
        **{cohort: percent(row[f"{cohort}_hr@10"]) for cohort in COHORTS},
    }


def _band(reach: Reach) -> list[dict[str, Any]]:
    """Where the curve runs: from its lowest Balance to its highest."""
    if reach.method == POPULAR or len(reach.betas) < 2 or np.isnan(reach.balance_G).all():
        return []
    low, high = interval(reach.resampled())
    inside = (np.nanmin(reach.balance_G) <= FLOORS) & (np.nanmax(reach.balance_G) >= FLOORS)
    return [
        {"method": reach.method, "x": 100 * float(floor), "low": 100 * float(down), "high": 100 * float(up)}
        for floor, down, up in zip(FLOORS[inside][::_THIN], low[inside][::_THIN], high[inside][::_THIN], strict=True)
    ]
