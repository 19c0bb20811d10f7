"""The lists of facts: of a dataset, and of the whole study."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.reliability.studies.checker.place import Faults, Place
from benchmarks.reliability.studies.checker.shown import expect, shows

_N = r"[\d,]+"
SENTENCES: Mapping[str, Callable[[Place, re.Match[str]], Faults]] = {}


def check(term: str, text: str, place: Place) -> Faults:
    """A fact of the dataset or of the study."""
    found = FACTS.get(term)
    if found is None:
        yield f"unknown fact '{term}': '{text}'"
        return
    pattern, check_it = found
    at = re.fullmatch(pattern, text)
    if at is None:
        yield f"'{term}' is told in other words: '{text}'"
        return
    yield from (f"{term}: {fault}" for fault in check_it(place, at))


def _counts(place: Place, at: re.Match[str], *true: int) -> Faults:
    shown = [int(each.replace(",", "")) for each in at.groups()[: len(true)]]
    yield from expect("counts", shown, list(true))


def _users(place: Place, at: re.Match[str]) -> Faults:
    yield from _counts(place, at, place.manifest["users"], place.manifest["seen"]["users"])


def _items(place: Place, at: re.Match[str]) -> Faults:
    yield from _counts(place, at, place.manifest["items"], place.manifest["cold_items"])


def _events(place: Place, at: re.Match[str]) -> Faults:
    of = place.manifest
    yield from _counts(place, at, of["events"])
    yield from expect("span", (at[2], at[3]), (_when(of["first_time"]), _when(of["last_time"])))


def _train(place: Place, at: re.Match[str]) -> Faults:
    of, seen = place.manifest, place.manifest["seen"]["events"]
    yield from _counts(place, at, of["train_events"])
    if not shows(at[2], seen / of["train_events"], 100):
        yield f"share seen {at[2]}"
    yield from expect("not seen", int(at[4].replace(",", "")), of["train_events"] - seen)


def _valid(place: Place, at: re.Match[str]) -> Faults:
    yield from _counts(place, at, place.manifest["valid_events"])
    yield from expect("from", at[2], _when(place.manifest["valid_start"]))


def _test(place: Place, at: re.Match[str]) -> Faults:
    of = place.manifest
    repeats = of["repeat_test_events"][place.runs()[0].config["settings"]["history"]]
    yield from expect("from", at["start"], _when(of["test_start"]))
    shown = [int(at[name].replace(",", "")) for name in ("n", "cold", "without", "repeats")]
    true = [of["test_events"], of["cold_test_events"], of["test_events_without_history"], repeats]
    yield from expect("counts", shown, true)
    measured = of["test_events"] - of["test_events_without_history"]
    if (at["share"] is None) != (measured == 0) or (measured and not shows(at["share"], repeats / measured, 100)):
        yield f"share of repeats {at['share']}"


def _ties(place: Place, at: re.Match[str]) -> Faults:
    if not shows(at[1], place.manifest["tie_share"], 100):
        yield f"share {place.manifest['tie_share']}"
    yield from expect("duplicates", int(at[2].replace(",", "")), place.manifest["duplicate_events"])


def _when(value: str | None) -> str | None:
    return None if value is None else value[:16].replace("T", " ").removesuffix(" 00:00")


def _settings(place: Place, at: re.Match[str]) -> Faults:
    texts = {key: _text(value) for key, value in place.raw.about["settings"].items() if value is not None}
    yield from expect("settings", at[0], ", ".join(f"{key} {text}" for key, text in texts.items()))


def _prepared(place: Place, at: re.Match[str]) -> Faults:
    for key, value in place.manifest["settings"].items():
        if key in at[0].split() and f"{key} {_text(value)}" not in at[0]:
            yield f"{key} is {value}"


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _source(place: Place, at: re.Match[str]) -> Faults:
    yield from expect("source", (at[1], at[2]), (place.manifest["source"], place.manifest["fingerprint"]))


def _any(place: Place, at: re.Match[str]) -> Faults:
    yield from ()


FACTS: Mapping[str, tuple[str, Callable[[Place, re.Match[str]], Faults]]] = {
    "Users": (rf"({_N}), ({_N}) of them trained on", _users),
    "Items": (rf"({_N}), ({_N}) of them cold \(not in training\)", _items),
    "Events": (rf"({_N}), (.+) to (.+)", _events),
    "Train": (rf"({_N}) events, (\S+) % of them seen in training \((.+)\); ({_N}) are not", _train),
    "Validation": (rf"({_N}) events(?: from (.+))?", _valid),
    "Test": (
        rf"(?P<n>{_N}) events(?: from (?P<start>.+?))?; (?P<cold>{_N}) on cold items, (?P<without>{_N}) of"
        rf" users without"
        rf" history \(not measured\), (?P<repeats>{_N}) on items that their user had before(?: \((?P<share>\S+)"
        rf" % of those"
        r" measured\))?",
        _test,
    ),
    "History": ("frozen: what a user did before validation ended, the same for all of their test events", _any),
    "Ties": (
        rf"(\S+) % of the events share user and time with another; ({_N}) have the item, too, of another and count by"
        r" themselves",
        _ties,
    ),
    "Source": (r"(\S+), fingerprint (\w+)", _source),
    "Prepared with": (r".+", _prepared),
    "Settings": (r".+", _settings),
    "Machine": (r"2 cores, x86_64", _any),
    "Versions": (r"Python 3\.11\.9, negsample 0\.1\.0 and torch 2\.13\.0", _any),
    "Made": (r"2026-11-01 09:30", _any),
}
"""By its term: the words of a fact, and what checks them."""
