"""Charts of what a method costs: time, memory, and what reuse of mini-batches (oversampling) buys for its time."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from negsample.analysis.trainings import Cost, Oversampled
from negsample.models.baselines import is_baseline
from negsample.report import encodings as enc
from negsample.report.formats import memory, seconds, with_sd
from negsample.report.palette import Look


def oversampling_chart(found: Sequence[Oversampled], looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """NDCG@10 against training seconds, a line a method through its factors of oversampling (the paper's Figure A1).

    None where no such run was made.
    """
    if not found:
        return None
    rows = [_factor(each) for each in found]
    methods = list(dict.fromkeys(each.method for each in found))
    ys = [row["y"] for row in rows]
    tint = enc.colour(looks, methods, enc.legend_of(methods))
    x = alt.X("x:Q").title("training time, seconds").scale(zero=False, padding=26).axis(grid=False, tickCount=6)
    figures = (("ndcg", "NDCG@10"), ("hr", "HR@10"), ("time", "training"), ("runs", "runs"))
    base = enc.chart_of(rows).encode(
        x=x,
        y=alt.Y("y:Q").title("NDCG@10, %").scale(domain=enc.domain(ys, ys, 0.15), nice=False),
        opacity=enc.highlighted(1.0, 0.1),
        tooltip=enc.tooltips(("method", "method"), ("text", "oversampling"), *figures),
    )
    line = base.mark_line(strokeWidth=2).encode(order="order:Q", color=tint)
    dots = base.mark_point(filled=True, size=80).encode(color=tint, shape=enc.shape(looks, methods))
    names = base.mark_text(dy=-12).encode(text="label:N")
    return enc.sized([line.add_params(enc.CHOSEN), dots, names], 320)


def time_chart(costs: Sequence[Cost], looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """Seconds of training: a hollow mark at the epoch that was chosen, a full one at the end; means over the runs.

    Baselines are not trained and have no row. None if nothing was trained.
    """
    rows = [
        {
            "method": each.method,
            "runs": each.runs,
            "total": each.seconds,
            "total_text": seconds(each.seconds),
            "best": each.seconds_to_best,
            "best_text": "not logged" if each.seconds_to_best is None else seconds(each.seconds_to_best),
        }
        for each in costs
        if not is_baseline(each.method)
    ]
    if not rows:
        return None
    base = _by_method(rows, looks, ("best_text", "to the chosen epoch"), ("total_text", "in all"))
    x = alt.X("total:Q").title("training time, seconds").scale(domainMin=0).axis(tickCount=6)
    bar = base.mark_bar(height=4, cornerRadius=2).encode(x=x, opacity=enc.highlighted(0.55, 0.06))
    end = base.mark_point(filled=True, size=110).encode(x=x, opacity=enc.highlighted(1.0, 0.1))
    hollow = base.transform_filter("datum.best !== null").mark_point(filled=False, size=110, strokeWidth=2)
    reached = hollow.encode(x="best:Q", opacity=enc.highlighted(1.0, 0.1))
    return enc.sized([bar.add_params(enc.CHOSEN), end, reached], 30 * len(rows) + 10)


def memory_chart(costs: Sequence[Cost], looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """Peak memory of a run, the largest over a method's runs; None where no run noted it."""
    rows = [
        {"method": each.method, "peak": each.peak / 2**20, "text": memory(each.peak), "runs": each.runs}
        for each in costs
        if each.peak
    ]
    if not rows:
        return None
    x = alt.X("peak:Q").title("peak memory, MiB").scale(domainMin=0).axis(tickCount=6)
    bar = _by_method(rows, looks, ("text", "peak memory")).mark_bar(height=14, cornerRadiusEnd=2)
    return enc.sized([bar.encode(x=x, opacity=enc.highlighted(1.0, 0.1)).add_params(enc.CHOSEN)], 30 * len(rows) + 10)


def _by_method(rows: Sequence[Mapping[str, Any]], looks: Mapping[str, Look], *figures: tuple[str, str]) -> alt.Chart:
    """A row a method, one below the other."""
    methods = [str(row["method"]) for row in rows]
    return enc.chart_of(rows).encode(
        y=alt.Y("method:N", sort=methods).title(None).axis(grid=False, labelFontSize=12),
        color=enc.colour(looks, methods, legend=None),
        tooltip=enc.tooltips(("method", "method"), *figures, ("runs", "runs")),
    )


def _factor(of: Oversampled) -> dict[str, Any]:
    ndcg, hr = (
        with_sd(statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else None)
        for values in (of.ndcg, of.hr)
    )
    return {
        "method": of.method,
        "order": 2**31 if of.factor is None else of.factor,
        "label": "off" if of.factor is None else str(of.factor),
        "text": "off: new mini-batches in every epoch" if of.factor is None else f"factor {of.factor}",
        "x": of.seconds,
        "y": 100 * statistics.fmean(of.ndcg),
        "ndcg": ndcg,
        "hr": hr,
        "time": seconds(of.seconds),
        "runs": of.runs,
    }
