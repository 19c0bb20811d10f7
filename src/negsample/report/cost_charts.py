"""What a method costs: time and memory, and what reuse of mini-batches (oversampling) buys for its time."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from negsample.analysis.reading import POPULAR, Study
from negsample.report.encodings import CHOSEN, colour, domain, highlighted, legend_of, shape, sized
from negsample.report.formats import memory, seconds, spread
from negsample.report.palette import Look
from negsample.runs.folder import Run


def oversampling_chart(study: Study, dataset: str, looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """The paper's Figure A1: NDCG@10 against training seconds, a line a method through its factors of oversampling.

    Means over the runs of each factor; the study's own runs stand for theirs where nothing else differs.
    None where no such run was made.
    """
    groups = _by_factor(study, dataset)
    if not groups:
        return None
    found = [_factor_row(method, factor, runs) for (method, factor), runs in groups.items()]
    rows = sorted((row for row in found if row is not None), key=lambda row: float(row["order"]))
    if not rows:
        return None
    methods = [method for method in study.about["methods"] if method in {row["method"] for row in rows}]
    ys = [row["y"] for row in rows]
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        x=alt.X(
            "x:Q",
            title="training time, seconds",
            scale=alt.Scale(zero=False, padding=26),
            axis=alt.Axis(grid=False, tickCount=6),
        ),
        y=alt.Y("y:Q", title="NDCG@10, %", scale=alt.Scale(domain=domain(ys, ys, 0.15), nice=False)),
        opacity=highlighted(1.0, 0.1),
        tooltip=[
            alt.Tooltip(f"{field}:N", title=title)
            for field, title in (
                ("method", "method"),
                ("told", "oversampling"),
                ("ndcg", "NDCG@10"),
                ("hr", "HR@10"),
                ("time", "training"),
                ("runs", "runs"),
            )
        ],
    )
    tint = colour(looks, methods, legend_of(methods))
    line = base.mark_line(strokeWidth=2).encode(order="order:Q", color=tint)
    dots = base.mark_point(filled=True, size=80).encode(color=tint, shape=shape(looks, methods))
    names = base.mark_text(dy=-12).encode(text="label:N")
    return sized([line.add_params(CHOSEN), dots, names], 320)


def time_chart(study: Study, dataset: str, looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """Seconds of training: a hollow mark at the epoch that was chosen, a full one at the end; means over the runs.

    PopRec is not trained and has no row. None if nothing was trained.
    """
    rows = []
    for method in (each for each in study.methods_of(dataset) if each != POPULAR):
        runs = study.runs_of(dataset, method)
        total = statistics.fmean(run.metrics["train_seconds"] for run in runs)
        found = [value for run in runs if (value := seconds_to_best(run)) is not None]
        best = statistics.fmean(found) if len(found) == len(runs) else None
        row = {"method": method, "total": total, "total_told": seconds(total), "runs": len(runs)}
        rows.append(row | {"best": best, "best_told": "not logged" if best is None else seconds(best)})
    if not rows:
        return None
    methods = [str(row["method"]) for row in rows]
    told = [("method", "method"), ("best_told", "to the chosen epoch"), ("total_told", "in all"), ("runs", "runs")]
    base = _ladder(rows, methods, told, looks)
    x = alt.X("total:Q", title="training time, seconds", scale=alt.Scale(domainMin=0), axis=alt.Axis(tickCount=6))
    bar = base.mark_bar(height=4, cornerRadius=2).encode(x=x, opacity=highlighted(0.55, 0.06))
    end = base.mark_point(filled=True, size=110).encode(x=x, opacity=highlighted(1.0, 0.1))
    reached = (
        base.transform_filter("datum.best !== null")
        .mark_point(filled=False, size=110, strokeWidth=2)
        .encode(x="best:Q", opacity=highlighted(1.0, 0.1))
    )
    return sized([bar.add_params(CHOSEN), end, reached], 30 * len(rows) + 10)


def memory_chart(study: Study, dataset: str, looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """Peak memory of a run, the largest over a method's runs; None where no run noted it."""
    rows = []
    for method in study.methods_of(dataset):
        peaks = [value for run in study.runs_of(dataset, method) if (value := run.metrics.get("peak_memory_bytes"))]
        if peaks:
            rows.append({"method": method, "peak": max(peaks) / 2**20, "told": memory(max(peaks)), "runs": len(peaks)})
    if not rows:
        return None
    methods = [str(row["method"]) for row in rows]
    base = _ladder(rows, methods, [("method", "method"), ("told", "peak memory"), ("runs", "runs")], looks)
    x = alt.X("peak:Q", title="peak memory, MiB", scale=alt.Scale(domainMin=0), axis=alt.Axis(tickCount=6))
    bar = base.mark_bar(height=14, cornerRadiusEnd=2).encode(x=x, opacity=highlighted(1.0, 0.1))
    return sized([bar.add_params(CHOSEN)], 30 * len(rows) + 10)


