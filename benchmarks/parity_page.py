"""Parity as a page: a method's row, the tables, the picture; all of them of what `benchmarks.parity` wrote."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from benchmarks.common import of_machine
from negsample.analysis.measures import COHORTS
from negsample.paper.beside import SPREADS
from negsample.paper.presets import PRESETS
from negsample.paper.published import table3
from negsample.report.figures import Figure, write_figures
from negsample.report.palette import looks

IMAGES = Path(__file__).parent.parent / "docs" / "images"
FIGURES = ("hr@10", "ndcg@10", *(f"{cohort}_hr@10" for cohort in COHORTS), "balance@10")
EVERY = 20
_ALLOWED = 0.15


def beside(
    method: str, theirs: Sequence[Mapping[str, Any]], ours: Mapping[str, Mapping[str, float]], epochs: Sequence[int]
) -> dict[str, Any]:
    """The row of a method: ``ours`` (mean and sd by figure, in %) against the mean of the reference's runs."""
    row: dict[str, Any] = {"method": method, "their_epochs": [run["best"]["epoch"] for run in theirs]}
    row |= {"note": "; ".join(dict.fromkeys(run["note"] for run in theirs if run.get("note"))), "epochs": list(epochs)}
    for name in FIGURES:
        values = [100 * run["best"][name.removesuffix("@10")] for run in theirs]
        spread = statistics.stdev(values) if len(values) > 1 else None
        row[name] = {"theirs": statistics.fmean(values), "their_sd": spread, "their_runs": len(values), **ours[name]}
    published = table3("amazon-beauty", "adaptive" if method == PRESETS["reference"].pool else method)
    for name in ("hr@10", "ndcg@10"):
        each, of_paper = row[name], published[name]
        away = abs(each["ours"] - each["theirs"])
        each["ratio"] = each["ours"] / each["theirs"]
        each["within"] = away <= _ALLOWED * each["theirs"]
        each["within_3_sd"] = away <= 3 * (of_paper.sd or 0.0) / of_paper.mean * each["theirs"]
    row["same_order"] = _order({c: row[f"{c}_hr@10"]["theirs"] for c in COHORTS}) == _order(
        {c: row[f"{c}_hr@10"]["ours"] for c in COHORTS}
    )
    return row


def curve(by_epoch: Sequence[Mapping[int, float]]) -> list[dict[str, float]]:
    """Mean and sample standard deviation over runs of a fraction, in %, at the epochs that all of them have."""
    found = []
    for epoch in sorted(set.intersection(*(set(run) for run in by_epoch))):
        values = [100 * run[epoch] for run in by_epoch]
        spread = statistics.stdev(values) if len(values) > 1 else 0.0
        found.append({"epoch": epoch, "mean": statistics.fmean(values), "sd": spread})
    return found


