"""The cards of a verdict: what is taken for which purpose, its figures, what it gains and costs, and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from benchmarks.reliability.studies.checker import next_command, trusted
from benchmarks.reliability.studies.checker.advised import FAMILY, Advised, Setting, Taken
from benchmarks.reliability.studies.checker.compared import Compared
from benchmarks.reliability.studies.checker.page import Element
from benchmarks.reliability.studies.checker.place import Faults, Place
from benchmarks.reliability.studies.checker.raw import BASELINES
from benchmarks.reliability.studies.checker.shown import expect, listed, shows, shows_digits, shows_seconds

TITLES = {
    "Most accurate overall": "ndcg@10",
    "Best for tail items": "tail_hr@10",
    "Most even over head, mid and tail": "balance@10",
}
NAMES = {"ndcg@10": "NDCG@10", "tail_hr@10": "tail HR@10", "balance@10": "Balance"}
ABLE = {
    "ndcg@10": "has a hit",
    "tail_hr@10": "keeps 90 % of the best NDCG@10 and hits tail items",
    "balance@10": "keeps 90 % of the best NDCG@10 and hits more than one cohort",
}
_SHOWN = {"NDCG@10": "ndcg@10", "HR@10": "hr@10", "Tail HR@10": "tail_hr@10", "Balance": "balance@10"}


def check(element: Element, place: Place) -> Faults:
    """A verdict: its cards, and its light."""
    advised = place.advised
    (trust,) = [each for each in element.every("div") if "trust" in each.classes]
    yield from trusted.check(element, trust, place, advised)
    found = [each for each in element.every("article") if "card" in each.classes]
    red = "red" in trust.classes
    if place.told is not None:
        yield from expect("said at the top", place.told, next(element.every("h3")).text().rpartition(" (")[0])
    titles = [next(each.every("h3")).text() for each in found]
    alike = {} if red else _alike(advised)
    yield from expect("cards", titles, list(alike))
    for title, card in zip(titles, found, strict=True):
        if title in alike:
            yield from (f"{title}: {fault}" for fault in _card(card, alike[title], place, advised))
    yield from next_command.check(trust, place)
    for each in element.every("p"):
        if not ({"taken", "good"} & set(each.classes)):
            yield from place.read(each.text())


def _alike(advised: Advised) -> dict[str, list[Taken]]:
    """By the title of a card what is on it: purposes for which the same is taken, at one setting of the dial."""
    of_one: dict[tuple[str, float], list[str]] = {}
    for title, measure in TITLES.items():
        if measure in advised.purposes:
            chosen = advised.purposes[measure].chosen
            of_one.setdefault((chosen.method, chosen.beta), []).append(title)
    return {
        "; ".join([first, *(f"{each[0].lower()}{each[1:]}" for each in others)]): [
            advised.purposes[TITLES[title]] for title in (first, *others)
        ]
        for first, *others in of_one.values()
    }


def line(element: Element, places: Mapping[str, Place]) -> Faults:
    """Of several logs, what stands at the top of one."""
    (link,) = element.every("a")
    place = places[link["href"].removeprefix("#")]
    yield from expect("log", link.text(), place.called)
    words = element.text(without=("a",))
    at = re.fullmatch(r"(?:(?P<title>[A-Z][\w ,;]+): (?P<taken>.+?)\. )?(?P<said>This study .+)", words)
    if at is None or at["said"] not in trusted.SAID.values():
        yield f"no sentence that is known: '{words}'"
        return
    red = at["said"] == trusted.SAID["red"]
    first = next(iter(place.advised.purposes.values()), None)
    true = None if red or first is None else first.chosen.called
    yield from expect(f"{place.log}: taken", at["taken"], true)
    place.told = at["said"]


def on_terminal(lines: Sequence[str], verdict: Element) -> Faults:
    """Whether a terminal shows what the page does."""
    shown = []
    for card in (each for each in verdict.every("article") if "card" in each.classes):
        (taken,) = [each.text() for each in card.every("p") if "taken" in each.classes]
        words = " ".join(each.text() for each in card.every("li"))
        shown.append(f"{next(card.every('h3')).text()}: {taken}. {words}")
    shown.append(next(verdict.every("h3")).text().rpartition(" (")[0])
    shown += [each.text() for box in verdict.every("ul") if "reasons" in box.classes for each in box.every("li")]
    shown += [f"Run next: {each.text()}" for each in verdict.every("pre")]
    plain = [" ".join(line.replace("`", "").split()) for line in lines]
    yield from expect("on the terminal", plain, shown)


def _card(card: Element, alike: Sequence[Taken], place: Place, advised: Advised) -> Faults:
    taken = alike[0]
    (name,) = [each.text() for each in card.every("p") if "taken" in each.classes]
    yield from expect("taken", name, taken.chosen.called)
    labels, values = [each.text() for each in card.every("dt")], [each.text() for each in card.every("dd")]
    for label, value in zip(labels, values, strict=True):
        if label not in _SHOWN:
            yield f"unknown figure '{label}'"
        elif not shows(value, taken.chosen.test[_SHOWN[label]], 100):
            yield f"{label}: shown '{value}', by the runs {taken.chosen.test[_SHOWN[label]]}"
    said: list[str] = []
    for each in card.every("li"):
        words = each.text()
        of = next(
            ((key, at, run) for key, (pattern, run) in LINES.items() if (at := re.fullmatch(pattern, words))), None
        )
        if of is None:
            yield f"no sentence that is known: '{words}'"
            continue
        said.append(of[0])
        yield from (f"'{words}': {fault}" for fault in of[2](of[1], _meant(of[1], alike), place, advised))
    yield from expect("lines of effort and why", (said.count("effort"), said.count("why")), (1, len(alike)))
    none = any(each.measure == "tail_hr@10" and each.chosen.test["tail_hr@10"] == 0 for each in alike)
    yield from expect("no tail item is said", "no tail" in said, none)


def _meant(at: re.Match[str], alike: Sequence[Taken]) -> Taken:
    """The purpose that a line of a card is about."""
    named = {name: value for name, value in at.groupdict().items() if value}
    if "the most accurate" in named.get("than", ""):
        return next((each for each in alike if each.measure != "ndcg@10"), alike[0])
    if "no tail item" in at[0]:
        return next((each for each in alike if each.measure == "tail_hr@10"), alike[0])
    words = named.get("name") or named.get("of")
    return next(
        (each for each in alike if NAMES[each.measure] == words or ABLE[each.measure] == named.get("able")), alike[0]
    )


def _gain(at: re.Match[str], taken: Taken, place: Place, advised: Advised) -> Faults:
    over = _over(at["than"], taken, advised)
    if over is None:
        yield f"nothing is '{at['than']}'"
        return
    measure = {name: key for key, name in NAMES.items()}[at["name"]]
    points = (taken.chosen.test[measure] or 0.0) - (over.test[measure] or 0.0)
    signed = -1 if at["way"] == "less" else 1
    if not shows(at["points"], abs(points), 100) or points * signed <= 0:
        yield f"the difference is {100 * points} points"
    share = points / (over.test[measure] or float("nan"))
    if (at["share"] and not shows(at["share"].replace("+", ""), share, 100)) or (
        at["times"] and not shows(at["times"], 1 + share)
    ):
        yield f"the share is {share}"
    yield from _tested(at["tested"], measure, taken.chosen, over, place)


def _same(at: re.Match[str], taken: Taken, place: Place, advised: Advised) -> Faults:
    over = _over(at["than"], taken, advised)
    measure = {name: key for key, name in NAMES.items()}[at["name"]]
    yield from expect("as much", over and over.test[measure], taken.chosen.test[measure])
    if over is not None:
        yield from _tested(at["tested"], measure, taken.chosen, over, place)


def _undefined(at: re.Match[str], taken: Taken, place: Place, advised: Advised) -> Faults:
    over = _over(at["than"], taken, advised)
    measure = {name: key for key, name in NAMES.items()}[at["name"]]
    yield from expect("undefined", None in (over and over.test[measure], taken.chosen.test[measure]), True)


def _over(than: str, taken: Taken, advised: Advised) -> Setting | None:
    """What a difference is to."""
    name, _, what = than.partition(", ")
    if what.startswith("the usual default") and taken.chosen.method == "random":
        if not name.endswith(" at dial 0"):
            return None
        name = name.removesuffix(" at dial 0")
    what, low, _ = what.partition(", which does not keep")
    best = max(each.on_valid("ndcg@10") for some in advised.settings.values() for each in some)
    default = advised.default
    may_lack = default is not None and what == "the usual default" and taken.measure != "ndcg@10"
    if bool(low) != (may_lack and default is not None and default.on_valid("ndcg@10") < 0.9 * best):
        return None
    accurate = advised.purposes["ndcg@10"].chosen if "ndcg@10" in advised.purposes else None
    known = {
        "the usual default": advised.default,
        "the best simple rule here": taken.rule,
        "the most accurate": accurate,
    }
    found = known.get(what)
    return found if found is not None and found.called == name else None


def _tested(words: str, measure: str, one: Setting, other: Setting, place: Place) -> Faults:
    measure, scope = FAMILY[measure][1]
    found = place.compared.between(measure, scope, one.method, one.dial, other.method, other.dial)
    yield from _words_of(words, found)


def _words_of(words: str, found: Compared | None) -> Faults:
    if found is None or found.p is None:
        why = "not compared" if found is None else found.untested
        yield from expect("tested", words, f"not tested ({why})")
        return
    at = re.fullmatch(r"(significant|not significant) \(p (?:below (0\.001)|above (0\.99)|(\S+))\)", words)
    if at is None:
        yield f"tested with p {found.p}"
        return
    yield from expect("significant", at[1] == "significant", found.significant)
    wrong = (at[2] and not found.p < 0.001) or (at[3] and not found.p >= 0.995)
    if wrong or (at[4] and not shows_digits(at[4], found.p)):
        yield f"p is {found.p}"


def _no_tail(at: re.Match[str], taken: Taken, place: Place, advised: Advised) -> Faults:
    yield from expect("no tail item", (taken.measure, taken.chosen.test["tail_hr@10"]), ("tail_hr@10", 0))


def _effort(at: re.Match[str], taken: Taken, place: Place, advised: Advised) -> Faults:
    rule = taken.chosen.method in BASELINES
    yield from expect("a rule", at[0].startswith("A rule"), rule)
    if not shows_seconds(at["took"] or at["rule"], taken.chosen.seconds):
        yield f"it took {taken.chosen.seconds} s"


def _why(at: re.Match[str], taken: Taken, place: Place, advised: Advised) -> Faults:
    others, words, name = len(taken.able) - 1, at[0], NAMES[taken.measure]
    if at["able"]:
        yield from expect("others", (others, at["able"]), (0, ABLE[taken.measure]))
    elif "nothing was tested" in words:
        yield from expect("tested", (len(taken.untested), at["name"]), (others, name))
        yield from expect("highest", taken.chosen.method, taken.highest.method)
    elif "none of the others is" in words:
        yield from expect("highest", (at["name"], taken.chosen.method), (name, taken.highest.method))
        near = [each for each in taken.near if each in taken.equals or each in taken.untested]
        yield from expect("within a tenth, and not known to be lower", near, [])
    elif "that were tested" in words:
        yield from expect("highest", (at["name"], taken.chosen.method), (name, taken.highest.method))
        yield from expect("tested, near and not lower", (taken.equals, bool(taken.untested)), ([], True))
        yield from expect("not tested", int(at["untested"]), len(taken.untested))
    else:
        own = taken.chosen.method == taken.highest.method
        yield from expect("highest", at["who"], "It has" if own else f"{taken.highest.called} has")
        alike = listed(taken.equals) if len(taken.equals) <= 3 else f"{len(taken.equals)} others"
        yield from expect("alike", (at["of"], at["alike"]), (name, alike))
        rule = taken.chosen.method in BASELINES
        yield from expect("simplest", at["kind"], "a rule" if rule else "the best of those that train fastest")


_THAN = (
    r"(?P<than>\S+(?: at dial \S+)?, (?:the usual default(?:, which does not keep 90 % of the best NDCG@10)?"
    r"|the best simple rule here|the most accurate))"
)
_NAME = r"(?P<name>NDCG@10|tail HR@10|Balance)"
Line = Callable[["re.Match[str]", Taken, Place, Advised], Faults]
LINES: Mapping[str, tuple[str, Line]] = {
    "gain": (
        rf"(?P<points>\S+) points (?P<way>more|less) {_NAME} than {_THAN}(?: \((?:(?P<share>[-+]\d+) %|(?P<times>\S+)"
        r" times)\))?: (?P<tested>.+?)\.",
        _gain,
    ),
    "same": (rf"As much {_NAME} as {_THAN}: (?P<tested>.+?)\.", _same),
    "undefined": (rf"{_NAME} cannot be compared with that of {_THAN}: it is undefined\.", _undefined),
    "no tail": (r"On test it hits no tail item\.", _no_tail),
    "effort": (
        r"(?:A rule: nothing is trained \((?P<rule>.+)\)|Training took (?P<took>.+) a run)\.",
        _effort,
    ),
    "why": (
        rf"(?:On validation no other method (?P<able>.+)|Highest {_NAME} on validation; (?:nothing was tested"
        rf" there|none of the others(?: that were tested)? is within a tenth of it without being significantly lower"
        r"(?: \((?P<untested>\d+) not tested\))?)|(?P<who>.+? has) the highest"
        r" (?P<of>NDCG@10|tail"
        r" HR@10|Balance) on validation; near it, within a tenth and not significantly lower: (?P<alike>.+?)"
        r"\. This one is the simplest of them, (?P<kind>a rule|the best of those that train fastest))\.",
        _why,
    ),
}
"""By its kind: the words of a line of a card, and what checks them."""
