"""Ours against the reference's own runs, and what each of its ingredients is worth.

`python -m benchmarks.parity LOG REFERENCE --out DIR`: LOG is `amazon-beauty-5core.parquet`, REFERENCE the folder of its
runs (`beauty5-<method>.json`). Studies in DIR, resumable, all under `--preset reference`, 100 epochs looked at every
20: the methods of REFERENCE, and `random` (for what is not kept `adaptive-mixed`) again with one ingredient of the
preset changed at a time. Writes `benchmarks/results/parity.json`, `parity.md` and `docs/images/parity.svg`.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import altair as alt

from benchmarks.common import RESULTS, of_machine
from negsample import TrainSettings, compare, load_dataset, plan
from negsample.data.sequences import Dataset
from negsample.methods import POPREC
from negsample.presets import PRESETS, whose
from negsample.published import table3
from negsample.report.beside_paper import SPREADS
from negsample.report.figures import Figure, write_figure
from negsample.report.palette import looks
from negsample.report.reading import Study, read_study
from negsample.report.tables import COHORTS
from negsample.study_files import machine

PRESET = PRESETS["reference"]
EVERY = 20
INGREDIENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "padding": ("padding left out of the loss", {"padding": "omit"}),
    "not-kept": ("what is not kept left out", {"not_kept": "omit"}),
    "table": ("rows instead of dense Adam", {"table": "rows"}),
    "split": ("cut at a moment in time", {}),
    "batches": ("each user once an epoch", {"batches": "shuffled"}),
    "initial": ("N(0, 0.02) instead of Glorot", {"initial": "normal"}),
}
PLAIN, SELECTING = "random", "adaptive-mixed"
IMAGES = Path(__file__).parent.parent / "docs" / "images"
_FIGURES = ("hr@10", "ndcg@10", *(f"{cohort}_hr@10" for cohort in COHORTS), "balance@10")
_ALLOWED = 0.15


def main() -> None:
    """Do what is not done yet, and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity")
    parser.add_argument("log")
    parser.add_argument("reference", type=Path, help="the folder of the reference's runs")
    parser.add_argument("--out", type=Path, required=True, help="the studies; interrupted ones are carried on")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--ingredients", default=",".join(INGREDIENTS), help="with commas; none leaves them out")
    given = parser.parse_args()
    data = {split: load_dataset(given.log, split=split) for split in ("paper", "sound")}
    theirs = {run["method"]: run for run in map(_read, sorted(given.reference.glob("beauty5-*.json")))}
    found: dict[str, Any] = {"machine": machine(), "epochs": given.epochs, "repeats": given.repeats}

    def study(name: str, data: Dataset, methods: Sequence[str], changes: Mapping[str, Any]) -> Study:
        return _study(given.out / name, data, methods, changes, given.epochs, given.repeats, given.jobs)

    runs = study("runs", data["paper"], list(theirs), {})
    found["runs"] = [_beside(runs, method, theirs[method]) for method in theirs]
    picture(runs, theirs)
    asked = [] if given.ingredients == "none" else given.ingredients.split(",")
    rows = [_row("as the reference", runs, method) for method in (PLAIN, SELECTING)]
    for ingredient in asked:
        name, changes = INGREDIENTS[ingredient]
        method, split = SELECTING if "not_kept" in changes else PLAIN, "paper" if changes else "sound"
        rows.append(_row(name, study(ingredient, data[split], [method], changes), method))
    found |= {"ingredients": rows} if asked else {}
    (RESULTS / "parity.json").write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "parity.md").write_text("\n".join(lines(found)) + "\n")
    print("\n".join(lines(found)))


