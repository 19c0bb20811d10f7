"""The charts of several logs and studies: their data, against what is found again."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

from benchmarks.reliability.studies.checker.charts import layers_of, rows_with
from benchmarks.reliability.studies.checker.compared import Compared
from benchmarks.reliability.studies.checker.page import Element, charts_of
from benchmarks.reliability.studies.checker.place import Faults
from benchmarks.reliability.studies.checker.raw import BASELINES, same
from benchmarks.reliability.studies.checker.shown import expect
from benchmarks.reliability.studies.checker.together import Together

_RULE = "the best rule of each log"


def over_logs(page: Element, one: Together) -> Faults:
    """The line of mean shares with its bars, and the effects on each log."""
    specs = charts_of(page)
    if "over-logs" in specs:
        layers = list(layers_of(specs["over-logs"]))
        yield from (f"over-logs: {fault}" for fault in _line(layers, one))
    if "effects-by-log" in specs:
        layers = list(layers_of(specs["effects-by-log"]))
        yield from (f"effects-by-log: {fault}" for fault in _effects(layers, one))


def _line(layers: list[list[dict[str, object]]], one: Together) -> Faults:
    marks = {str(row["method"]): float(str(row["x"])) for row in rows_with(layers, "method", "x", "label")}
    for name, x in marks.items():
        if not same(x, 100 * one.share(name)):
            yield f"{name} at {x}, by the runs {100 * one.share(name)}"
    bars: dict[object, set[object]] = {}
    for row in (row for rows in layers for row in rows if set(row) == {"method", "x", "level"}):
        bars.setdefault(row["level"], set()).add(row["method"])
    for a, b in combinations(marks, 2):
        found = one.between(a, b)
        together = any({a, b} <= bar for bar in bars.values())
        yield from expect(f"{a} and {b} on a bar", together, found is not None and not found.significant)
        yield from expect(f"{a} and {b} tested", found is not None and found.p is not None, True)
    rules = [name for name in one.methods if name in BASELINES]
    drawn = [name for name in rules if name in marks]
    if drawn and one.share(drawn[0]) < max(one.share(name) for name in rules) - 1e-9:
        yield f"{drawn[0]} is drawn, and another baseline has more"


def _effects(layers: list[list[dict[str, object]]], one: Together) -> Faults:
    """Each dot and its interval; that of all logs too."""
    rules = [
        (place.advised.purposes["ndcg@10"].rule if "ndcg@10" in place.advised.purposes else None)
        for place in one.places
    ]
    for row in rows_with(layers, "choice", "method", "log", "x"):
        method = str(row["method"])
        others = ["random" if row["choice"] != _RULE else (rule.method if rule else "") for rule in rules]
        if row["log"] == "all logs":
            found, highest = one.over(method, [others[at] for at in one.counted]), 1.0
        else:
            at = [place.called for place in one.places].index(str(row["log"]))
            found, highest = one.places[at].compared.of_table(*one.key, method, others[at]), one.highest[at]
        if found is None or found.difference is None:
            yield f"{row} was not compared"
            continue
        true = [found.difference, *(found.difference if end is None else end for end in (found.low, found.high))]
        shown = [float(str(row[name])) for name in ("x", "low", "high")]
        if not all(same(a, 100 * b / highest, 1e-6) for a, b in zip(shown, true, strict=True)):
            yield f"{row}: by the runs {true} of {highest}"


def changes(page: Element, tests: Mapping[str, Mapping[str, Compared]]) -> Faults:
    """The difference of each method by each figure; of the page's only pair."""
    specs = charts_of(page)
    if "changes" not in specs:
        return
    drawn = set()
    for row in rows_with(list(layers_of(specs["changes"])), "choice", "method", "x"):
        found = tests[row["choice"]].get(row["method"])
        drawn.add((row["choice"], row["method"]))
        if found is None or found.difference is None:
            yield f"changes: {row} was not compared"
            continue
        ends = [found.difference if end is None else end for end in (found.low, found.high)]
        if not all(
            same(row[name], 100 * b, 1e-6)
            for name, b in zip(("x", "low", "high"), [found.difference, *ends], strict=True)
        ):
            yield f"changes: {row}, by the runs {found}"
        verdict = found.verdict if found.p is None else found.kind
        yield from expect(f"changes: {row['method']}", row["verdict"], verdict)
    true = {
        (figure, name) for figure, some in tests.items() for name, each in some.items() if each.difference is not None
    }
    yield from expect("changes that are drawn", sorted(drawn), sorted(true))
