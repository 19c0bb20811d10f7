"""Charts of the tests: every pair of methods, and the groups without a significant difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt

from negsample.analysis.advice import Advice
from negsample.analysis.difference import Difference
from negsample.analysis.groups import fully_tested, joined
from negsample.analysis.measures import ACCURACY, BALANCE, KEYS, TAIL, Key
from negsample.analysis.significance import Comparisons
from negsample.analysis.tables import TableRow
from negsample.models.baselines import is_baseline
from negsample.report import encodings as enc
from negsample.report.claims import p_text
from negsample.report.formats import signed
from negsample.report.palette import GROUND, Look
from negsample.report.table import ranked

FIGURES = {"NDCG@10": ACCURACY, "tail HR@10": TAIL, "Balance@10": BALANCE}
KINDS = {  # in words, with colour and strength of the shade
    "better": ("significantly higher", "#0072b2", 0.5),
    "worse": ("significantly lower", "#d55e00", 0.5),
    "equivalent": ("practically equivalent", "#009e73", 0.4),
    "undecided": ("undecided", "#858585", 0.16),
    "untested": ("not tested", GROUND, 0.0),
}
_ROW, _BAR, _AIR = 21, 10, 12  # pixels: of a label, of a bar, and between them
_CELL = 36  # pixels that a number needs; in a narrower cell stands its sign


def matrix(rows: Sequence[TableRow], tests: Comparisons) -> alt.LayerChart | None:
    """The difference of every pair of methods, the one in the row less the one in the column, shaded by its verdict.

    A parameter says of which figure: one of FIGURES. The highest NDCG@10 stands first. None with fewer than two methods
    or where nothing was compared.
    """
    order = [row["method"] for row in ranked(rows)]
    cells = [
        _cell(figure, a, b, each)
        for figure, name in FIGURES.items()
        for a in order
        for b in order
        if a != b and (each := tests.of_table(*KEYS[name], a, b)) and each.difference is not None
    ]
    if not cells:
        return None
    words, colours = [words for words, _, _ in KINDS.values()], [colour for _, colour, _ in KINDS.values()]
    measure = alt.param(
        name="measure", value=next(iter(FIGURES)), bind=alt.binding_select(options=list(FIGURES), name="Figure ")
    )
    clear = f"!length(chosen) || {enc.PICKED} || indexof(chosen, datum.other) >= 0"
    hints = enc.tooltips(
        *(("method", "row"), ("other", "column"), ("text", "row less column, points"), ("range", "95 % interval")),
        *(("verdict", "verdict"), ("p", "adjusted"), ("margin", "margin, points")),
    )
    base = (
        enc.chart_of(cells)
        .transform_filter("datum.figure === measure")
        .encode(
            x=alt.X("other:N", sort=order).title("less the method in the column").axis(orient="top", labelAngle=-45),
            y=alt.Y("method:N", sort=order).title(None).axis(grid=False, labelFontSize=12),
            opacity=enc.opacity(0.15, (clear, 1.0)),
            tooltip=hints,
        )
    )
    legend = alt.Legend(orient="bottom", title=None, symbolType="square", columns=enc.columns(150), symbolOpacity=0.6)
    boxes = base.mark_rect(stroke=GROUND, strokeWidth=1).encode(
        color=alt.Color("verdict:N", scale=alt.Scale(domain=words, range=colours), legend=legend),
        fillOpacity=alt.FillOpacity("shade:Q", scale=None, legend=None),
    )
    shown = f"width >= {_CELL * len(order)} ? datum.text : datum.sign"
    texts = base.transform_calculate(shown=shown).mark_text(fontSize=10).encode(text="shown:N")
    return enc.sized([boxes.add_params(enc.CHOSEN, measure), texts], 23 * len(order))


def _cell(figure: str, a: str, b: str, each: Difference) -> dict[str, Any]:
    inside = "≈" if each.equivalent else ""
    apart = each.difference or 0.0
    sign = {"better": "+", "worse": "−", "equivalent": "≈", "undecided": "·", "untested": ""}[each.kind]
    return {
        **{"figure": figure, "method": a, "other": b, "sign": sign, "text": signed(apart) + inside},
        "range": "" if each.low is None or each.high is None else f"{signed(each.low)} to {signed(each.high)}",
        **{"verdict": KINDS[each.kind][0], "shade": KINDS[each.kind][2]},
        "p": each.untested if each.p_holm is None else p_text(each.p_holm),
        "margin": "" if each.margin is None else f"±{100 * each.margin:.2f}",
    }


def critical_difference(
    rows: Sequence[TableRow], advice: Advice, tests: Comparisons, looks: Mapping[str, Look]
) -> alt.LayerChart | None:
    """The methods, and the best baseline, on the line of their NDCG@10; a bar joins those without a significant
    difference, with a dot at each that belongs to it.

    Who was not tested against all others is left out. None with fewer than two.
    """
    rules = [] if advice.baseline is None else [advice.baseline["method"]]
    reached = {row["method"]: row[ACCURACY] for row in rows if row[ACCURACY] is not None}
    names = [name for name in reached if not is_baseline(name) or name in rules]
    return on_a_line({name: reached[name] for name in names}, tests, KEYS[ACCURACY], looks, "NDCG@10, %")


def on_a_line(
    reached: Mapping[str, float], tests: Comparisons, key: Key, looks: Mapping[str, Look], title: str
) -> alt.LayerChart | None:
    """The same of any figure that methods have ``reached``; ``title``: of the line, in %."""
    left = sorted(fully_tested(tests, key, list(reached)), key=lambda name: reached[name])
    if len(left) < 2:
        return None
    groups = joined(tests, key, left)
    deep = _AIR + _BAR * len(groups)
    half = len(left) // 2
    marks: list[dict[str, Any]] = []
    for number, name in enumerate(left):
        level = deep + _ROW * (number + 1 if number < half else len(left) - number)
        words = {"label": f"{name} {100 * reached[name]:.2f}", "text": f"{100 * reached[name]:.2f}", "top": 0}
        marks.append({"method": name, "x": 100 * reached[name], "level": level, **words})
    bars = [
        {"low": 100 * reached[group[0]], "high": 100 * reached[group[-1]], "level": _AIR + _BAR * at, "of": len(group)}
        for at, group in enumerate(groups)
    ]
    dots = [
        {"method": name, "x": 100 * reached[name], "level": _AIR + _BAR * at}
        for at, group in enumerate(groups)
        for name in group
    ]
    height = deep + _ROW * (len(left) - half) + _AIR
    ends = [mark["x"] for mark in marks]
    x_scale = alt.Scale(domain=enc.domain(ends, ends, 0.2), nice=False, zero=False)
    axis = alt.Axis(orient="top", grid=False, domain=True, tickCount=6)
    x, low = (alt.X(f"{name}:Q").title(title).scale(x_scale).axis(axis) for name in ("x", "low"))
    y, top = (
        alt.Y(f"{name}:Q").scale(domain=(0, height), reverse=True, nice=False).axis(None) for name in ("level", "top")
    )
    opacity, tint = enc.highlighted(1.0, 0.12), enc.colour(looks, left, legend=None)
    hints = enc.tooltips(("method", "method"), ("text", title))
    base = enc.chart_of(marks).encode(y=y, color=tint, opacity=opacity, tooltip=hints)
    left_half, right_half = (enc.chart_of(some) for some in (marks[:half], marks[half:]))
    drops = base.mark_rule(strokeWidth=1.5).encode(x=x, y=top, y2="level:Q")
    heads = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=x, y=alt.value(0), shape=enc.shape(looks, left, False)
    )
    layers = [drops, heads]
    sides: list[tuple[Any, Any, Any]] = [(left_half, alt.value(0), "left"), (right_half, alt.value("width"), "right")]
    for side, edge, align in sides:
        own = side.encode(y=y, opacity=opacity, tooltip=hints)
        layers.append(own.mark_rule(strokeWidth=1.5).encode(x=x, x2=edge, color=tint))
        layers.append(own.mark_text(align=align, baseline="bottom", dy=-3, fontSize=12).encode(x=edge, text="label:N"))
    if bars:
        over = enc.chart_of(bars).mark_rule(strokeWidth=3).encode(y=y, x=low, x2="high:Q")
        layers += [over, enc.chart_of(dots).mark_point(filled=True, size=34, opacity=1).encode(x=x, y=y, color=tint)]
    first, *others = layers
    return enc.sized([first.add_params(enc.CHOSEN), *others], height)