def seconds_to_best(run: Run) -> float | None:
    """Seconds of training until the epoch whose weights were kept; None where the log does not say."""
    best = run.metrics["best_epoch"]
    return next((float(entry["seconds"]) for entry in run.log if entry["epoch"] == best), None)


def _ladder(
    rows: Sequence[Mapping[str, Any]],
    methods: Sequence[str],
    told: Sequence[tuple[str, str]],
    looks: Mapping[str, Look],
) -> alt.Chart:
    """A row a method, one below the other."""
    return alt.Chart(alt.InlineData(values=list(rows))).encode(
        y=alt.Y("method:N", sort=list(methods), title=None, axis=alt.Axis(grid=False, labelFontSize=12)),
        color=colour(looks, methods, legend=None),
        tooltip=[alt.Tooltip(f"{field}:N", title=title) for field, title in told],
    )


def _by_factor(study: Study, dataset: str) -> dict[tuple[str, int | None], list[Run]]:
    """The runs of each method at each factor, of the seeds that all its factors have: else a mean of many runs would
    stand beside single ones."""
    found: dict[tuple[str, int | None], list[Run]] = {}
    beside = [run for run in study.oversampling if run.config["dataset"] == dataset]
    for method in dict.fromkeys(run.config["method"] for run in beside):
        peers = [run for run in beside if run.config["method"] == method]
        groups: dict[int | None, list[Run]] = {}
        for run in peers:
            groups.setdefault(_factor(run), []).append(run)
        seeds = set.intersection(*({_seed(run) for run in some} for some in groups.values()))
        own = [run for run in study.runs_of(dataset, method) if _seed(run) in seeds]
        whole = bool(own) and {_seed(run) for run in own} == seeds
        if whole and _factor(own[0]) not in groups and _otherwise(own[0]) == _otherwise(peers[0]):
            groups[_factor(own[0])] = own
        for factor, some in groups.items():
            found[method, factor] = [run for run in some if _seed(run) in seeds]
    return {key: some for key, some in found.items() if some}


def _seed(run: Run) -> int:
    return int(run.config["seed"])


def _factor(run: Run) -> int | None:
    value: int | None = run.config["settings"].get("oversampling_factor")
    return value


def _otherwise(run: Run) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a run was made with, but for its factor."""
    settings = {key: value for key, value in run.config["settings"].items() if key != "oversampling_factor"}
    return settings, run.config["negatives"]


def _factor_row(method: str, factor: int | None, runs: Sequence[Run]) -> dict[str, Any] | None:
    figures = {
        name: [value for run in runs if (value := run.metrics["test"].get(name)) is not None]
        for name in ("ndcg@10", "hr@10")
    }
    if not all(figures.values()):
        return None
    time = statistics.fmean(run.metrics["train_seconds"] for run in runs)

    def told(name: str) -> str:
        values = figures[name]
        return spread(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)

    return {
        "method": method,
        "order": 2**31 if factor is None else factor,
        "label": "off" if factor is None else str(factor),
        "told": "off: new mini-batches in every epoch" if factor is None else f"factor {factor}",
        "x": time,
        "y": 100 * statistics.fmean(figures["ndcg@10"]),
        "ndcg": told("ndcg@10"),
        "hr": told("hr@10"),
        "time": seconds(time),
        "runs": len(runs),
    }
