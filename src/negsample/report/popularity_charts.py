"""How popular the items of a dataset are, by cohort, and of several datasets beside one another."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from negsample.report.encodings import chart_of, sized, tooltips
from negsample.report.formats import commas, share
from negsample.report.palette import COHORT_COLOURS, looks


def popularity_chart(manifest: Mapping[str, Any]) -> alt.LayerChart | None:
    """Train events of an item against its popularity rank, both logarithmic, by cohort
    (the paper's Figure 2).

    Items never seen in training have no place on a logarithmic axis. None if no item was seen.
    """
    curve = manifest["popularity_curve"]
    rows = [
        {"rank": rank, "count": count, "cohort": cohort, "share": share(count / manifest["train_events"])}
        for rank, count, cohort in zip(curve["rank"], curve["count"], curve["cohort"], strict=True)
        if count > 0
    ]
    if not rows:
        return None
    words = {name: _cohort_words(name, facts) for name, facts in manifest["cohorts"].items()}
    for row in rows:
        row["words"] = words[row["cohort"]]
    legend = _legend()
    scale = alt.Scale(domain=list(words.values()), range=[COHORT_COLOURS[name] for name in words])
    base = chart_of(rows).encode(
        x=alt.X("rank:Q", title="popularity rank of the item", scale=_log(), axis=_powers(rows, "rank")),
        y=alt.Y("count:Q", title="train events of the item", stack=None, scale=_log(), axis=_powers(rows, "count")),
        color=alt.Color("words:N", scale=scale, legend=legend),
        tooltip=tooltips(
            ("cohort", "cohort"), ("rank", "rank"), ("count", "train events"), ("share", "of all train events")
        ),
    )
    ground = base.mark_area(opacity=0.18, line=False)
    line = base.mark_line(strokeWidth=3)
    dots = base.mark_point(filled=True, size=60).encode(opacity=alt.value(0.0))  # what the pointer finds
    return sized([ground, line, dots], 280)


def popularity_beside(manifests: Mapping[str, Mapping[str, Any]]) -> alt.LayerChart | None:
    """The share of the train events that an item has, against its rank; a line a dataset (the paper's Figure 3).

    Semi-logarithmic. None with fewer than two datasets that have a seen item.
    """
    rows = [
        {
            "dataset": name,
            "rank": rank,
            "share": count / manifest["train_events"],
            "told": share(count / manifest["train_events"]),
        }
        for name, manifest in manifests.items()
        for rank, count in zip(manifest["popularity_curve"]["rank"], manifest["popularity_curve"]["count"], strict=True)
        if count > 0
    ]
    names = list(dict.fromkeys(row["dataset"] for row in rows))
    if len(names) < 2:
        return None
    look = looks(names)
    scale = alt.Scale(domain=names, range=[look[name].colour for name in names])
    dashes = alt.Scale(domain=names, range=[list(look[name].dash) or [1, 0] for name in names])
    legend = _legend()
    base = chart_of(rows).encode(
        x=alt.X("rank:Q", title="popularity rank of the item", axis=alt.Axis(format="~s", tickCount=6, grid=False)),
        y=alt.Y("share:Q", title="share of the train events", scale=_log(), axis=alt.Axis(format="~%", tickCount=6)),
        color=alt.Color("dataset:N", scale=scale, legend=legend),
        tooltip=tooltips(("dataset", "dataset"), ("rank", "rank"), ("told", "of all train events")),
    )
    line = base.mark_line(strokeWidth=2).encode(strokeDash=alt.StrokeDash("dataset:N", scale=dashes, legend=legend))
    dots = base.mark_point(filled=True, size=60).encode(opacity=alt.value(0.0))  # what the pointer finds
    return sized([line, dots], 320)


def _cohort_words(name: str, facts: Mapping[str, Any]) -> str:
    return f"{name}: {commas(facts['items'])} items, {share(facts['item_share'])} of the catalogue"


def _log() -> alt.Scale:
    return alt.Scale(type="log", nice=False)


def _powers(rows: Sequence[Mapping[str, Any]], field: str) -> alt.Axis:
    top = math.floor(math.log10(max(row[field] for row in rows)))
    return alt.Axis(values=[10**power for power in range(top + 1)], format="~s", grid=True)


def _legend() -> alt.Legend:
    """An entry a line, long names whole, in the colour of the line and not of the ground under it."""
    return alt.Legend(
        orient="bottom",
        title=None,
        columns=1,
        labelLimit=400,
        symbolType="stroke",
        symbolOpacity=1,
        offset=14,
    )
