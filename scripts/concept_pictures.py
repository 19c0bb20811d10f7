"""`python -m scripts.concept_pictures`: the pictures of docs/concepts, from the bundled log and committed results."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import altair as alt
import numpy as np
import polars as pl
import vl_convert

from negsample import balance, load_dataset
from negsample.data.popularity import COHORTS, cohorts
from negsample.models.baselines import is_baseline
from scripts.figures_in_docs import ROOT, pick, result

FOLDER = ROOT / "docs" / "images"
COLOURS = ["#30527f", "#3f9c8f", "#e0a030"]
PARTS = ["train", "validation", "test"]
STUDY = "study:online-retail"
CUSTOMERS = 40


def of_cohorts() -> Any:
    """How many items, train events and test events head, mid and tail have."""
    data = load_dataset("online-retail")
    cohort = cohorts(data.train_counts)
    ends = zip(np.asarray(data.valid_ends), np.asarray(data.offsets[1:]), strict=True)
    test = np.bincount(np.concatenate([data.items[first:end] for first, end in ends]), minlength=len(cohort))
    counts = {"items": np.ones(len(cohort)), "train events": data.train_counts, "test events": test}
    rows = [
        {"of": name, "cohort": each, "share": float(count[cohort == which].sum() / count[1:].sum()), "place": which}
        for name, count in counts.items()
        for which, each in enumerate(COHORTS)
    ]
    share = alt.X("share:Q", stack="normalize", title=None, axis=alt.Axis(format="%"))
    bars = alt.Chart(pl.DataFrame(rows)).encode(alt.Y("of:N", sort=list(counts), title=None), share, order="place:O")
    colour = alt.Color("cohort:N", scale=alt.Scale(domain=list(COHORTS), range=COLOURS), legend=alt.Legend(title=None))
    return bars.mark_bar().encode(colour).properties(width=560, height=110)


def of_balance() -> Any:
    """The hit rates of three methods by cohort, and the Balance that they come to."""
    rows = []
    for method in ("PopRec", "random", "popularity"):
        row = pick(result(STUDY)["table"], method=method)
        rates = [row[f"{each}_hr@10"] for each in COHORTS]
        name = f"{method}: Balance {100 * balance(*rates):.0f} %"
        rows += [{"method": name, "cohort": each, "HR@10": rate} for each, rate in zip(COHORTS, rates, strict=True)]
    cohort = alt.X("cohort:N", sort=list(COHORTS), title=None, axis=alt.Axis(labelAngle=0))
    bars = alt.Chart(pl.DataFrame(rows)).mark_bar().encode(cohort, alt.Y("HR@10:Q", axis=alt.Axis(format="%")))
    colour = alt.Color("cohort:N", scale=alt.Scale(domain=list(COHORTS), range=COLOURS), legend=None)
    names = alt.Column("method:N", sort=list(dict.fromkeys(row["method"] for row in rows)), title=None)
    return bars.encode(colour, names).properties(width=165, height=170)


def of_time() -> Any:
    """The events of some customers, by the part that the split puts them into."""
    data = load_dataset("online-retail")
    users = np.linspace(0, data.users - 1, CUSTOMERS).astype(int)
    rows = [
        {"customer": row, "time": int(data.times[event]) // 1000, "part": PARTS[part]}
        for row, user in enumerate(users)
        for event in range(data.offsets[user], data.offsets[user + 1])
        for part in [int(event >= data.train_ends[user]) + int(event >= data.valid_ends[user])]
    ]
    frame = pl.DataFrame(rows).unique(maintain_order=True).with_columns(pl.col("time").cast(pl.Datetime("ms")))
    time = alt.X("utcyearmonthdate(time):T", title=None, axis=alt.Axis(format="%b %Y"))
    colour = alt.Color("part:N", scale=alt.Scale(domain=PARTS, range=COLOURS), legend=alt.Legend(title=None))
    ticks = alt.Chart(frame).mark_tick(thickness=2, size=7).encode(time, alt.Y("customer:O", axis=None), colour)
    return ticks.properties(width=560, height=300)


def of_significance() -> Any:
    """The differences of methods from `random` with their intervals, and which are significant."""
    found = [each for each in result(STUDY)["significance"] if (each["measure"], each["scope"]) == ("ndcg@10", "all")]
    rows = [
        {
            "method": each["b"],
            "low": -100 * each["high"],
            "difference": -100 * each["difference"],
            "high": -100 * each["low"],
            "is": "significant" if each["p_holm"] < 0.05 else "not significant",
        }
        for each in found
        if each["a"] == "random" and each["at"] == "table" and not is_baseline(each["b"])
    ]
    order = [row["method"] for row in sorted(rows, key=lambda row: -row["difference"])]
    base = alt.Chart(pl.DataFrame(rows)).encode(alt.Y("method:N", sort=order, title=None))
    colour = alt.Color("is:N", legend=alt.Legend(title=None), scale=alt.Scale(range=["#999999", COLOURS[0]]))
    title = "NDCG@10 less that of random, points of a percent; lines: 95 % intervals"
    lines = base.mark_rule(strokeWidth=2).encode(alt.X("low:Q", title=title), alt.X2("high:Q"), colour)
    points = base.mark_point(filled=True, size=70).encode(alt.X("difference:Q"), colour)
    zero = alt.Chart(pl.DataFrame({"zero": [0]})).mark_rule(strokeDash=[4, 3]).encode(alt.X("zero:Q"))
    return (zero + lines + points).properties(width=480, height=alt.Step(26))


PICTURES: Mapping[str, Callable[[], Any]] = {
    "cohorts": of_cohorts,
    "balance": of_balance,
    "time": of_time,
    "significance": of_significance,
}


def svg(name: str) -> str:
    """The picture as it lies in docs/images."""
    look = {"background": "#fefefe", "font": "sans-serif", "view": {"stroke": None}, "axis": {"labelFontSize": 12}}
    legend = {"labelFontSize": 12, "symbolSize": 90}
    return vl_convert.vegalite_to_svg(PICTURES[name]().to_dict(), config={**look, "legend": legend}) + "\n"


if __name__ == "__main__":
    for each in PICTURES:
        (FOLDER / f"concept-{each}.svg").write_text(svg(each), encoding="utf-8")
        print(FOLDER / f"concept-{each}.svg")
