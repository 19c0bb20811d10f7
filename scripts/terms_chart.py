"""The waterfall of the page of terms: NDCG@10 on test, one ingredient added at a time, beside two baselines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import altair as alt

from negsample.errors import InputError
from negsample.methods import PAPER_SIX
from negsample.report.drawing import drawn
from negsample.report.palette import PAPER, looks
from scripts.study_runs import BASELINE, Figures
from scripts.terms_lines import AFTER, BOTH, CONTENDER, NO_TARGETS, REFIT, TARGETS, TRAINED, Found

START, TERMS = "random", "Terms"
WIDTH, ROW, LABELS = 460, 30, 190
ROOM = 1.45
"""How much longer an axis is than the longest bar, for the text beside it."""


class Step(NamedTuple):
    """An ingredient, by its `label`, and the figures of `method` with it and all before it."""

    label: str
    method: str
    figures: Figures

    @property
    def ndcg(self) -> float:
        """In %."""
        return 100 * float(self.figures["test_ndcg@10"])


def steps(found: Found) -> list[Step]:
    """The ingredients of a log in their order; one that was not measured is left out. Settings that come with one are
    in its label."""
    there = [each for each in TARGETS if CONTENDER in found.get((each, TRAINED), {})]
    targets = there[0] if there else TARGETS[0]
    wanted = [
        (f"{START}, as trained", START, targets, TRAINED),
        (f"+ sampler: {CONTENDER}", CONTENDER, targets, TRAINED),
        ("+ refit", CONTENDER, targets, REFIT),
        ("+ terms after training", CONTENDER, targets, AFTER),
    ]
    if "moments" in there[1:] and CONTENDER in found.get(("moments", AFTER), {}):
        targets = "moments"
        wanted.append(("+ targets by moments", CONTENDER, targets, AFTER))
    along = next((each for each in (targets, *TARGETS) if CONTENDER in found.get((each, BOTH), {})), targets)
    wanted.append(
        ("+ terms trained along" + ("" if along == targets else f", targets by {along}"), CONTENDER, along, BOTH)
    )
    taken: list[Step] = []
    for label, method, *where in wanted:
        figures = found.get((where[0], where[1]), {}).get(method)
        if figures:
            before = taken[-1].figures["settings"] if taken else figures["settings"]
            taken.append(Step(label + _changed(before, figures["settings"]), method, figures))
    return taken


def _changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = [name for name in dict.fromkeys([*before, *now]) if name not in ("refit", "targets", "terms")]
    changed = [f"{name}={now.get(name, 'default')}" for name in names if before.get(name) != now.get(name)]
    return f"\n({', '.join(changed)})" if changed else ""


def best_baseline(found: Found) -> str | None:
    """That with the highest NDCG@10 on validation, other than `Terms`."""
    of = found.get((NO_TARGETS, BASELINE), {})
    simple = [name for name in of if name != TERMS and "valid_ndcg@10" in of[name]]
    return max(simple, key=lambda name: float(of[name]["valid_ndcg@10"]), default=None)


def rows_of(found: Found) -> list[dict[str, Any]]:
    """A row a bar: the two baselines, then the steps. Each begins at 0 and is pale as far as the one before it."""
    of, best = found.get((NO_TARGETS, BASELINE), {}), best_baseline(found)
    baselines = {name: Step(label, name, of[name]) for name, label in _labels(best).items() if name in of}
    rows = [_row(each, 0.0, "baseline") for each in baselines.values()]
    before = 0.0
    for i, each in enumerate(steps(found)):
        rows.append(_row(each, before, "start" if i == 0 else "gain" if each.ndcg >= before else "loss"))
        before = each.ndcg
    return rows


def _labels(best: str | None) -> dict[str, str]:
    simple = {} if best is None else {best: f"best simple baseline: {best}"}
    return simple | {TERMS: "Terms, no model"}


def _row(step: Step, before: float, kind: str) -> dict[str, Any]:
    sd = step.figures["test_ndcg@10_sd"]
    text = f"{step.ndcg:.2f}" + ("" if sd is None else f" ±{100 * sd:.2f}")
    change = f"  ({step.ndcg - before:+.2f})".replace("-0.00", "+0.00") if kind in ("gain", "loss") else ""
    return {"label": step.label, "method": step.method, "kind": kind, "text": text + change, "value": step.ndcg} | {
        "low": min(before, step.ndcg),
        "high": max(before, step.ndcg),
    }


def waterfall(logs: Mapping[str, Found]) -> str:
    """An SVG with a panel for each log that has steps, one below the other.

    Raises:
        InputError: no log has.
    """
    panels = [_panel(log, rows_of(found)) for log, found in logs.items() if steps(found)]
    if not panels:
        raise InputError(f"a waterfall needs runs of {START} or {CONTENDER}, got none; give a study of them")
    chart = alt.vconcat(*panels, spacing=26).resolve_scale(x="independent", color="independent")
    (svg,) = drawn([chart.to_dict()], PAPER)
    if svg is None:
        raise RuntimeError("the waterfall could not be drawn")
    return svg


def _panel(log: str, rows: list[dict[str, Any]]) -> alt.LayerChart | alt.FacetChart:
    look = looks([*PAPER_SIX, CONTENDER, *(row["method"] for row in rows if row["kind"] == "baseline")])
    methods = list(dict.fromkeys(row["method"] for row in rows))
    scale = alt.Scale(domain=methods, range=[look[method].colour for method in methods])
    axis = alt.Axis(labelExpr=r"split(datum.label, '\n')", labelLimit=0, labelFontSize=12, minExtent=LABELS, grid=False)
    longest = max(row["high"] for row in rows)
    x = alt.X("low:Q").title("NDCG@10 on test, %").scale(domain=[0, ROOM * longest], nice=False).axis(tickCount=6)
    tinted = alt.Chart(alt.InlineData(values=rows)).encode(color=alt.Color("method:N", scale=scale, legend=None))
    base = tinted.encode(y=alt.Y("label:N", sort=[row["label"] for row in rows]).title(None).axis(axis))
    pale = base.transform_calculate(zero="0").mark_bar(height=16, opacity=0.22).encode(x=x, x2="zero:Q")
    solid = base.transform_filter("datum.kind != 'loss'").mark_bar(height=16).encode(x=x, x2="high:Q")
    lost = base.transform_filter("datum.kind == 'loss'").mark_bar(height=16, filled=False, strokeWidth=1.5)
    lines = tinted.transform_filter("datum.kind == 'baseline'").mark_rule(strokeDash=[4, 3]).encode(x="value:Q")
    text = base.encode(x="high:Q", text="text:N")
    halo = text.mark_text(align="left", dx=7, stroke="white", strokeWidth=4, fill="white", strokeJoin="round")
    ink = PAPER["text"]["color"]
    words = text.mark_text(align="left", dx=7).encode(color=alt.value(ink))
    layers = [pale, solid, lost.encode(x=x, x2="high:Q"), lines, halo, words]
    title = alt.TitleParams(log, anchor="start", fontSize=13)
    return alt.layer(*layers).properties(width=WIDTH, height=ROW * len(rows), title=title)
