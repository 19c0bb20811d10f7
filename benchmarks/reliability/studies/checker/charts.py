"""The data of the charts, against what their captions and titles say of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import combinations
from typing import Any

from benchmarks.reliability.studies.checker import effects
from benchmarks.reliability.studies.checker.page import Element, charts_of
from benchmarks.reliability.studies.checker.place import Faults, Place
from benchmarks.reliability.studies.checker.raw import BASELINES, COHORTS, same
from benchmarks.reliability.studies.checker.shown import expect, shows

Rows = list[dict[str, Any]]


def check(page: Element, place: Place) -> Faults:
    """The charts of a log."""
    specs = charts_of(page)
    drawn = {each["id"] for each in page.every("div") if "chart" in each.classes}
    yield from expect("charts with a place on the page", sorted(specs), sorted(drawn))
    suffix = f"--{re.sub(r'[^A-Za-z0-9._-]+', '-', place.called)}"
    for name, spec in specs.items():
        of = CHARTS.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
        if of is not None:
            yield from (f"{name}: {fault}" for fault in of(list(layers_of(spec)), place))


def layers_of(spec: Mapping[str, Any]) -> Iterable[Rows]:
    """The rows that a chart is made from."""
    for data in spec.get("data", []):
        if data.get("values"):
            yield list(data["values"])


def rows_with(layers: list[Rows], *names: str) -> Rows:
    """The rows of the first layer that have these fields."""
    return next((rows for rows in layers if set(names) <= set(rows[0])), [])


def _frontier(layers: list[Rows], place: Place) -> Faults:
    """A point each setting of each method with a defined Balance."""
    rows = rows_with(layers, "method", "dial", "x", "y")
    expected = {}
    for method in place.methods:
        for beta in place.raw.betas(place.log, method):
            at = [place.mean(method, name, beta) for name in ("balance@10", "ndcg@10")]
            if None not in at:
                expected[method, None if method in BASELINES else beta] = at
    found = {(row["method"], None if row["dial"] is None else float(row["dial"])): [row["x"], row["y"]] for row in rows}
    yield from expect("settings that are drawn", sorted(map(str, found)), sorted(map(str, expected)))
    for key, (x, y) in found.items():
        true = expected.get(key)
        if true is not None and not (same(x, 100 * (true[0] or 0)) and same(y, 100 * (true[1] or 0))):
            yield f"{key} at {x}, {y}, by the runs {true}"


def _bars(layers: list[Rows], place: Place) -> Faults:
    """A bar each cohort with events, with one standard deviation."""
    for row in rows_with(layers, "method", "cohort", "hr"):
        beta = 0.0 if row["dial"] is None else row["dial"]
        values = place.raw.values(place.log, row["method"], f"{row['cohort']}_hr@10", beta)
        mean, sd = place.raw.mean_sd(place.log, row["method"], values)
        low, high = max(0.0, (mean or 0) - (sd or 0)), min(1.0, (mean or 0) + (sd or 0))
        if not all(same(row[name], 100 * true) for name, true in (("hr", mean or 0.0), ("low", low), ("high", high))):
            yield f"{row['method']}, {row['cohort']} at {beta}: {row}, by the runs {mean} and {sd}"
    drawn = {row["cohort"] for row in rows_with(layers, "method", "cohort", "hr")}
    there = {each for each in COHORTS if place.test[f"{each}_events"]}
    yield from expect("cohorts that are drawn", sorted(drawn), sorted(there))


def _curves(layers: list[Rows], place: Place) -> Faults:
    """The mean of the runs by epoch; a ring at each chosen epoch, where its own curve is highest."""
    runs = [run for run in place.runs() if run.log]
    values: dict[tuple[str, int], list[float]] = {}
    for run in runs:
        for line in run.log:
            if line["valid"]["hr@10"] is not None:
                values.setdefault((run.method, line["epoch"]), []).append(line["valid"]["hr@10"])
    rows = rows_with(layers, "method", "epoch", "hr")
    shown = {(row["method"], row["epoch"]): row["hr"] for row in rows}
    yield from expect("epochs that are drawn", sorted(shown), sorted(values))
    for key, some in values.items():
        if key in shown and not same(shown[key], 100 * sum(some) / len(some)):
            yield f"{key}: {shown[key]}, by the runs {some}"
    for run in runs:
        curve = {line["epoch"]: line["valid"]["hr@10"] for line in run.log if line["valid"]["hr@10"] is not None}
        best = run.metrics["best_epoch"]
        if curve and curve[best] < max(curve.values()):
            yield f"{run.folder.name} was measured at epoch {best}, its curve is highest elsewhere"


def _windows(layers: list[Rows], place: Place) -> Faults:
    """NDCG@10 of each window."""
    for row in rows_with(layers, "method", "fold", "y"):
        name = place.raw.logs[place.log][row["fold"] - 1]
        values = [run.metrics["test"]["ndcg@10"] for run in place.runs(row["method"]) if run.fold == name]
        if not same(row["y"], 100 * sum(values) / len(values)):
            yield f"{row['method']} in window {row['fold']}: {row['y']}, by the runs {values}"


def _ages(layers: list[Rows], place: Place) -> Faults:
    """Points over time, the same for all methods, whose mean by events is that of the table."""
    rows = rows_with(layers, "method", "days", "y", "events")
    yield from expect("methods that are drawn", sorted({row["method"] for row in rows}), sorted(place.methods))
    for name in place.methods:
        own = [row for row in rows if row["method"] == name]
        days, events = [row["days"] for row in own], [row["events"] for row in own]
        yield from expect(f"{name}: events", sum(events), place.test["events"])
        yield from expect(f"{name}: in the order of time", days, sorted(days))
        mean = sum(row["y"] * row["events"] for row in own) / max(sum(events), 1)
        if not same(mean, 100 * (place.mean(name, "ndcg@10") or 0.0)):
            yield f"{name}: {mean} over all points, by the runs {place.mean(name, 'ndcg@10')}"


def _times(layers: list[Rows], place: Place) -> Faults:
    """Seconds to the end and to the chosen epoch; of trained methods alone."""
    rows = rows_with(layers, "method", "total", "best")
    yield from expect("methods", [row["method"] for row in rows], place.trained)
    for row in rows:
        runs = place.runs(row["method"])
        total = sum(run.metrics["train_seconds"] for run in runs) / len(runs)
        best = sum(run.log[run.metrics["best_epoch"] - 1]["seconds"] for run in runs) / len(runs)
        if not (same(row["total"], total) and same(row["best"], best)):
            yield f"{row['method']}: {row['total']} and {row['best']} s, by the runs {total} and {best}"


def _memory(layers: list[Rows], place: Place) -> Faults:
    """The largest peak of the runs of a method."""
    for row in rows_with(layers, "method", "peak"):
        peak = max(run.metrics["peak_memory_bytes"] for run in place.runs(row["method"]))
        if not same(row["peak"], peak / 2**20):
            yield f"{row['method']}: {row['peak']} MiB, by the runs {peak}"


def _pairs(layers: list[Rows], place: Place) -> Faults:
    """Every pair of methods: its difference, its verdict, its p."""
    for row in rows_with(layers, "figure", "method", "other", "verdict"):
        found = place.compared.of_table(*effects.KEYS[row["figure"]], row["method"], row["other"])
        if found is None:
            yield f"{row['method']} less {row['other']} was not compared"
            continue
        text = row["text"].removesuffix("≈").replace("−", "-").replace("+", "")
        if not shows(text, found.difference, 100):
            yield f"{row}: by the runs {found.difference}"
        yield from expect("verdict", row["verdict"], found.kind)
        yield from expect("within the margin", row["text"].endswith("≈"), found.equivalent)


def _groups(layers: list[Rows], place: Place) -> Faults:
    """Methods at their NDCG@10; two are on a bar in common where their test is not significant, and else not."""
    marks = {row["method"]: row["x"] for row in rows_with(layers, "method", "x", "label")}
    for name, x in marks.items():
        if not same(x, 100 * (place.mean(name, "ndcg@10") or 0.0)):
            yield f"{name} at {x}"
    bars: dict[float, set[str]] = {}
    for row in (row for rows in layers for row in rows if set(row) == {"method", "x", "level"}):
        bars.setdefault(row["level"], set()).add(row["method"])
    for a, b in combinations(marks, 2):
        found = place.compared.of_table("ndcg@10", "all", a, b)
        together = any({a, b} <= bar for bar in bars.values())
        true = found is not None and found.p is not None and not found.significant
        yield from expect(f"{a} and {b} on a bar", together, true)
        yield from expect(f"{a} and {b} tested", found is not None and found.p is not None, True)


def _search(layers: list[Rows], place: Place) -> Faults:
    """What would be taken after so many trials: the complete one with the highest HR@10."""
    searches = {
        each["method"]: each["trials"] for each in place.raw.tunings if each["dataset"] in place.raw.logs[place.log]
    }
    rows = rows_with(layers, "method", "trials", "y")
    yield from expect("methods that are drawn", sorted({row["method"] for row in rows}), sorted(searches))
    for row in rows:
        tried = [each for each in searches[row["method"]][: row["trials"]] if each["state"] == "complete"]
        best = max(tried, key=lambda each: (each["value"], each["ndcg"]))
        if not same(row["y"], 100 * best["ndcg"]):
            yield f"{row['method']} after {row['trials']} trials: {row['y']}, by its trials {best['ndcg']}"
    for name, trials in searches.items():
        yield from expect(f"{name}: ends at", max(row["trials"] for row in rows if row["method"] == name), len(trials))


CHARTS: Mapping[str, Callable[[list[Rows], Place], Faults]] = {
    "frontier": _frontier,
    "cohort-bars": _bars,
    "training-curves": _curves,
    "by-window": _windows,
    "by-age": _ages,
    "search": _search,
    "training-time": _times,
    "peak-memory": _memory,
    "significance": _pairs,
    "critical-difference": _groups,
}
"""By the beginning of a chart's name."""