def their_curve(theirs: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """:func:`curve` of validation HR@10 of the reference's runs."""
    return curve([{each["epoch"]: each["valid"]["hr"] for each in run["log"]} for run in theirs])


def _order(values: Mapping[str, float]) -> list[str]:
    return sorted(values, key=lambda key: -values[key])


def lines(found: Mapping[str, Any]) -> list[str]:
    """The tables as Markdown."""
    machines = dict.fromkeys(of_machine(row["how"]["machine"]) for row in found["runs"])
    told = [
        "# Parity with the reference's own runs",
        "",
        f"`python -m benchmarks.parity`, `--preset reference`, validated every {EVERY} epochs; {' '.join(machines)}"
        " Test figures in % at the epoch with the best validation HR@10, mean ± standard deviation of the runs.",
        "",
        *runs_table(found),
    ]
    if found["ingredients"]:
        told += ["", "One setting of `--preset reference` changed at a time:", "", *ingredients_table(found)]
    return told


def runs_table(found: Mapping[str, Any]) -> list[str]:
    """Ours beside the reference's, three lines a method."""
    told = [
        "| method | | runs | HR@10 | NDCG@10 | head HR@10 | mid | tail | Balance | best epochs | made |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found["runs"]:
        runs = row["hr@10"]["their_runs"]
        theirs = " | ".join(_cell(name, row[name]["theirs"], row[name]["their_sd"]) for name in FIGURES)
        ours = " | ".join(_cell(name, row[name]["ours"], row[name]["sd"]) for name in FIGURES)
        ratios = [f"{row[name]['ratio']:.2f}, {_verdict(row[name])}" for name in ("hr@10", "ndcg@10")]
        order = "same order" if row["same_order"] else "another order"
        epochs = ", ".join(map(str, row["their_epochs"]))
        told.append(f"| `{row['method']}` | reference | {runs} | {theirs} | {epochs} | |")
        how, epochs = row["how"], ", ".join(map(str, row["epochs"]))
        told.append(f"| | ours | {how['repeats']} | {ours} | {epochs} of {how['epochs']} | {how['made']} |")
        told.append(f"| | ours / reference | | {ratios[0]} | {ratios[1]} | {order} | | | | | |")
    return told


def ingredients_table(found: Mapping[str, Any]) -> list[str]:
    """A line a setting that was changed."""
    told = [
        "| changed setting | method | HR@10 | NDCG@10 | head HR@10 | mid | tail | Balance | made |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found["ingredients"]:
        figures = " | ".join(_cell(name, *row["figures"][name]) for name in FIGURES)
        told.append(f"| {row['ingredient']} | `{row['method']}` | {figures} | {row['how']['made']} |")
    return told


def _cell(name: str, mean: float, sd: float | None) -> str:
    digits = 1 if name == "balance@10" else 2
    return f"{mean:.{digits}f}" if sd is None else f"{mean:.{digits}f} ±{sd:.{digits}f}"


def _verdict(each: Mapping[str, Any]) -> str:
    if each["within"]:
        return f"within {100 * _ALLOWED:.0f} %"
    return "within 3 published sd" if each["within_3_sd"] else "outside"


def picture(runs: Sequence[Mapping[str, Any]]) -> Path:
    """Validation HR@10 by epoch, a panel a method: the reference's mean, and ours with a band of two deviations."""
    rows: list[dict[str, Any]] = []
    look = looks([row["method"] for row in runs])
    for row in runs:
        for key, who in (("ours", "ours"), ("theirs", "reference")):
            for at in row["curves"][key]:
                ends = {"low": at["mean"] - SPREADS * at["sd"], "high": at["mean"] + SPREADS * at["sd"]}
                rows.append({"method": row["method"], "who": who, "epoch": at["epoch"], "hr": at["mean"]} | ends)
    base = alt.Chart().encode(
        x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(grid=False, values=[20, 40, 60, 80, 100])),
        color=alt.Color(
            "who:N",
            title=None,
            scale=alt.Scale(domain=["ours", "reference"], range=[look[runs[0]["method"]].colour, "#d55e00"]),
        ),
    )
    y = alt.Y("hr:Q", title="validation HR@10, %", scale=alt.Scale(zero=False))
    band = (
        base.transform_filter("datum.who === 'ours'")
        .mark_area(opacity=0.2)
        .encode(y=alt.Y("low:Q", title="validation HR@10, %"), y2="high:Q")
    )
    line = base.mark_line(point={"size": 30}, strokeWidth=2).encode(y=y)
    chart = (
        alt.layer(band, line, data=alt.InlineData(values=rows))
        .properties(width=270, height=180)
        .facet(facet=alt.Facet("method:N", title=None, sort=list(look)), columns=2)
        .resolve_scale(y="independent")
    )
    spec = {key: value for key, value in chart.to_dict().items() if key not in ("config", "$schema")}
    IMAGES.mkdir(exist_ok=True)
    assert not write_figures([Figure("parity", "Parity", "", spec, "more")], IMAGES, png=False)
    return IMAGES / "parity.svg"
