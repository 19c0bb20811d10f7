"""What stands first on a page of several logs or studies: sentences, tables and charts, found again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.reliability.studies.checker import joint_charts, trusted
from benchmarks.reliability.studies.checker.compared import Compared
from benchmarks.reliability.studies.checker.effects import shows_p
from benchmarks.reliability.studies.checker.page import Element, Table
from benchmarks.reliability.studies.checker.pairs import Pair
from benchmarks.reliability.studies.checker.place import Faults, Place
from benchmarks.reliability.studies.checker.raw import Raw
from benchmarks.reliability.studies.checker.shown import expect, listed, shows
from benchmarks.reliability.studies.checker.together import FIGURES, Together

_PURPOSES = {
    "Most accurate overall": "ndcg@10",
    "Best for tail items": "tail_hr@10",
    "Most even over head, mid and tail": "balance@10",
}


def places_of(folder: Path) -> dict[str, Place]:
    """By the id of a section of the page in ``folder``, the log and study that it is of."""
    labels = json.loads((folder / "page" / "studies.json").read_text("utf-8"))["studies"]
    every = [Place(raw, log, label=label) for label in labels for raw in [Raw(folder / label)] for log in raw.shown]
    groups = _groups(every)
    repeated = any(len(group) > 1 for group in groups)
    title = listed([group[-1].log for group in groups]) + (f": {listed(list(labels))}" if repeated else "")
    for group in groups:
        for place in group:
            place.title = title
            place.called = f"{place.log}, {place.label}" if len(group) > 1 else place.log
    return {f"dataset-{at}": place for at, place in enumerate((each for some in groups for each in some), 1)}


def _groups(places: Sequence[Place]) -> list[list[Place]]:
    """Those of one log together."""
    groups: list[list[Place]] = []
    for place in places:
        same = [
            group
            for group in groups
            for each in group
            if each.raw is not place.raw
            and (each.log == place.log or each.manifest["fingerprint"] == place.manifest["fingerprint"])
        ]
        if same:
            same[0].append(place)
        else:
            groups.append([place])
    return groups


def check(page: Element, places: Sequence[Place]) -> Faults:
    """All parts of the page that are of several logs or studies, and that none is missing."""
    groups = _groups(places)
    repeated = [group for group in groups if len(group) > 1]
    expected: dict[str, Callable[[Element], Faults]] = {}
    if len(groups) > 1 and not repeated:
        expected["Over the logs"] = lambda element: _over_logs(element, page, places)
    pairs = [Pair(group[0], after) for group in repeated for after in group[1:]]
    for pair in pairs:
        title = f"{pair.before.label} and {pair.after.label} on {pair.after.log}"
        expected[title] = lambda element, pair=pair: _pair(element, page, pair)  # type: ignore[misc]
    if repeated and len(groups) > 1:
        expected["Over the logs"] = lambda element: _not_compared(element, [group[-1].log for group in repeated])
    parts = {next(each.every("h2")).text(): each for each in page.every("section") if "joint" in each.classes}
    yield from expect("parts", list(parts), list(expected))
    for title, element in parts.items():
        if title in expected:
            yield from (f"{title}: {fault}" for fault in [*expected[title](element), *_captions(element, places[0])])


def _captions(element: Element, place: Place) -> Faults:
    """What says nothing of figures."""
    notes = [each for each in element.every("p") if "quiet" in each.classes]
    for each in [*element.every("h4", "figcaption"), *notes]:
        yield from place.read(each.text())


def _lines(element: Element) -> list[str]:
    return [
        each.text() for each in element.inside if isinstance(each, Element) and each.tag == "p" and not each.classes
    ]


def _tables(element: Element) -> dict[str, Table]:
    found = {}
    for each in element.every("details"):
        for table in each.every("table"):
            if table["class"].startswith("small") and (label := next(each.every("summary")).text()) != "Values":
                found[label] = Table(table, label)
    return found


def _not_compared(element: Element, logs: Sequence[str]) -> Faults:
    stands = "stands" if len(logs) == 1 else "stand"
    line = f"Not compared, since {listed(logs)} {stands} in several of these studies; give one study of each log."
    yield from expect("lines", _lines(element), [line])
    yield from expect("tables", _tables(element), {})


def _over_logs(element: Element, page: Element, places: Sequence[Place]) -> Faults:
    found = {figure: Together(places, figure) for figure in FIGURES}
    accuracy = found["NDCG@10"]
    yield from expect("lines", _lines(element), _over_logs_lines(accuracy))
    tables = _tables(element)
    names = [f"{figure} by log" for figure in FIGURES]
    yield from expect("tables", sorted(tables), sorted([*names, "What the verdicts take, by log"]))
    for figure, one in found.items():
        if (table := tables.get(f"{figure} by log")) is not None:
            yield from (f"{figure}: {fault}" for fault in _by_log(table, one))
    if (table := tables.get("What the verdicts take, by log")) is not None:
        yield from _taken(table, places)
    yield from joint_charts.over_logs(page, accuracy)


def _over_logs_lines(one: Together) -> list[str]:
    cannot = "Methods cannot be compared over the logs"
    if len(one.counted) < 2:
        there = "is one" if one.counted else "is none"
        return [f"{cannot}: that takes two on which a method has a hit, and there {there}."]
    out = [place.log for at, place in enumerate(one.places) if at not in one.counted]
    lines = [f"No method has a hit on {listed(out)}, so it does not count here."] if out else []
    if len(one.methods) < 2:
        alone = f"{one.methods[0]} alone" if one.methods else "no method"
        return [*lines, f"{cannot}: {alone} was measured on all of them."]
    many, (first, *rest) = len(one.counted), one.methods
    top = one.share(first)
    leaders = [name for name in one.methods if top - one.share(name) < 1e-9]
    share = f"{100 * top:.1f} % of each log's highest, in the mean"
    if len(leaders) > 1:
        lines.append(f"{_who(leaders)} have the highest NDCG@10 over these {many} logs, as much each: {share}.")
    else:
        tests = {name: one.between(first, name) for name in rest}
        groups = {
            "Significantly lower": [name for name, each in tests.items() if each and each.significant],
            "No significant difference": [
                name for name, each in tests.items() if each and each.p is not None and not each.significant
            ],
            "Not tested": [name for name, each in tests.items() if each is None or each.p is None],
        }
        told = "".join(f" {words}: {_who(names)}." for words, names in groups.items() if names)
        lines.append(f"{first} has the highest NDCG@10 over these {many} logs: {share}.{told}")
    if many < 6:
        return [
            *lines,
            f"That is of these logs. Nothing follows for others: by a sign test over {many} logs, a method that is"
            f" higher on all of them has p {2.0 ** (1 - many):g}.",
        ]
    signs = one.signs()
    apart = sum(p < 0.05 for p in signs)
    last = f"a sign test over these {many} finds {apart} of {len(signs)} pairs of methods significantly different."
    return [*lines, f"For other logs too, {last}" if signs else "That is of these logs; for others nothing was tested."]


def _who(names: Sequence[str]) -> str:
    return listed(names) if len(names) <= 6 else f"{len(names)} methods"


def _by_log(table: Table, one: Together) -> Faults:
    """Figures and ranks of every method; of those that are compared the means, and the test against the first."""
    first = one.methods[0] if len(one.methods) > 1 else None
    order = [*one.methods, *(name for name in one.figures if name not in one.methods)]
    yield from expect("methods", [line[0].text for line in table.lines], order)
    for line in table.lines:
        texts = dict(zip(table.headings, [cell.text for cell in line], strict=True))
        name = line[0].text
        for at, place in enumerate(one.places):
            ranked = name in one.methods and at in one.counted
            figure, _, rank = texts.get(f"{place.log}, % (rank)", "").partition(" (")
            if not shows(figure, one.figures[name][at], 100):
                yield f"{name} on {place.log}: '{figure}', by the runs {one.figures[name][at]}"
            yield from expect(f"{name} on {place.log}: rank", rank, f"{one.rank(name, at):g})" if ranked else "")
        means = (texts.get("Mean rank", ""), texts.get("Mean share, %", ""))
        if name not in one.methods:
            yield from expect(f"{name}: means", means, ("", ""))
            continue
        ranks = [one.rank(name, at) for at in one.counted]
        yield from expect(f"{name}: mean rank", means[0], f"{sum(ranks) / len(ranks):.3g}")
        if not shows(means[1], one.share(name), 100):
            yield f"{name}: mean share '{means[1]}', by the runs {one.share(name)}"
        test = one.between(name, first) if first and name != first else None
        yield from (f"{name}: {fault}" for fault in _tested(texts, f"Less {first}, points", test))


def _tested(texts: Mapping[str, str], heading: str, test: Compared | None) -> Iterator[str]:
    """Difference, interval, p and verdict of a line; all empty where nothing was compared."""
    shown = [texts.get(name, "") for name in (heading, "95 % interval", "p", "Verdict")]
    if test is None:
        yield from expect("not compared", shown, ["", "", "", ""])
        return
    plain = [each.replace("−", "-").replace("+", "") for each in shown]
    if not shows(plain[0], test.difference, 100):
        yield f"difference '{shown[0]}', by the runs {test.difference}"
    ends = plain[1].split(" to ") if plain[1] else []
    true = [] if test.low is None else [test.low, test.high]
    if len(ends) != len(true) or not all(shows(end, value, 100) for end, value in zip(ends, true, strict=True)):
        yield f"interval '{shown[1]}', by the runs {true}"
    yield from shows_p("p", shown[2], test.p)
    yield from expect("verdict", shown[3], test.verdict)


def _taken(table: Table, places: Sequence[Place]) -> Faults:
    """What validation advises on each log, where its light is not red."""
    yield from expect("purposes", [line[0].text for line in table.lines], list(_PURPOSES))
    for line in table.lines:
        texts = dict(zip(table.headings, [cell.text for cell in line], strict=True))
        for place in places:
            of = place.advised.purposes.get(_PURPOSES[line[0].text])
            true = "none" if of is None or place.told == trusted.SAID["red"] else of.chosen.called
            yield from expect(f"{line[0].text} on {place.log}", texts.get(place.log), true)


def _pair(element: Element, page: Element, pair: Pair) -> Faults:
    before, after = pair.before.label, pair.after.label
    tests = {figure: pair.tests(figure) for figure in FIGURES}
    yield from expect("lines", _lines(element), _pair_lines(pair, tests["NDCG@10"]))
    tables = _tables(element)
    names = {figure: f"{figure}: {after} less {before}" for figure in FIGURES}
    record = f"What {before} and {after} record differently"
    expected = [*(names.values() if pair.methods else []), *([record] if pair.records else [])]
    yield from expect("tables", sorted(tables), sorted(expected))
    for figure, name in names.items():
        if name in tables:
            yield from (f"{figure}: {fault}" for fault in _change(tables[name], pair, figure, tests[figure]))
    if record in tables:
        yield from _records(tables[record], pair)
    yield from joint_charts.changes(page, tests)


def _pair_lines(pair: Pair, tests: Mapping[str, Compared]) -> list[str]:
    before, after = pair.before.label, pair.after.label
    head = f"From {before} to {after}"
    found = {name: tests.get(name) for name in pair.methods}
    if not pair.methods:
        first = f"{head} nothing can be compared: no method is in both."
    elif pair.why:
        first = f"{head} no difference is tested, since the test events are not the same: {pair.why}."
    else:
        groups = {
            "significantly higher": [
                name for name, each in found.items() if each and each.kind == "significantly higher"
            ],
            "significantly lower": [
                name for name, each in found.items() if each and each.kind == "significantly lower"
            ],
            "not significantly different": [
                name for name, each in found.items() if each and each.p is not None and not each.significant
            ],
            "not tested": [name for name, each in found.items() if each is None or each.p is None],
        }
        said = [f"{words} for {_who(names)}" for words, names in groups.items() if names]
        first = f"{head}, NDCG@10 on test is {listed(said)}."
    names = list(dict.fromkeys(name for name, _, _ in pair.records))
    some = f"{', '.join(names[:6])} and {len(names) - 6} more" if len(names) > 6 else listed(names) if names else ""
    differ = f"They differ in {some}."
    if not names:
        differ = "All that both record is the same: data, settings, seeds, versions and machine."
    sides = ((pair.before, pair.after), (pair.after, pair.before))
    only = [(one.label, [name for name in one.methods if name not in other.methods]) for one, other in sides]
    return [first, differ, *(f"In {label} alone: {_who(some)}." for label, some in only if some)]


def _change(table: Table, pair: Pair, figure: str, tests: Mapping[str, Compared]) -> Faults:
    yield from expect("methods", [line[0].text for line in table.lines], pair.methods)
    for line in table.lines:
        name = line[0].text
        texts = dict(zip(table.headings, [cell.text for cell in line], strict=True))
        for place in (pair.before, pair.after):
            value, shown = place.mean(name, FIGURES[figure]), texts.get(f"{place.label}, %", "")
            if not shows(shown, value, 100):
                yield f"{name} in {place.label}: '{shown}', by the runs {value}"
        yield from (f"{name}: {fault}" for fault in _tested(texts, "Difference, points", tests.get(name)))


def _records(table: Table, pair: Pair) -> Faults:
    shown = {tuple(cell.text for cell in line) for line in table.lines}
    every = pair.methods
    true = set()
    for key, methods in pair.records.items():
        of = listed(methods) if len(methods) <= 6 else f"{len(methods)} methods"
        of = "all methods in both" if len(methods) == len(every) > 1 else of if methods else "the studies"
        true.add((*key, of))
    yield from expect("records", sorted(shown), sorted(true))
