"""Sentences on what limits the figures of a study, and on its baselines."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.reliability.studies.checker.place import Faults, Place
from benchmarks.reliability.studies.checker.raw import RawRun
from benchmarks.reliability.studies.checker.shown import expect, listed, shows
from benchmarks.reliability.studies.checker.small_tables import choice


def late(run: RawRun) -> bool:
    """Whether a run has its best epoch so late that more epochs could change it."""
    settings = run.config["settings"]
    most, stop = settings["epochs"], settings.get("early_stop", 0)
    best = run.metrics["best_epoch"]
    if stop:
        return bool(best + stop * settings["eval_every"] > most and len(run.log) == most)
    return bool(best > most - math.ceil(most / 5))


def _cut_off(place: Place, at: re.Match[str]) -> Faults:
    runs = [run for run in place.runs() if run.trained]
    many = sum(late(run) for run in runs)
    yield from expect("late runs", (int(at["late"]), int(at["runs"])), (many, len(runs)))
    if 2 * many <= len(runs):
        yield "at most half of the runs are late"
    most = max(run.config["settings"]["epochs"] for run in runs)
    yield from expect("epochs", (int(at["of"]), int(at["twice"])), (most, 2 * most))
    last = at["last"]
    if last:
        share = math.ceil(most / 5)
        yield from expect("the last", last, "the last" if share == 1 else f"among the last {share}")
    stops = any(run.config["settings"].get("early_stop") for run in runs)
    yield from expect("stops early", "still improving" in at[0], stops)
    tuned = bool(place.raw.tunings) or place.raw.about["preset"] != "default"
    yield from expect("tuned", "tune each method" not in at[0], tuned)


def _left_out(place: Place, at: re.Match[str]) -> Faults:
    share = place.test["left_out_events"] / place.test["events"]
    if not shows(at["share"], share, 100) or not shows(at["rest"], 1 - share, 100):
        yield f"share {share}"


def _cold(place: Place, at: re.Match[str]) -> Faults:
    share = place.test["cold_events"] / place.test["events"]
    if not share or not shows(at["share"], share, 100):
        yield f"share {share}"


def _no_hit(place: Place, at: re.Match[str]) -> Faults:
    hits = [run.metrics["test"]["hr@10"] for run in place.runs() if run.trained]
    yield from expect("hits", [each for each in hits if each], [])


def _no_tail(place: Place, at: re.Match[str]) -> Faults:
    yield from expect("tail events", place.test["tail_events"], 0)


def _undefined(place: Place, at: re.Match[str]) -> Faults:
    names = [name for name in place.trained if place.mean(name, "balance@10") is None]
    yield from expect("undefined", at["names"], listed(names))
    for name in names:
        if place.mean(name, "hr@10") and min(place.test[f"{each}_events"] for each in ("head", "mid", "tail")):
            yield f"{name} has hits, and each cohort events"


def _no_poprec(place: Place, at: re.Match[str]) -> Faults:
    yield from expect("PopRec among the finished", "PopRec" in place.methods, False)


def _untested(place: Place, at: re.Match[str]) -> Faults:
    of: dict[str, list[Any]] = {}
    for each in place.compared.found:
        of.setdefault(each.untested, []).append(each)
    why = "one run of a method" if "a method has one run" in at[0] else at["why"]
    same = of.get(why, [])
    if at["many"] == "No comparison is":
        yield from expect("not tested", (len(same), len(same) > 0), (len(place.compared.found), True))
    else:
        yield from expect("not tested", int(at["many"].split()[0]), len(same))
    if at["scopes"]:
        yield from expect(
            "scopes", at["scopes"], listed(list(dict.fromkeys(each.scope for each in same if each.scope != "all")))
        )


def _fitted(place: Place, at: re.Match[str]) -> Faults:
    yield from expect("terms were fitted", any(run.metrics["without_terms"] for run in place.runs()), True)


def _not_in_time(place: Place, at: re.Match[str]) -> Faults:
    yield from expect("in time", place.manifest.get("not_in_time") is not None, True)


def _end(place: Place, at: re.Match[str]) -> Faults:
    for run in place.runs(at["method"]):
        chosen = run.metrics["chosen"]
        tried = [each["choice"] for each in chosen["tried"]]
        if choice(run.metrics) == at["chosen"]:
            end = min(tried) if at["end"] == "smallest" else max(tried)
            yield from expect("chosen", chosen["choice"], end)
            yield from expect("better", at["better"], "smaller" if at["end"] == "smallest" else "larger")
            return
    yield "no run chose it"


SENTENCES: Mapping[str, Callable[[Place, re.Match[str]], Faults]] = {
    r"Training was cut off: in (?P<late>\d+) of (?P<runs>\d+) runs (?:the best epoch on validation is"
    r" (?P<last>the last|among"
    r" the last \d+) of (?P<of>\d+)|validation was still improving at the limit of (?P<of_>\d+) epochs), so"
    r" more epochs could"
    r" change figures and order\. Train longer \(--epochs (?P<twice>\d+)\)(?:\.| or tune each method first"
    r" \(--tune-trials"
    r" 20\)\.)": lambda place, at: _cut_off(place, _either(at)),
    r"(?P<share>\S+) % of the test events are on items that the user had before\. filter_seen leaves these out of the"
    r" ranking: HR@10 has a ceiling of (?P<rest>\S+) %\.": _left_out,
    r"(?P<share>\S+) % of the test events are on items in no train event\. Where no refit saw them in"
    r" validation, their"
    r" vectors are not trained, and they are hit only by chance \(more often in a small catalogue\)\.": _cold,
    r"No trained method has a hit on test\.": _no_hit,
    r"No test event is on a tail item, so nothing can be said about the tail, nor about Balance\.": _no_tail,
    r"Balance is undefined for (?P<names>.+?): no hit, or a cohort without test events\.": _undefined,
    r"PopRec, which recommends the most popular items to everybody, has not finished\.": _no_poprec,
    r"(?P<many>No comparison is|\d+ comparisons are) tested: (?P<why>.+?)(?: \((?P<scopes>.+?)\))?\.": _untested,
    r"(?P<many>\d+ comparisons are) not tested: (?P<why>(?:fewer|undefined|no variance).*?)(?:"
    r" \((?P<scopes>.+?)\))?\.": _untested,
    r"(?P<many>No comparison is|\d+ comparisons are)(?: not)? tested: a method has one run, so nothing is known"
    r" of other seeds\."
    r" Repeat with --repeats 3 or more\.": lambda place, at: _untested(place, _either(at)),
    r"After training, what is popular lately, what the user had before and what goes with it were added to each"
    r" model's"
    r" scores, with weights fitted to validation\. All figures are with them, so those of validation are a"
    r" little too good;"
    r" further down is what each model has alone\.": _fitted,
    r"What needs a split in time is left out: .+? all time\.": _not_in_time,
    r"(?P<method>\S+) chose (?P<chosen>.+?) on validation, the (?P<end>smallest|largest) that was tried: a"
    r" (?P<better>smaller|larger) one could be better\.": _end,
}
"""By the pattern of a sentence, what checks it."""


def _either(at: re.Match[str]) -> Any:
    """A match by name, where a name has two places in a pattern and not every pattern has all names."""
    found = {name.rstrip("_"): value for name, value in at.groupdict().items() if value is not None}
    return {0: at[0], **dict.fromkeys(("last", "why", "scopes")), **found}
