"""Charts that follow the dial beside the frontier: hits by cohort and by how popular the item is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from negsample.analysis.measures import COHORTS
from negsample.analysis.tables import TableRow
from negsample.report import encodings as enc
from negsample.report.formats import percent, with_sd
from negsample.report.palette import Look

_SHADE = {"head": 1.0, "mid": 0.7, "tail": 0.42}


def popularity_hits(rows: Sequence[Mapping[str, Any]], looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """HR@10 by how popular the item is, a line a method, at the setting of the dial that is shown.

    ``rows``: from :func:`negsample.analysis.popularity.hits_by_popularity`. None if there are none.
    """
    if not rows:
        return None
    shown = [
        {
            **{key: row[key] for key in ("method", "dial", "events")},
            **{"x": round(100 * row["percentile"], 2), "y": round(100 * row["hr"], 3), "text": percent(row["hr"])},
        }
        for row in rows
    ]
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


def by_dial(rows: Sequence[TableRow], looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """NDCG@10 at each setting of the dial, a line a method; a rule at the one that is shown.

    ``rows``: those of one dataset at each setting. None where it was measured at one alone.
    """
    points = [
        {"method": row["method"], "dial": row["dial"], "y": 100 * row["ndcg@10"]}
        | {"ndcg": percent(row["ndcg@10"]), "balance": percent(row["balance@10"], 1)}
        for row in rows
        if row["dial"] is not None and row["ndcg@10"] is not None
    ]
    if len({row["dial"] for row in points}) < 2:
        return None
    methods = list(dict.fromkeys(row["method"] for row in points))
    x = alt.X("dial:Q").title("dial (tail | head)").axis(grid=False, tickCount=8)
    hints = (("method", "method"), ("dial", "dial"), ("ndcg", "NDCG@10"), ("balance", "Balance@10"))
    base = enc.chart_of(points).encode(
        x=x,
        y=alt.Y("y:Q").title("NDCG@10, %").scale(zero=False),
        color=enc.colour(looks, methods, enc.legend_of(methods, "stroke")),
        opacity=enc.highlighted(1.0, 0.08),
        tooltip=enc.tooltips(*hints),
    )
    line = base.mark_line(strokeWidth=2).encode(strokeDash=enc.dash(looks, methods))
    here = enc.chart_of([{"at": 0}]).transform_calculate(dial="dial").mark_rule(strokeDash=[2, 4]).encode(x=x)
    return enc.sized([here, line.add_params(enc.CHOSEN, enc.DIAL), base.mark_point(filled=True, size=26)], 320)


def cohort_bars(given: Sequence[TableRow], looks: Mapping[str, Look]) -> alt.LayerChart:
    """HR@10 of head, mid and tail of each method, on one scale, with a standard deviation.

    ``given``: the rows of one dataset at each setting of the dial. A cohort without test events has no bar.
    """
    rows = [_bar(row, cohort) for row in given for cohort in COHORTS if row[f"{cohort}_hr@10"] is not None]
    methods = list(dict.fromkeys(row["method"] for row in given))
    high = max((row["high"] for row in rows), default=0.0) or 1.0
    y = alt.Y("method:N", sort=methods).title(None).scale(paddingInner=0.25).axis(grid=False, labelFontSize=12)
    base = enc.at_the_dial(rows).encode(
        y=y,
        yOffset=alt.YOffset("cohort:N", sort=list(COHORTS)),
        opacity=enc.highlighted(1.0, 0.15),
        tooltip=enc.tooltips(("method", "method"), ("cohort", "cohort"), ("text", "HR@10")),
    )
    x = alt.X("hr:Q").title("HR@10, %").scale(domainMin=0, domainMax=1.3 * high, nice=False).axis(tickCount=6)
    shades = alt.Scale(domain=list(_SHADE), range=list(_SHADE.values()))
    bars = base.mark_bar(cornerRadiusEnd=1).encode(
        x=x,
        color=enc.colour(looks, methods, legend=None),
        fillOpacity=alt.FillOpacity("cohort:O", scale=shades, legend=None),
    )
    whiskers = base.mark_rule(strokeWidth=1.2).encode(x="low:Q", x2="high:Q")
    names = base.mark_text(align="left", dx=6).encode(x="high:Q", text="label:N")
    return enc.sized([bars.add_params(enc.CHOSEN, enc.DIAL), whiskers, names], 52 * len(methods))


def _bar(row: TableRow, cohort: str) -> dict[str, Any]:
    value, sd = row[f"{cohort}_hr@10"], row[f"{cohort}_hr@10_sd"]
    low, high = enc.whisker(value, sd)
    text = {"label": f"{cohort} {100 * value:.2f}", "text": with_sd(value, sd)}
    return (
        {"method": row["method"], "dial": row["dial"], "cohort": cohort, "hr": 100 * value}
        | text
        | {"low": low, "high": high}
    )
