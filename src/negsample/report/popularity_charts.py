"""How popular the items of a dataset are, by cohort, and of several datasets beside one another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from negsample.report import encodings as enc
from negsample.report.formats import commas, share
from negsample.report.palette import COHORT_COLOURS, looks

_LOG = alt.Scale(type="log", nice=False)
# An entry a line, long names whole, in the colour of the line and not of the ground under it.
_LEGEND = alt.Legend(
    orient="bottom", title=None, columns=1, labelLimit=400, symbolType="stroke", symbolOpacity=1, offset=14
)


def popularity_chart(manifest: Mapping[str, Any]) -> alt.LayerChart | None:
    """Train events of an item against its popularity rank, both logarithmic, by cohort (the paper's Figure 2).

    Items never seen in training have no place on a logarithmic axis. None if no item was seen.
    """
    words = {
        name: f"{name}: {commas(facts['items'])} items, {share(facts['item_share'])} of the catalogue"
        for name, facts in manifest["cohorts"].items()
    }
    rows = [row | {"words": words[row["cohort"]]} for row in _seen(manifest)]
    if not rows:
        return None
    scale = alt.Scale(domain=list(words.values()), range=[COHORT_COLOURS[name] for name in words])
    counts = (("rank", "rank"), ("count", "train events"), ("text", "of all train events"))
    base = enc.chart_of(rows).encode(
        x=alt.X("rank:Q").title("popularity rank of the item").scale(_LOG).axis(_powers(rows, "rank")),
        y=alt.Y("count:Q", stack=None).title("train events of the item").scale(_LOG).axis(_powers(rows, "count")),
        color=alt.Color("words:N", scale=scale, legend=_LEGEND),
        tooltip=enc.tooltips(("cohort", "cohort"), *counts),
    )
    return enc.sized(
        [base.mark_area(opacity=0.18, line=False), base.mark_line(strokeWidth=3), _for_the_pointer(base)], 280
    )


def popularity_beside(manifests: Mapping[str, Mapping[str, Any]]) -> alt.LayerChart | None:
    """The share of the train events that an item has, against its rank; a line a dataset (the paper's Figure 3).

    Semi-logarithmic. None with fewer than two datasets that have a seen item.
    """
    rows = [{"dataset": name} | row for name, manifest in manifests.items() for row in _seen(manifest)]
    names = list(dict.fromkeys(row["dataset"] for row in rows))
    if len(names) < 2:
        return None
    look = looks(names)
    scale = alt.Scale(domain=names, range=[look[name].colour for name in names])
    dashes = alt.Scale(domain=names, range=[list(look[name].dash) or [1, 0] for name in names])
    base = enc.chart_of(rows).encode(
        x=alt.X("rank:Q").title("popularity rank of the item").axis(format="~s", tickCount=6, grid=False),
        y=alt.Y("share:Q").title("share of the train events").scale(_LOG).axis(format="~%", tickCount=6),
        color=alt.Color("dataset:N", scale=scale, legend=_LEGEND),
        tooltip=enc.tooltips(("dataset", "dataset"), ("rank", "rank"), ("text", "of all train events")),
    )
    dashed = alt.StrokeDash("dataset:N", scale=dashes, legend=_LEGEND)
    return enc.sized([base.mark_line(strokeWidth=2).encode(strokeDash=dashed), _for_the_pointer(base)], 320)


def _seen(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row a drawn item that training has seen."""
    curve, total = manifest["popularity_curve"], manifest["popularity_curve"]["total"]
    return [
        {"rank": rank, "count": count, "cohort": cohort, "share": count / total, "text": share(count / total)}
        for rank, count, cohort in zip(curve["rank"], curve["count"], curve["cohort"], strict=True)
        if count > 0
    ]


def _for_the_pointer(base: alt.Chart) -> alt.Chart:
    """Dots that cannot be seen, for tooltips along a line."""
    dots: alt.Chart = base.mark_point(filled=True, size=60).encode(opacity=alt.value(0.0))
    return dots


def _powers(rows: Sequence[Mapping[str, Any]], field: str) -> alt.Axis:
    top = math.floor(math.log10(max(row[field] for row in rows)))
    return alt.Axis(values=[10**power for power in range(top + 1)], format="~s", grid=True)
