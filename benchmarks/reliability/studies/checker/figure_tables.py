"""Tables of figures: each cell, its spread, what is bold, and the marks of a significant difference."""

from __future__ import annotations

from typing import Any

from benchmarks.reliability.studies.checker.page import Cell, Table
from benchmarks.reliability.studies.checker.place import Faults, Place
from benchmarks.reliability.studies.checker.raw import BASELINES, COHORTS, same
from benchmarks.reliability.studies.checker.shown import expect, shows

_LABELS = {"HR": "hr", "NDCG": "ndcg", "MRR": "mrr", "Balance": "balance", "Coverage": "coverage", "ARP": "arp"}
_SCOPES = {"all events": "", "over users": "user_", "new items": "new_", "repeats": "repeat_"}
_ALONE = {"Balance, %": "balance@10", "Coverage, %": "coverage@10", "Training, s": "train_seconds"}


def check(table: Table, place: Place) -> Faults:
    """The table of all methods, that of who is served, or that of other cut-offs."""
    main = table.label == "Every method, every cohort"
    yield from expect(f"methods of '{table.label}'", [line[0].text for line in table.lines], place.methods)
    for at, heading in enumerate(table.headings[1:], 1):
        name = column(table.groups[at], heading)
        if name is None:
            yield f"unknown column '{table.groups[at]} {heading}' of '{table.label}'"
            continue
        known = _known(place, name)
        for line in table.lines:
            cell, method = line[at], line[0].text
            where = f"{table.label}, {method}, {name}"
            value, sd = known[method]
            yield from _value(cell, value, sd, name, where)
            yield from expect(f"{where}: bold", cell.best, _is_best(name, known, cell, table, at))
            differs = main and _differs(place, name, known, method) and not cell.best and _some_bold(table, at)
            yield from expect(f"{where}: marked as different", cell.differs, differs)
    if main:
        yield from _failed(table, place)


def column(group: str, heading: str) -> str | None:
    """The figure that a column shows."""
    metric, _, at = group.partition(",")[0].partition("@")
    if heading in _ALONE and not group:
        return _ALONE[heading]
    if group.startswith("at "):
        name, k = _LABELS.get(heading), group.removeprefix("at ").partition(",")[0]
        return f"{name}@{k}" if name else None
    if group == "Balance, %":
        return {"by training": "balance@10", "as of the cut": "cut_balance@10"}.get(heading)
    if metric not in _LABELS or at not in ("10", "10 as of the cut"):
        return None
    if at == "10 as of the cut":
        return f"cut_{heading}_{_LABELS[metric]}@10"
    prefix = _SCOPES.get(heading, {"total": "", **{each: f"{each}_" for each in COHORTS}}.get(heading))
    return None if prefix is None else f"{prefix}{_LABELS[metric]}@10"


def _known(place: Place, name: str) -> dict[str, tuple[float | None, float | None]]:
    found = {}
    for method in place.methods:
        runs = place.runs(method)
        source = [run.metrics if name == "train_seconds" else run.metrics["test"] for run in runs]
        mean, sd = place.raw.mean_sd(place.log, method, [each.get(name) for each in source])
        found[method] = mean, (None if name in ("train_seconds", "coverage@10") else sd)
    return found


def _value(cell: Cell, value: float | None, sd: float | None, name: str, where: str) -> Faults:
    factor = 1.0 if name == "train_seconds" else 100.0
    if not shows(cell.text, value, factor):
        yield f"{where}: shown '{cell.text}', by the runs {value}"
    if value is not None and not same(float(cell.value), value, 1e-9):
        yield f"{where}: sorts by {cell.value}, by the runs {value}"
    if cell.spread and not (sd is not None and shows(cell.spread.removeprefix("±"), sd, factor)):
        optional = name in ("mrr@10", "arp@10") or "@10" not in name
        if not (optional and sd is None):
            yield f"{where}: spread '{cell.spread}', by the runs {sd}"
    if sd is not None and value is not None and not cell.spread and name.startswith(("hr@10", "ndcg@10", "balance@10")):
        yield f"{where}: no spread, by the runs {sd}"


def _is_best(name: str, known: dict[str, Any], cell: Cell, table: Table, at: int) -> bool:
    """Bold is what shows the same as the best; nothing where all are alike, and no zero."""
    of = {method: value for method, (value, _) in known.items()}
    if name == "train_seconds":
        of = {method: value for method, value in of.items() if method not in BASELINES}
    values = [value for value in of.values() if value]
    shown = {line[at].text for line in table.lines if line[0].text in of}
    if not values or len(shown) == 1:
        return False
    best = min(values) if name == "train_seconds" else max(values)
    factor = 1.0 if name == "train_seconds" else 100.0
    digits = len(cell.text.partition(".")[2])
    return cell.text.replace(",", "") == f"{factor * best:.{digits}f}"


def _some_bold(table: Table, at: int) -> bool:
    return any(line[at].best for line in table.lines)


def _differs(place: Place, name: str, known: dict[str, Any], method: str) -> bool:
    """Whether it differs significantly from the method with the highest figure."""
    scope, _, measure = name.rpartition("_")
    if name not in ("balance@10", "hr@10", "ndcg@10") and scope not in COHORTS:
        return False
    best = max(known, key=lambda each: -1.0 if known[each][0] is None else known[each][0])
    found = place.compared.of_table(measure, scope or "all", best, method)
    return found is not None and found.p is not None and found.significant


def _failed(table: Table, place: Place) -> Faults:
    """What stands below the table of runs that failed."""
    failed: dict[str, list[Any]] = {}
    for each in place.raw.failed:
        if each["dataset"] in place.raw.logs[place.log]:
            failed.setdefault(each["method"], []).append(each)
    lines = dict(zip(table.foot[::2], table.foot[1::2], strict=True))
    yield from expect("methods with failed runs", sorted(lines), sorted(failed))
    for method, some in failed.items():
        done = len(place.runs(method))
        said = f"{len(some)} of {len(some) + done} runs failed"
        said += "; its figures are means over the others." if done else "."
        text = lines.get(method, "")
        if not text.startswith(said):
            yield f"{method}: shown '{text}', by the runs '{said}'"
        for reason in {each["reason"] for each in some}:
            seeds = sorted(each["seed"] for each in some if each["reason"] == reason)
            of = f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}: {reason}"
            if of not in text:
                yield f"{method}: '{of}' is not said in '{text}'"
