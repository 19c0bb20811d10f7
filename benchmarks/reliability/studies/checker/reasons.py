"""The reasons for trust or doubt: the words of each, its numbers, and its light."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from benchmarks.reliability.studies.checker.advised import Advised
from benchmarks.reliability.studies.checker.compared import Compared
from benchmarks.reliability.studies.checker.limits import late
from benchmarks.reliability.studies.checker.place import Faults, Place
from benchmarks.reliability.studies.checker.raw import BASELINES
from benchmarks.reliability.studies.checker.shown import expect, listed, shows


def against(place: Place, advised: Advised) -> dict[str, Compared]:
    """How what is taken for accuracy was tested against the default and the best baseline."""
    taken = advised.purposes["ndcg@10"]
    found = {}
    for other in (advised.default, taken.rule):
        if other is not None and (other.method, other.beta) != (taken.chosen.method, taken.chosen.beta):
            each = place.compared.between(
                "ndcg@10", "all", taken.chosen.method, taken.chosen.dial, other.method, other.dial
            )
            if each is not None:
                found[other.method] = each
    return found


def at_the_end(place: Place, advised: Advised) -> list[str]:
    betas = {beta for run in place.runs() for beta in run.grid["betas"]}
    found = {}
    for taken in advised.purposes.values():
        if len(betas) > 1 and taken.chosen.dial and taken.chosen.beta in (min(betas), max(betas)):
            found[taken.chosen.method] = taken.chosen.called
    return list(found.values())


def _just(light: str) -> Callable[[Place, Advised, re.Match[str], str], Faults]:
    return lambda place, advised, at, shown: expect("light", shown, light)


def _nothing_trained(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    rules = all(name in BASELINES for name in place.raw.about["methods"])
    yield from expect("nothing trained", (at[1].startswith("All methods"), light), (rules, "red"))


def _number(text: str) -> int:
    return int(text.replace(",", ""))


def _unfinished(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    about, raw = place.raw.about, place.raw
    failed = {each["run"] for each in raw.failed} & set(about["runs"])
    true = (len(about["runs"]) - len(raw.runs) - len(failed), len(about["runs"]))
    yield from expect("runs", (int(at[1]), int(at[2])), true)
    yield from expect("light", light, "red")


def _failed(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    many = sum(each["dataset"] in place.raw.logs[place.log] for each in place.raw.failed)
    yield from expect("failed", (int(at[1]), light), (many, "amber"))


def _nothing_hit(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    yield from expect("methods", ("methods hit" in at[0], light), (len(place.trained) > 1, "red"))


def _repeats(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    fewest = min(len(place.raw.whole(place.log, name)) for name in place.trained)
    few = {"has no seed": 0, "has one run": 1, "has two runs": 2}
    shown = next((count for words, count in few.items() if words in at[0]), None) or int(at["n"] or 0)
    yield from expect("repeats", (shown, light), (fewest, "red" if fewest < 2 else "amber" if fewest < 3 else "green"))


def _cut_off(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    runs = [run for run in place.runs() if run.trained]
    shown = (int(at["late"]), int(at["runs"]), int(at["of"] or at["limit"]))
    most = max(run.config["settings"]["epochs"] for run in runs)
    yield from expect("late", (*shown, light), (sum(late(run) for run in runs), len(runs), most, "red"))
    if at["last"]:
        share = -(-most // 5)
        yield from expect("the last", at["last"], "the last" if share == 1 else f"among the last {share}")
    stops = any(run.config["settings"].get("early_stop") for run in runs)
    yield from expect("stops early", at["limit"] is not None, stops)


def _converged(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    runs = [run for run in place.runs() if run.trained]
    yield from expect("light", (light, 2 * sum(late(run) for run in runs) <= len(runs)), ("green", True))


def _untuned(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    tuned = {each["method"] for each in place.raw.tunings if each["dataset"] in place.raw.logs[place.log]}
    true = (len(set(place.trained) - tuned), len(place.trained), "amber")
    yield from expect("not tuned", (int(at[1]), int(at[2]), light), true)


def _tuned(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    many = len(place.trained)
    yield from expect("tuned", at["n"], str(many) if many > 1 else None)
    ends = {}
    for each in place.raw.tunings:
        if each["dataset"] in place.raw.logs[place.log] and (names := _ends(each)):
            ends[each["method"]] = names
    said = [f"{method} ({', '.join(names)})" for method, names in ends.items()]
    text = listed(said) if len(said) <= 3 else f"{len(said)} methods"
    yield from expect("at an end", (at["ends"] or "", light), (text if said else "", "amber" if said else "green"))


def _ends(search: Mapping[str, Any]) -> list[str]:
    """The settings whose best value is within a twentieth of an end of what was searched."""
    found = []
    for name, (low, high) in search.get("bounds", {}).items():
        value = search["best"]["params"].get(name)
        if isinstance(value, int | float) and 0 < low < high and value > 0:
            share = np.log(value / low) / np.log(high / low)
            found += [name] if share < 0.05 or share > 0.95 else []
    return found


def _users(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    events = [place.raw.events[name] for name in place.raw.logs[place.log]]
    people = np.concatenate([each.get("person_E", each["user_E"]) for each in events])
    counts = np.unique(people, return_counts=True)[1]
    effective = counts.sum() ** 2 / (counts.astype(float) ** 2).sum()
    shown = _number(at["events"]), _number(at["users"]), _number(at["equal"])
    yield from expect("users", (*shown[:2], abs(shown[2] - effective) <= 0.5), (len(people), len(counts), True))
    yield from expect("light", light, "red" if effective < 30 else "amber" if effective < 100 else "green")


def _hits(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    chosen = advised.purposes["ndcg@10"].chosen
    hits = (chosen.test["hr@10"] or 0.0) * place.test["events"]
    if abs(_number(at[2]) - hits) > 0.5 + 1e-6:
        yield f"hits {hits}"
    yield from expect("events", (at["who"], _number(at[3])), (chosen.called, place.test["events"]))
    yield from expect("light", light, "red" if hits < 10 else "amber" if hits < 100 else "green")


def _detectable(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    seen = [each.detectable for each in against(place, advised).values() if each.detectable is not None]
    chosen = advised.purposes["ndcg@10"].chosen
    share = max(seen) / (chosen.test["ndcg@10"] or np.nan)
    yield from expect("who", at["who"] or at["of"], chosen.called)
    yield from expect("smaller than all of it", at["of"] is not None, share >= 1)
    right = shows(at["has"] or at["all"], chosen.test["ndcg@10"], 100)
    if not right or (at["seen"] and not shows(at["seen"], max(seen), 100)):
        yield f"detectable {max(seen)}, {share}"
    yield from expect("light", light, "green" if share <= 0.2 else "amber")


def _contradicted(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    worse = [name for name, each in against(place, advised).items() if each.significant and (each.difference or 0) < 0]
    chosen = advised.purposes["ndcg@10"].chosen.called
    yield from expect("contradicted", (at[1], at[2], light), (chosen, listed(worse), "red"))


def _by_user(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    chosen = advised.purposes["ndcg@10"].chosen.method
    alike = advised.by_user == chosen
    yield from expect("by user", (at[1], light), (advised.by_user, "green" if alike else "amber"))
    yield from expect("and not", at[2], None if alike else chosen)


def _dial(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    yield from expect("at the end", (at[1], light), (listed(at_the_end(place, advised)), "amber"))


def _unreached(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    many = sum(not run.metrics["dial_reached"] for run in place.runs())
    yield from expect("not reached", (int(at[1]), light), (many, "amber"))


def _windows(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    many = len(place.raw.logs[place.log])
    shown = 1 if "one window" in at[0] else int(at["n"])
    yield from expect("windows", (shown, light), (many, "green" if many > 1 else "amber"))


def _age(place: Place, advised: Advised, at: re.Match[str], light: str) -> Faults:
    aged = [run for run in place.runs() if run.metrics["age_days"] is not None]
    old = [run for run in aged if not run.metrics["refit"]]
    days = max(run.metrics["age_days"] for run in old or aged)
    yield from expect("age", (at[1], light), (f"{days:.3g}", "amber" if old else "green"))


_N, _WHO = r"([\d,]+)", r"\S+(?: at dial \S+)?"
REASONS: Mapping[str, tuple[str, Callable[[Place, Advised, re.Match[str], str], Faults]]] = {
    "no test events": (r"There are no test events, so nothing was measured\.", _just("red")),
    "nothing trained": (
        r"(No trained method has finished, so there is nothing to compare yet|"
        r"All methods of the study are rules without training: whether a model is better is not known)\.",
        _nothing_trained,
    ),
    "no hit on validation": (r"No method has a hit on validation, so none can be chosen\.", _just("red")),
    "unfinished": (r"(\d+) of (\d+) runs are missing\.", _unfinished),
    "failed": (r"Runs that failed: (\d+)\.", _failed),
    "repeats": (
        r"(?:A trained method has one run: nothing is known of other seeds|A trained method has two runs only: little"
        r" is known of other seeds|A trained method has no seed that finished every window|"
        r"Every trained method has (?P<n>\d+) runs or more)\.",
        _repeats,
    ),
    "converged": (
        r"Training converged: in at least half of the runs validation stopped improving before the end\.",
        _converged,
    ),
    "cut off": (
        r"Training was cut off: in (?P<late>\d+) of (?P<runs>\d+) runs (?:the best epoch on validation is"
        r" (?P<last>the last|"
        r"among the last \d+) of (?P<of>\d+)|validation was still improving at the limit of (?P<limit>\d+) epochs)\.",
        _cut_off,
    ),
    "published": (r"The settings are those that the paper published\.", _just("green")),
    "untuned": (
        r"Trained methods that were not tuned on this log: (\d+) of (\d+); tuning can change their order\.",
        _untuned,
    ),
    "tuned": (
        r"(?:All (?P<n>\d+) trained methods were tuned|The method was tuned); (?:none of what was chosen is at an end"
        r" of the range that was searched|chosen at an end of the range that was searched: (?P<ends>.+?))\.",
        _tuned,
    ),
    "nothing hit": (
        r"The trained method(?: hits|s hit) no test event, at any setting of the dial: something may be wrong with the"
        r" ids, the split or the training\.",
        _nothing_hit,
    ),
    "users": (
        r"(?P<events>[\d,]+) test events of (?P<users>[\d,]+) users; as some have many, they tell as much as"
        r" (?P<equal>[\d,]+) users with equally many\.",
        _users,
    ),
    "hits": (rf"(?P<who>{_WHO}) hits {_N} of {_N} test events, in the mean of its runs\.", _hits),
    "detectable": (
        rf"(?:Differences in NDCG@10 below (?P<seen>\S+) points are easily missed \(larger ones are found with a"
        rf" probability of 80 % or more\); (?P<who>{_WHO}) has (?P<has>\S+) %|Even a difference as large as the NDCG@10"
        rf" of (?P<of>{_WHO}) \((?P<all>\S+) %\) is easily missed)\.",
        _detectable,
    ),
    "contradicted": (r"On test (.+) has a significantly lower NDCG@10 than (.+)\.", _contradicted),
    "by user": (
        r"If every user counted alike, (\S+) would be taken for accuracy(?: too|, not (\S+))\.",
        _by_user,
    ),
    "dial": (r"Taken at an end of the dial's range, beyond which could be better: (.+?)\.", _dial),
    "dial not reached": (r"Runs that no dial brings to the Balance that was asked for: (\d+)\.", _unreached),
    "not in time": (r"The split is not in time, so nothing can be said of the future\.", _just("amber")),
    "windows": (r"Tested on (?:one window of time; others may differ|(?P<n>\d+) windows of time)\.", _windows),
    "age": (r"Half of the test events are (\S+) days or more after the last event that a model was trained on\.", _age),
}
"""By its name: the words of a reason, and what checks them with its light."""
