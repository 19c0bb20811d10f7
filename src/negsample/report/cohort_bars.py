"""Hit rates by method and cohort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from negsample.analysis.measures import COHORTS
from negsample.analysis.tables import TableRow
from negsample.report.encodings import (
    CHOSEN,
    DIAL,
    at_the_dial,
    colour,
    highlighted,
    sized,
    tooltips,
    whisker,
)
from negsample.report.formats import with_sd
from negsample.report.palette import Look

_SHADE = {"head": 1.0, "mid": 0.7, "tail": 0.42}


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
        tooltip=tooltips(("method", "method"), ("cohort", "cohort"), ("text", "HR@10")),
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
        "text": with_sd(value, sd),
    }
