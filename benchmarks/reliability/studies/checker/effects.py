"""Tables of effects: each method less the one with the highest figure, with intervals and verdicts."""

from __future__ import annotations

import re

from benchmarks.reliability.studies.checker.compared import Compared
from benchmarks.reliability.studies.checker.page import Table
from benchmarks.reliability.studies.checker.place import Faults, Place
from benchmarks.reliability.studies.checker.shown import expect, shows, shows_digits

LABEL = (
    r"(?P<figure>NDCG@10|tail HR@10|Balance@10): each method less (?P<best>\S+), which has the highest"
    r" \((?P<level>\S+) %\)"
)
KEYS = {"NDCG@10": ("ndcg@10", "all"), "tail HR@10": ("hr@10", "tail"), "Balance@10": ("balance@10", "all")}


def check(table: Table, place: Place) -> Faults:
    """Each line against the test of that pair."""
    key, best, of = _labelled(table.label, place)
    yield from label(table.label, place)
    level = of[best] or 0.0
    named = [line[0].text for line in table.lines]
    tested = [
        name for name, value in of.items() if value and name != best and place.compared.of_table(*key, name, best)
    ]
    yield from expect("methods", sorted(named), sorted(tested))
    values = [of[name] or 0.0 for name in named]
    yield from expect("order", values, sorted(values, reverse=True))
    for line in table.lines:
        texts = dict(zip(table.headings, [cell.text for cell in line], strict=True))
        found = place.compared.of_table(*key, line[0].text, best)
        if found is not None:
            yield from (f"{line[0].text}: {fault}" for fault in _line(texts, found, level))


def label(text: str, place: Place) -> Faults:
    """Whether the method that a label names has the highest figure, and which."""
    _, best, of = _labelled(text, place)
    level = max(value for value in of.values() if value is not None)
    shown = re.fullmatch(LABEL, text)
    if of.get(best) != level or shown is None or not shows(shown["level"], level, 100):
        yield f"the highest is {max(of, key=lambda name: of[name] or -1.0)} with {level}"


def _labelled(text: str, place: Place) -> tuple[tuple[str, str], str, dict[str, float | None]]:
    """The measure and scope of a label, the method that it names, and the figure of each method."""
    at = re.fullmatch(LABEL, text)
    assert at is not None, text
    key = KEYS[at["figure"]]
    figure = key[0] if key[1] == "all" else f"{key[1]}_{key[0]}"
    return key, at["best"], {name: place.mean(name, figure) for name in place.methods}


def _line(texts: dict[str, str], found: Compared, level: float) -> Faults:
    apart = found.difference
    shown = texts["Difference, points"].replace("−", "-").replace("+", "")
    if not shows(shown, apart, 100):
        yield f"difference '{texts['Difference, points']}', by the runs {apart}"
    relative = texts.get("Relative, %", "").replace("−", "-").replace("+", "")
    if apart is not None and not shows(relative, apart / level, 100):
        yield f"relative '{relative}', by the runs {apart / level}"
    for heading, by in (("95 % interval", 1.0), ("95 % interval, %", level)):
        ends = texts.get(heading, "").replace("−", "-").replace("+", "").split(" to ")
        true = [None if end is None else end / by for end in (found.low, found.high)]
        if None in true:
            yield from expect(heading, ends, [""])
        elif not all(shows(end, value, 100) for end, value in zip(ends, true, strict=True)):
            yield f"{heading}: '{texts.get(heading)}', by the runs {true}"
    for heading, p in (("p of a difference", found.p), ("p of equivalence", found.p_equivalent)):
        yield from shows_p(heading, texts.get(heading, ""), p)
    yield from expect("verdict", texts["Verdict"], found.verdict)
    detectable = texts.get("Detectable, points", "")
    if found.detectable is None or not detectable:
        yield from expect("detectable", detectable, "" if found.detectable is None else str(found.detectable))
    elif not shows_digits(detectable, 100 * found.detectable):
        yield f"detectable '{detectable}', by the runs {found.detectable}"


def shows_p(heading: str, text: str, p: float | None) -> Faults:
    """Whether a cell shows an adjusted p, or is empty where there is none."""
    if p is None or not text:
        yield from expect(heading, text, "" if p is None else str(p))
    elif text.startswith("below "):
        yield from expect(heading, (text, p < 0.001), ("below 0.001", True))
    elif not shows_digits(text, p):
        yield f"{heading}: '{text}', by the runs {p}"
