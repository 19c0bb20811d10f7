"""How large the differences are: each method against the highest, with intervals and verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from negsample.analysis.difference import Difference
from negsample.analysis.measures import KEYS, known
from negsample.analysis.significance import Comparisons
from negsample.analysis.tables import TableRow
from negsample.report.claims import p_text
from negsample.report.formats import percent, signed
from negsample.report.significance_charts import FIGURES, KINDS
from negsample.report.table import ShownTable

_HEADINGS = (
    *("Method", "Difference, points", "95 % interval", "Relative, %", "95 % interval, %"),
    *("p of a difference", "p of equivalence", "Detectable, points", "Verdict"),
)


def effect_tables(rows: Sequence[TableRow], tests: Comparisons) -> list[ShownTable]:
    """Of each figure, every method less the one with the highest, largest first; none where nothing was tested."""
    found = []
    for figure, name in FIGURES.items():
        order = sorted((row for row in rows if row[name]), key=lambda row: -known(row, name))
        if len(order) < 2:
            continue
        best, level = order[0]["method"], order[0][name]
        pairs = [(row["method"], tests.of_table(*KEYS[name], row["method"], best)) for row in order[1:]]
        lines = [_line(method, each, level) for method, each in pairs if each is not None]
        if any(each is not None and each.p is not None for _, each in pairs):
            label = f"{figure}: each method less {best}, which has the highest ({percent(level)})"
            found.append(ShownTable(label, _HEADINGS, lines, methods=True))
    return found


def _line(method: str, each: Difference, level: float) -> tuple[str, ...]:
    apart, low, high = each.difference, each.low, each.high
    relative = "" if apart is None else signed(apart / level, 1)
    shown = ("undefined" if apart is None else signed(apart), "", relative, "")
    if low is not None and high is not None:
        ends = [f"{signed(low / by, digits)} to {signed(high / by, digits)}" for by, digits in ((1.0, 2), (level, 1))]
        shown = (shown[0], ends[0], relative, ends[1])
    seen = "" if each.detectable is None else f"{100 * each.detectable:.2g}"
    return (method, *shown, *(_p(p) for p in (each.p_holm, each.p_equivalent_holm)), seen, verdict(each))


def verdict(each: Difference) -> str:
    """In words, with why it is not tested."""
    if each.kind == "untested":
        return f"not tested: {each.untested}"
    text = KINDS[each.kind][0]
    return f"{text}, within the margin" if each.equivalent and each.significant else text


def _p(p: float | None) -> str:
    return "" if p is None else p_text(p)[2:]  # without the letter: the heading has it
