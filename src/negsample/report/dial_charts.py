"""Charts that follow the dial: a method's frontier, and hits by cohort and by how popular the item is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from negsample.analysis.frontier import FLOORS, Reach
from negsample.analysis.measures import COHORTS
from negsample.analysis.resampling import interval
from negsample.analysis.tables import TableRow
from negsample.models.baselines import is_baseline
from negsample.report import encodings as enc
from negsample.report.formats import percent, with_sd
from negsample.report.palette import Look

_THIN = 3  # every so many floors of a band are drawn
_SHADE = {"head": 1.0, "mid": 0.7, "tail": 0.42}


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
    x_domain = enc.domain([row["x"] for row in points], [row["x"] for row in points], 0.04)
    y_high = max([row["y"] for row in points] + [row["high"] for row in bands])
    methods = list(dict.fromkeys(row["method"] for row in points))
    x = alt.X("x:Q").title("Balance@10, %").scale(domain=x_domain, nice=False, zero=False).axis(tickCount=8)
    y = alt.Y("y:Q").title("NDCG@10, %").scale(domain=(0, 1.03 * y_high), nice=False)
    tint, opacity = enc.colour(looks, methods, enc.legend_of(methods)), enc.highlighted(1.0, 0.08)
    totals = [(name.lower(), f"{name}@10") for name in ("NDCG", "HR", "Balance")]
    cohorts = [(cohort, f"{cohort} HR@10") for cohort in COHORTS]
    hints = enc.tooltips(("method", "method"), ("dial", "dial"), *totals, *cohorts)
    base = enc.chart_of(points).encode(x=x, y=y, color=tint, opacity=opacity)
    line = base.mark_line(strokeWidth=2).encode(order="dial:Q", strokeDash=enc.dash(looks, methods, None))
    dots = base.mark_point(filled=True, size=22).encode(tooltip=hints)
    shown = enc.at_the_dial(points).encode(x=x, y=y, color=tint, opacity=opacity, tooltip=hints)
    here = shown.mark_point(filled=True, size=130).encode(shape=enc.shape(looks, methods))
    shade = enc.shade({row["method"] for row in bands})
    band = enc.chart_of(bands).mark_area().encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=tint, opacity=shade)
    return enc.sized([*([band] if bands else []), line, dots, here.add_params(enc.CHOSEN, enc.DIAL)], 400)


def popularity_hits(rows: Sequence[Mapping[str, Any]], looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """HR@10 by how popular the item is, a line a method, at the setting of the dial that is shown.

    ``rows``: from :func:`negsample.analysis.popularity.hits_by_popularity`. None if there are none.
    """
    if not rows:
        return None
    shown = [{**row, "x": 100 * row["percentile"], "y": 100 * row["hr"], "text": percent(row["hr"])} for row in rows]
    methods = list(dict.fromkeys(row["method"] for row in rows))
    high = max(row["y"] for row in shown) or 1.0
    x = alt.X("x:Q").title("popularity percentile (tail | mid | head)").scale(domain=(0, 100), nice=False)
    thirds = enc.chart_of([{"x": 100 / 3}, {"x": 200 / 3}]).mark_rule(strokeDash=[2, 4]).encode(x="x:Q")
    base = enc.at_the_dial(shown).encode(
        x=x.axis(grid=False, tickCount=6),
        y=alt.Y("y:Q").title("HR@10, %").scale(domain=(0, 1.02 * high), nice=False),
        color=enc.colour(looks, methods, enc.legend_of(methods, "stroke")),
        opacity=enc.highlighted(1.0, 0.08),
        tooltip=enc.tooltips(("method", "method"), ("text", "HR@10"), ("events", "test events")),
    )
    line = base.mark_line(strokeWidth=2).encode(strokeDash=enc.dash(looks, methods))
    dots = base.mark_point(filled=True, size=26)
    return enc.sized([thirds, line, dots.add_params(enc.CHOSEN, enc.DIAL)], 320)


def cohort_bars(given: Sequence[TableRow], looks: Mapping[str, Look]) -> alt.LayerChart:
    """HR@10 of head, mid and tail of each method, on one scale, with a standard deviation.

    ``given``: the rows of one dataset at each setting of the dial. A cohort without test events has no bar.
    """
    rows = [_bar(row, cohort) for row in given for cohort in COHORTS if row[f"{cohort}_hr@10"] is not None]
    methods = list(dict.fromkeys(row["method"] for row in given))
    high = max((row["high"] for row in rows), default=0.0) or 1.0
    room_for_names = alt.ExprRef(f"{high} * width / max(60, width - 70)")
    y = alt.Y("method:N", sort=methods).title(None).scale(paddingInner=0.25).axis(grid=False, labelFontSize=12)
    base = enc.at_the_dial(rows).encode(
        y=y,
        yOffset=alt.YOffset("cohort:N", sort=list(COHORTS)),
        opacity=enc.highlighted(1.0, 0.15),
        tooltip=enc.tooltips(("method", "method"), ("cohort", "cohort"), ("text", "HR@10")),
    )
    x = alt.X("hr:Q").title("HR@10, %").scale(domainMin=0, domainMax=room_for_names, nice=False).axis(tickCount=6)
    shades = alt.Scale(domain=list(_SHADE), range=list(_SHADE.values()))
    bars = base.mark_bar(cornerRadiusEnd=1).encode(
        x=x,
        color=enc.colour(looks, methods, legend=None),
        fillOpacity=alt.FillOpacity("cohort:O", scale=shades, legend=None),
    )
    whiskers = base.mark_rule(strokeWidth=1.2).encode(x="low:Q", x2="high:Q")
    names = base.mark_text(align="left", dx=6).encode(x="high:Q", text="label:N")
    return enc.sized([bars.add_params(enc.CHOSEN, enc.DIAL), whiskers, names], 52 * len(methods))


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
    if is_baseline(reach.method) or len(reach.betas) < 2 or np.isnan(reach.balance_G).all():
        return []
    low, high = interval(reach.resampled())
    inside = (np.nanmin(reach.balance_G) <= FLOORS) & (np.nanmax(reach.balance_G) >= FLOORS)
    floors, lows, highs = (100 * ends[inside][::_THIN] for ends in (FLOORS, low, high))
    return [
        {"method": reach.method, "x": floor, "low": down, "high": up}
        for floor, down, up in zip(floors.tolist(), lows.tolist(), highs.tolist(), strict=True)
    ]


def _bar(row: TableRow, cohort: str) -> dict[str, Any]:
    value, sd = row[f"{cohort}_hr@10"], row[f"{cohort}_hr@10_sd"]
    low, high = enc.whisker(value, sd)
    text = {"label": f"{cohort} {100 * value:.2f}", "text": with_sd(value, sd)}
    return (
        {"method": row["method"], "dial": row["dial"], "cohort": cohort, "hr": 100 * value}
        | text
        | {"low": low, "high": high}
    )
