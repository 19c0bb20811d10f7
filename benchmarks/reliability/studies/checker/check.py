"""Every sentence of a study's page, against the study's files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.reliability.studies.checker import cards, charts, effects, facts, figure_tables, joint
from benchmarks.reliability.studies.checker.page import Element, Table, read_page
from benchmarks.reliability.studies.checker.place import Faults, Place
from benchmarks.reliability.studies.checker.raw import Raw, wrong_figures
from benchmarks.reliability.studies.checker.reading import read
from benchmarks.reliability.studies.checker.small_tables import SMALL
from benchmarks.reliability.studies.checker.standing import standing

_SILENT = ("script", "style", "noscript", "button", "label", "output", "input", "pre")
_TEXTS = ("title", "p", "li", "h1", "h2", "h3", "h4", "figcaption", "summary")
_FIGURES = ("Every method, every cohort", "Who is served, and how", "Figures at other cut-offs")
_TABLES: Mapping[str, Callable[[Table, Place], Faults]] = {
    **SMALL,
    **dict.fromkeys(_FIGURES, figure_tables.check),
    "Frontiers over all settings of the dial": standing,
}


def faults(folder: Path, terminal: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """What the page of the study in ``folder`` says that is not so, and what it says that nobody can check.

    ``terminal``: by log, the lines that a terminal shows of its verdict.
    """
    raw, page = Raw(folder), read_page(folder / "report.html")
    places = places_of(raw)
    found = [*wrong_figures(raw), *(fault for each in places.values() for fault in each.compared.faults)]
    found += said_wrongly(page, places)
    verdicts = [each for each in page.every("div") if "verdict" in each.classes]
    for log, lines in (terminal or {}).items():
        found += cards.on_terminal(lines, verdicts[raw.shown.index(log)])
    return found


def places_of(raw: Raw) -> dict[str, Place]:
    """By the id of a section of the page, the log that it is of."""
    return {f"dataset-{at}": Place(raw, log) for at, log in enumerate(raw.shown, 1)}


def joint_faults(folder: Path) -> list[str]:
    """The same of the page of several studies, which are in folders of their own beside it."""
    page, places = read_page(folder / "page" / "report.html"), joint.places_of(folder)
    found = [
        fault for raw in {id(each.raw): each.raw for each in places.values()}.values() for fault in wrong_figures(raw)
    ]
    found += [fault for each in places.values() for fault in each.compared.faults]
    return found + said_wrongly(page, places)


def said_wrongly(page: Element, places: Mapping[str, Place]) -> list[str]:
    """The same of the sentences, tables and charts of a page."""
    found = list(_walk(page, places["dataset-1"], places))
    found += [f"{each.called}: {fault}" for each in places.values() for fault in charts.check(page, each)]
    return found + [f"together: {fault}" for fault in joint.check(page, list(places.values()))]


def _walk(element: Element, place: Place, places: Mapping[str, Place]) -> Faults:
    of_study = {each.label: each for each in reversed(list(places.values())) if each.label}
    for each in element.inside:
        if isinstance(each, Element) and each.tag in ("p", "h3") and "joint" not in element.classes:
            place = of_study.get(each.text().partition(": ")[0], place)  # what follows is of that study
        if isinstance(each, str):
            if each.strip():
                yield f"text outside of a paragraph: '{each.strip()[:200]}'"
        elif each.tag == "section" and "joint" in each.classes:
            continue  # see joint.check
        elif each.tag in _SILENT or "chips" in each.classes or "saves" in each.classes or "dial" in each.classes:
            continue
        elif "verdict" in each.classes:
            yield from _about(place, cards.check(each, place))
        elif each.tag == "nav":
            yield from (fault for line in each.every("p") for fault in cards.line(line, places))
        elif each.tag == "summary" and re.fullmatch(effects.LABEL, each.text()):
            yield from _about(place, effects.label(each.text(), place))
        elif each.tag in _TEXTS:
            yield from _about(place, read(_unlabelled(each.text(), place), place))
        elif each.tag == "dl":
            yield from _about(place, _facts(each, place))
        elif each.tag == "div" and any(one.tag == "table" for one in each.inside if isinstance(one, Element)):
            yield from _about(place, _table(each, place))
        else:
            inner = places.get(each["id"], place) if each.tag == "section" else place
            yield from _walk(each, inner, places)


def _unlabelled(text: str, place: Place) -> str:
    """Without the name of the study that it is of."""
    return "" if text == place.label else text.removeprefix(f"{place.label}: ") if place.label else text


def _about(place: Place, given: Faults) -> Faults:
    yield from (f"{place.called}: {fault}" for fault in given)


def _table(element: Element, place: Place) -> Faults:
    label = " ".join(element["aria-label"].split())
    table = Table(next(element.every("table")), label)
    place.tables[label] = table
    check = effects.check if re.fullmatch(effects.LABEL, label) else _TABLES.get(label)
    if check is None:
        yield f"no table that is known: '{label}'"
        return
    yield from (f"{label}: {fault}" for fault in check(table, place))


def _facts(element: Element, place: Place) -> Faults:
    terms = [each.text() for each in element.every("dt")]
    texts = [each.text() for each in element.every("dd")]
    for term, text in zip(terms, texts, strict=True):
        if term in facts.FACTS:
            yield from facts.check(term, text, place)
        else:
            yield from read(f"{term}: {text}", place)  # of the glossary
