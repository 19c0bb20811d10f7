"""The frontier: what each method reaches over all settings of the dial, and where it is not dominated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from negsample.analysis.frontier import FLOORS, Reach, Standing, leading
from negsample.analysis.measures import COHORTS
from negsample.analysis.resampling import interval
from negsample.analysis.tables import TableRow
from negsample.models.baselines import is_baseline
from negsample.report import encodings as enc
from negsample.report.formats import percent
from negsample.report.palette import Look
from negsample.report.placing import Label, Placing

_THIN = 3  # every so many floors of a band are drawn
_HEIGHT = 420
_FAINT, _OUT = 0.3, 0.06  # opacity of what is dominated, and of what is not highlighted where something is


def frontier_chart(
    found: Sequence[Reach], standings: Sequence[Standing], rows: Sequence[TableRow], looks: Mapping[str, Look]
) -> alt.LayerChart | None:
    """NDCG@10 against Balance@10: a faint curve a method over the settings of the dial, the one that is shown marked.

    Strong, with its name, where no method has a higher NDCG@10 with at least that Balance. The band of a method that
    is so anywhere is the 90 % interval, over resampled users and seeds, of the highest NDCG@10 with at least that
    Balance. Other names stand where they fit. ``rows``: the rows of one dataset at each setting. None if no method has
    a Balance.
    """
    strong = [
        {"method": each.method, "x": 100 * at, "y": 100 * level, "stretch": number}
        for each, standing in zip(found, standings, strict=True)
        for number, stretch in enumerate(leading(each, standing))
        for at, level in stretch
    ]
    ahead = {str(row["method"]) for row in strong}
    points = [_point(row, ahead) for row in rows if None not in (row["balance@10"], row["ndcg@10"])]
    if not points:
        return None
    bands = [row for each in found for row in _band(each, ahead)]
    x_domain = enc.domain([row["x"] for row in points], [row["x"] for row in points], 0.06)
    y_high = 1.06 * max([row["y"] for row in points] + [row["high"] for row in bands if row["ahead"]])
    methods = list(dict.fromkeys(row["method"] for row in points))
    x = alt.X("x:Q").title("Balance@10, %").scale(domain=x_domain, nice=False, zero=False).axis(tickCount=8)
    y = alt.Y("y:Q").title("NDCG@10, %").scale(domain=(0, y_high), nice=False)
    tint = enc.colour(looks, methods, legend=None)
    totals = [(name.lower(), f"{name}@10") for name in ("NDCG", "HR", "Balance")]
    cohorts = [(cohort, f"{cohort} HR@10") for cohort in COHORTS]
    hints = enc.tooltips(("method", "method"), ("dial", "dial"), *totals, *cohorts)
    base = enc.chart_of(points).encode(x=x, y=y, color=tint, opacity=_faint("false"))
    line = base.mark_line(strokeWidth=1.5).encode(order="dial:Q", strokeDash=enc.dash(looks, methods, legend=False))
    dots = base.mark_point(filled=True, size=20).encode(tooltip=hints)
    shown = enc.at_the_dial(points).encode(x=x, y=y, color=tint, opacity=_faint("datum.ahead"), tooltip=hints)
    here = shown.mark_point(filled=True, size=120).encode(shape=enc.shape(looks, methods, legend=False))
    placing = Placing(x_domain, (0.0, y_high), _HEIGHT)
    names, rest = _names(strong, placing), _others(points, placing)
    layers = [_bands(bands, x, tint)] if bands else []
    layers += [line, dots, here.add_params(enc.CHOSEN, enc.DIAL)]
    if rest:
        others = enc.at_the_dial(rest).mark_text(fontSize=11)
        layers.append(others.encode(x=x, y=y, text="label:N", opacity=_faint("false", 0.75)))
    if strong:
        opacity = enc.highlighted(1.0, _OUT)
        lead = enc.chart_of(strong).mark_line(strokeWidth=4, strokeCap="round", strokeJoin="round")
        layers.append(lead.encode(x=x, y=y, color=tint, detail="stretch:N", order="x:Q", opacity=opacity))
        texts = enc.chart_of([each._asdict() for each in names]).mark_text(fontSize=12, fontWeight=600)
        layers.append(texts.encode(x=x, y=y, text="method:N", opacity=opacity))
    return enc.sized(layers, _HEIGHT)


def _faint(strong: str, faint: float = _FAINT) -> alt.OpacityValue:
    """Opacity of what is dominated, and not ``strong``, unless it is highlighted."""
    return enc.opacity(faint, (enc.PICKED, 1.0), ("length(chosen)", _OUT), (strong, 1.0))


def _bands(rows: Sequence[Mapping[str, Any]], x: alt.X, tint: alt.Color) -> alt.Chart:
    shade = enc.opacity(0.08, (enc.PICKED, 0.12), ("length(chosen) || !datum.ahead", 0.0))
    chart: alt.Chart = enc.chart_of(rows).mark_area()
    return chart.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=tint, opacity=shade)


def _names(strong: Sequence[Mapping[str, Any]], placing: Placing) -> list[Label]:
    """A name for each method that is ahead, over the middle of its longest stretch."""
    found = []
    for method in dict.fromkeys(row["method"] for row in strong):
        stretches: dict[int, list[Mapping[str, Any]]] = {}
        for row in (row for row in strong if row["method"] == method):
            stretches.setdefault(row["stretch"], []).append(row)
        longest = max(stretches.values(), key=lambda some: float(some[-1]["x"] - some[0]["x"]))
        middle = longest[len(longest) // 2]
        found.append(placing.placed(method, middle["x"], middle["y"], must=True))
    return [each for each in found if each is not None]


def _others(points: Sequence[Mapping[str, Any]], placing: Placing) -> list[dict[str, Any]]:
    """The names of the other methods at each setting of the dial, where there is room."""
    rows = []
    dials = sorted({row["dial"] for row in points if row["dial"] is not None}) or [0.0]
    rest = [row for row in points if not row["ahead"]]
    for dial in dials:
        free = placing.copy()
        for row in (row for row in rest if row["dial"] in (None, dial)):
            if label := free.placed(row["method"], row["x"], row["y"]):
                rows.append({"method": row["method"], "dial": dial, "x": label.x, "y": label.y, "label": row["method"]})
    return rows


def _point(row: TableRow, ahead: set[str]) -> dict[str, Any]:
    return {
        "method": row["method"],
        "dial": row["dial"],
        "ahead": row["method"] in ahead,
        "x": 100 * row["balance@10"],
        "y": 100 * row["ndcg@10"],
        "ndcg": percent(row["ndcg@10"]),
        "hr": percent(row["hr@10"]),
        "balance": percent(row["balance@10"], 1),
        **{cohort: percent(row[f"{cohort}_hr@10"]) for cohort in COHORTS},
    }


def _band(reach: Reach, ahead: set[str]) -> list[dict[str, Any]]:
    """Where the curve runs: from its lowest Balance to its highest."""
    if is_baseline(reach.method) or len(reach.betas) < 2 or np.isnan(reach.balance_G).all():
        return []
    low, high = interval(reach.resampled())
    inside = (np.nanmin(reach.balance_G) <= FLOORS) & (np.nanmax(reach.balance_G) >= FLOORS)
    floors, lows, highs = (np.round(100 * ends[inside][::_THIN], 4) for ends in (FLOORS, low, high))
    return [
        {"method": reach.method, "x": floor, "low": down, "high": up, "ahead": reach.method in ahead}
        for floor, down, up in zip(floors.tolist(), lows.tolist(), highs.tolist(), strict=True)
    ]
