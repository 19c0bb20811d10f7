"""How validation answers to each setting that was tuned (the paper's Figure 5)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from negsample.report.encodings import CHOSEN, chart_of, colour, highlighted, legend_of, sized, tooltips
from negsample.report.formats import percent, seconds, value_text
from negsample.report.palette import Look
from negsample.runs.tunings import Trial, TuningSummary, in_order

RATE = "learning_rate"
_OTHERS = ("kept_hardest", "batch_size")
_FEW = 14  # values that stand side by side on an axis of names
_BINS_A_DECADE = 3
_MOSTLY = 0.6  # share of the trials with a value of their own from which on values are gathered for the line


def responses(tunings: Sequence[TuningSummary]) -> list[str]:
    """The settings that have a chart: varied by somebody, the learning rate first, then the numbers of negatives."""
    varied = {name for tuning in tunings for name in tuning.searched()}
    negatives = sorted(name for name in varied if name.endswith("_negatives"))
    return [name for name in (RATE, *negatives, *_OTHERS) if name in varied]


def response_chart(tunings: Sequence[TuningSummary], name: str, looks: Mapping[str, Look]) -> alt.LayerChart | None:
    """Validation NDCG@10 of each trial against the setting ``name``: a point a trial, hollow where it was pruned.

    It is that of the epoch with the best HR@10, by which trials are chosen.

    A line runs through the best complete trial at each value; of values that are nearly all distinct, through the
    best of each third of a decade. None if no trial of a method that varied it has a value.
    """
    varied = [tuning for tuning in tunings if name in tuning.searched()]
    rows = [row for tuning in varied for row in _rows(tuning, name)]
    if not rows:
        return None
    values = sorted({row["value"] for row in rows}, key=in_order)
    grid = len(values) <= _FEW and len(rows) >= 2 * len(values)
    named = any(isinstance(value, str | bool) for value in values) or (name != RATE and grid)
    tried = len({(row["method"], row["value"]) for row in rows})
    for row in rows:
        row["x"] = str(row["value"]) if named else row["value"]
    best = [row for tuning in varied for row in _best(rows, tuning, thin=not named and tried > _MOSTLY * len(rows))]
    methods = [tuning.method for tuning in varied]
    title = name.replace("_", " ")
    if named:
        x = alt.X(
            "x:N",
            sort=[str(value) for value in values],
            title=title,
            axis=alt.Axis(labelAngle=0, labelOverlap=True),
        )
    else:
        axis = alt.Axis(format="~g", labelOverlap=True, grid=False)
        x = alt.X(
            "x:Q",
            title=title,
            scale=alt.Scale(type="log" if min(values) > 0 else "symlog", nice=False, padding=12),
            axis=axis,
        )
    y = alt.Y("ndcg:Q", title="validation NDCG@10, %", scale=alt.Scale(zero=False, padding=10))
    tint = colour(looks, methods, legend_of(methods, "circle"))
    told = tooltips(
        ("method", "method"),
        ("told", title),
        ("text", "validation NDCG@10"),
        ("hr", "validation HR@10"),
        ("trial", "trial"),
        ("trained", "trained"),
        ("others", "with"),
    )

    def layer(rows: Sequence[Mapping[str, Any]]) -> alt.Chart:
        return chart_of(rows).encode(x=x, y=y, color=tint)

    line = layer(best).mark_line(strokeWidth=2).encode(opacity=highlighted(0.75, 0.06))
    kinds: list[tuple[list[dict[str, Any]], dict[str, Any]]] = [
        ([row for row in rows if row["state"] == "complete"], {"filled": True, "size": 46}),
        ([row for row in rows if row["state"] == "pruned"], {"filled": False, "size": 42, "strokeWidth": 1.5}),
        ([row for row in rows if row["taken"]], {"filled": False, "size": 190, "strokeWidth": 1.8}),
    ]
    points = [
        layer(some).mark_point(**look).encode(opacity=highlighted(1.0, 0.08), tooltip=told)
        for some, look in kinds
        if some  # a layer without a row has no extent
    ]
    first, *others = [line, *points] if best else points
    return sized([first.add_params(CHOSEN), *others], 300)


def _rows(tuning: TuningSummary, name: str) -> list[dict[str, Any]]:
    taken = None if tuning.best is None else tuning.best.number
    return [
        {
            "method": tuning.method,
            "value": trial.params[name],
            "ndcg": 100 * trial.ndcg,
            "hr": percent(trial.value),
            "state": trial.state,
            "taken": trial.number == taken,
            "told": value_text(trial.params[name]),
            "text": percent(trial.ndcg),
            "trial": f"{trial.number}, {trial.state}" + (", chosen" if trial.number == taken else ""),
            "trained": _trained(trial),
            "others": ", ".join(f"{key} {value_text(value)}" for key, value in trial.params.items() if key != name),
        }
        for trial in tuning.trials
        if trial.ndcg is not None and trial.state != "failed" and trial.params.get(name) is not None
    ]


def _best(rows: Sequence[dict[str, Any]], tuning: TuningSummary, thin: bool) -> list[dict[str, Any]]:
    best: dict[Any, dict[str, Any]] = {}
    for row in rows:
        if row["method"] != tuning.method or row["state"] != "complete":
            continue
        key = math.floor(_BINS_A_DECADE * math.log10(row["value"])) if thin and row["value"] > 0 else row["value"]
        if key not in best or row["ndcg"] > best[key]["ndcg"]:
            best[key] = row
    return sorted(best.values(), key=lambda row: in_order(row["value"]))


def _trained(trial: Trial) -> str:
    return f"{trial.epochs} {'epoch' if trial.epochs == 1 else 'epochs'}, {seconds(trial.seconds)}"
