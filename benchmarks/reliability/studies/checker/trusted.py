"""How far the page trusts a study: each reason with its light, found again."""

from __future__ import annotations

import re
from collections.abc import Iterator

from benchmarks.reliability.studies.checker.advised import Advised
from benchmarks.reliability.studies.checker.limits import late
from benchmarks.reliability.studies.checker.page import Element
from benchmarks.reliability.studies.checker.place import Faults, Place
from benchmarks.reliability.studies.checker.reasons import REASONS, against, at_the_end
from benchmarks.reliability.studies.checker.shown import expect

ORDER = ("red", "amber", "green")
SAID = {
    "green": "This study can be trusted with a choice.",
    "amber": "This study gives hints and no proof; the points marked below could change the choice.",
    "red": "This study cannot tell which method to take.",
}


def check(verdict: Element, element: Element, place: Place, advised: Advised) -> Faults:
    """The light, its sentence, and every reason; those that are good stand in one paragraph."""
    reasons = []
    for each in element.every("li"):
        light, _, words = each.text().partition(": ")
        reasons.append((light, words))
    for each in (each for each in element.every("p") if "good" in each.classes):
        light, _, words = each.text().partition(": ")
        reasons += [(light, said) for said in _parted(words)]
    lights = [light for light, _ in reasons]
    yield from expect("order of the reasons", lights, sorted(lights, key=ORDER.index))
    for light in ORDER:
        ranks = [_rank(words) for each, words in reasons if each == light]
        yield from expect(f"order of the {light} reasons", ranks, sorted(ranks))
    worst = lights[0] if lights else "green"
    heading = next(verdict.every("h3"))
    yield from expect("light", heading.text(), f"{SAID[worst]} ({worst})")
    yield from expect("light in colour", worst in element.classes, True)
    said: set[str] = set()
    for light, words in reasons:
        found = [(name, at, of) for name, (pattern, of) in REASONS.items() if (at := re.fullmatch(pattern, words))]
        if not found:
            yield f"no reason that is known: '{words}'"
        for name, at, of in found[:1]:
            said.add(name)
            yield from (f"'{words}': {fault}" for fault in of(place, advised, at, light))
    yield from expect("reasons", sorted(said), sorted(_due(place, advised)))


MATTERS = (
    *("unfinished", "nothing hit", "contradicted", "failed", "cut off", "blind", "repeats", "users", "hits", "by user"),
    *("not in time", "untuned", "tuned", "detectable", "dial not reached", "dial", "windows", "age", "converged"),
    "published",
)
"""Reasons of one light, the one that matters most first."""


def _rank(words: str) -> int:
    names = [name for name, (pattern, _) in REASONS.items() if re.fullmatch(pattern, words)]
    name = "blind" if words.startswith("Even a difference") else names[0] if names else ""
    return MATTERS.index(name) if name in MATTERS else -1


def _parted(words: str) -> Iterator[str]:
    """The sentences of a paragraph: each the longest reason that fits."""
    while words:
        found = [at.end() for pattern, _ in REASONS.values() if (at := re.match(rf"(?:{pattern})(?=\s|$)", words))]
        end = max(found, default=len(words))
        yield words[:end]
        words = words[end:].strip()


def _due(place: Place, advised: Advised) -> Iterator[str]:
    """What has to be said of this study."""
    if not place.test["events"]:
        yield "no test events"
        return
    if not place.trained:
        yield "nothing trained"
        return
    if "ndcg@10" not in advised.purposes:
        yield "no hit on validation"
        return
    raw = place.raw
    listed_runs, done = set(raw.about["runs"]), {run.folder.name for run in raw.runs}
    if listed_runs - done - {each["run"] for each in raw.failed}:
        yield "unfinished"
    if any(each["dataset"] in raw.logs[place.log] for each in raw.failed):
        yield "failed"
    runs = [run for run in place.runs() if run.trained]
    yield "repeats"
    yield "cut off" if 2 * sum(late(run) for run in runs) > len(runs) else "converged"
    tuned = {each["method"] for each in raw.tunings if each["dataset"] in raw.logs[place.log]}
    yield "published" if raw.about["preset"] != "default" else "untuned" if set(place.trained) - tuned else "tuned"
    yield from ("users", "hits")
    if all(figures["hr@10"] == 0 for run in runs for figures in run.grid["test"]):
        yield "nothing hit"
    tests = against(place, advised)
    if any(each.significant and (each.difference or 0) < 0 for each in tests.values()):
        yield "contradicted"
    chosen = advised.purposes["ndcg@10"].chosen
    if any(each.detectable is not None for each in tests.values()) and chosen.test["ndcg@10"]:
        yield "detectable"
    if advised.by_user is not None:
        yield "by user"
    if at_the_end(place, advised):
        yield "dial"
    if any(not run.metrics["dial_reached"] for run in place.runs()):
        yield "dial not reached"
    if place.manifest.get("not_in_time"):
        yield "not in time"
        return
    yield from ("windows", "age")