def _read(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return value


def _study(
    out: Path, data: Dataset, methods: Sequence[str], changes: Mapping[str, Any], epochs: int, repeats: int, jobs: int
) -> Study:
    of_training = {key: value for key, value in changes.items() if key in TrainSettings.model_fields}
    of_method = {key: value for key, value in changes.items() if key not in of_training}
    training = {**PRESET.training, "epochs": epochs, "eval_every": EVERY, **of_training}
    overrides = PRESET.overrides({data.name: whose(data.name).published}, [*methods, POPREC], list(of_method))
    planned = plan(
        [data],
        methods,
        repeats=repeats,
        seed=0,
        settings=TrainSettings(**training),
        changes=of_method,
        tuned=overrides,
    )
    return read_study(compare(planned, out, at_once=jobs, tell=print).parent)


def _means(study: Study, method: str) -> dict[str, tuple[float, float]]:
    """Mean and sample standard deviation of each figure on test, in %."""
    runs = study.runs_of(study.datasets()[0], method)
    values = {name: [100 * run.metrics["test"][name] for run in runs] for name in _FIGURES}
    return {
        name: (statistics.fmean(each), statistics.stdev(each) if len(each) > 1 else 0.0)
        for name, each in values.items()
    }


def _beside(study: Study, method: str, theirs: Mapping[str, Any]) -> dict[str, Any]:
    """A method's mean beside the reference's run, at the best epochs of each."""
    best = theirs["best"]
    of_theirs = {"hr@10": best["hr"], "ndcg@10": best["ndcg"], "balance@10": best["balance"]}
    of_theirs |= {f"{cohort}_hr@10": best[f"{cohort}_hr"] for cohort in COHORTS}
    ours = _means(study, method)
    row: dict[str, Any] = {"method": method, "their_epoch": best["epoch"], "note": theirs.get("note", "")}
    runs = study.runs_of(study.datasets()[0], method)
    row["epochs"] = [run.metrics["best_epoch"] for run in runs]
    for name in _FIGURES:
        row[name] = {"theirs": 100 * of_theirs[name], "ours": ours[name][0], "sd": ours[name][1]}
    for name in ("hr@10", "ndcg@10"):
        each, published = row[name], table3("amazon-beauty", method)[name]
        away = abs(each["ours"] - each["theirs"])
        each["ratio"] = each["ours"] / each["theirs"]
        each["within"] = away <= _ALLOWED * each["theirs"]
        each["within_3_sd"] = away <= 3 * (published.sd or 0.0) / published.mean * each["theirs"]
    row["same_order"] = _order({c: of_theirs[f"{c}_hr@10"] for c in COHORTS}) == _order(
        {c: ours[f"{c}_hr@10"][0] for c in COHORTS}
    )
    return row


def _order(values: Mapping[str, float]) -> list[str]:
    return sorted(values, key=lambda key: -values[key])


def _row(name: str, study: Study, method: str) -> dict[str, Any]:
    return {"ingredient": name, "method": method, "figures": _means(study, method)}


def lines(found: Mapping[str, Any]) -> list[str]:
    """The tables as Markdown."""
    told = [
        "# Parity with the reference's own runs",
        "",
        f"`python -m benchmarks.parity`, {found['epochs']} epochs looked at every {EVERY}, {found['repeats']} seeds;"
        f" {of_machine(found['machine'])} Test figures in % at the epoch with the best validation HR@10.",
        "",
        "| method | | HR@10 | NDCG@10 | head HR@10 | mid | tail | Balance | epoch |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in found["runs"]:
        theirs = " | ".join(f"{row[name]['theirs']:.{_digits(name)}f}" for name in _FIGURES)
        ours = " | ".join(
            f"{row[name]['ours']:.{_digits(name)}f} ±{row[name]['sd']:.{_digits(name)}f}" for name in _FIGURES
        )
        told.append(f"| `{row['method']}` | reference | {theirs} | {row['their_epoch']} |")
        told.append(f"| | ours | {ours} | {', '.join(map(str, row['epochs']))} |")
        ratios = [f"{row[name]['ratio']:.2f}, {_verdict(row[name])}" for name in ("hr@10", "ndcg@10")]
        order = "same order" if row["same_order"] else "another order"
        told.append(f"| | ours / reference | {ratios[0]} | {ratios[1]} | {order} | | | | |")
    if "ingredients" in found:
        told += [
            "",
            "One ingredient of `--preset reference` changed at a time:",
            "",
            "| | method | HR@10 | NDCG@10 | head HR@10 | mid | tail | Balance |",
            "|---|---|---|---|---|---|---|---|",
        ]
        for row in found["ingredients"]:
            figures = " | ".join(
                f"{row['figures'][name][0]:.{_digits(name)}f} ±{row['figures'][name][1]:.{_digits(name)}f}"
                for name in _FIGURES
            )
            told.append(f"| {row['ingredient']} | `{row['method']}` | {figures} |")
    return told


def _verdict(each: Mapping[str, Any]) -> str:
    if each["within"]:
        return f"within {100 * _ALLOWED:.0f} %"
    return "within 3 published sd" if each["within_3_sd"] else "outside"


def _digits(name: str) -> int:
    return 1 if name == "balance@10" else 2


def picture(study: Study, theirs: Mapping[str, Mapping[str, Any]]) -> Path:
    """Validation HR@10 by epoch, a panel a method: the reference's run, and ours with a band of two deviations."""
    look, rows = looks(list(theirs)), []
    dataset = study.datasets()[0]
    for method, run in theirs.items():
        curves = [
            {entry["epoch"]: entry["valid"]["hr@10"] for entry in each.log if entry.get("valid")}
            for each in study.runs_of(dataset, method)
        ]
        for epoch in sorted(set.intersection(*(set(curve) for curve in curves))):
            values = [100 * curve[epoch] for curve in curves]
            mean, sd = statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0
            ends = {"low": mean - SPREADS * sd, "high": mean + SPREADS * sd}
            rows.append({"method": method, "who": "ours", "epoch": epoch, "hr": mean} | ends)
        rows += [
            {"method": method, "who": "reference", "epoch": each["epoch"], "hr": 100 * each["valid"]["hr"]}
            for each in run["log"]
        ]
    base = alt.Chart().encode(
        x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(grid=False, values=[20, 40, 60, 80, 100])),
        color=alt.Color(
            "who:N",
            title=None,
            scale=alt.Scale(domain=["ours", "reference"], range=[look[next(iter(theirs))].colour, "#d55e00"]),
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
        .facet(facet=alt.Facet("method:N", title=None, sort=list(theirs)), columns=2)
        .resolve_scale(y="independent")
    )
    spec = {key: value for key, value in chart.to_dict().items() if key not in ("config", "$schema")}
    IMAGES.mkdir(exist_ok=True)
    return write_figure(Figure("parity", "Parity", "", spec, "more"), IMAGES)


if __name__ == "__main__":
    main()
