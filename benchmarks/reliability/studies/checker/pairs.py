"""Two studies of one log, found again: each method's difference user by user, and what their files say differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from benchmarks.reliability.studies.checker.compared import Compared
from benchmarks.reliability.studies.checker.effects import KEYS
from benchmarks.reliability.studies.checker.place import Place
from benchmarks.reliability.studies.checker.raw import BASELINES
from benchmarks.reliability.studies.checker.t_test import (
    FAMILIES,
    LEAST_USERS,
    beyond,
    holm,
    seed_ratio,
    test_pairs,
    within,
)
from benchmarks.reliability.studies.checker.users import Moved


class Pair:
    """From the place ``before`` to the place ``after``."""

    def __init__(self, before: Place, after: Place) -> None:
        self.before, self.after = before, after
        self.methods = [name for name in after.methods if name in before.methods]

    @cached_property
    def why(self) -> str:
        """How the test events differ; empty where they are the same."""
        folds = [place.raw.logs[place.log] for place in (self.before, self.after)]
        if len(folds[0]) != len(folds[1]):
            return f"{len(folds[0])} and {len(folds[1])} test windows"
        manifests = [[place.raw.manifests[name] for name in own] for place, own in self._sides(folds)]
        if any(a["fingerprint"] != b["fingerprint"] for a, b in zip(*manifests, strict=True)):
            return "their logs were prepared from other events or in another way"
        for a, b in zip(*([place.raw.events[name] for name in own] for place, own in self._sides(folds)), strict=True):
            names = [name for name in {*a, *b} if not name.startswith("valid_")]
            if any(name not in a or name not in b or not np.array_equal(a[name], b[name]) for name in names):
                return f"{len(a['user_E']):,} and {len(b['user_E']):,} measured events that are not the same"
        return ""

    def _sides(self, folds: Sequence[list[str]]) -> list[tuple[Place, list[str]]]:
        return list(zip((self.before, self.after), folds, strict=True))

    def tests(self, figure: str) -> dict[str, Compared]:
        """By method, ``after`` less ``before``; after Holm's correction over the methods."""
        places = (self.before, self.after)
        whole = [name for name in self.methods if all(place.raw.whole(place.log, name) for place in places)]
        if self.why or not whole or not self.after.compared.users.measured:
            return {}
        key = KEYS[figure]
        family = next(keys for keys in FAMILIES.values() if key in keys)
        samples = {each: [self._moved(place, name, each) for place in places for name in whole] for each in family}
        least = [float(np.mean([seed_ratio(some[at]) for some in samples.values()])) for at in range(2 * len(whole))]
        found = test_pairs(samples[key], [(len(whole) + at, at) for at in range(len(whole))], least)
        means = [float(each.figure_S.mean()) for each in samples[key]]
        margin = 0.05 * max((mean for mean in means if not np.isnan(mean)), default=np.nan)
        reasons = [self._untested(name, key, test.difference, test.p) for name, test in zip(whole, found, strict=True)]
        adjusted = holm([np.nan if why else test.p for test, why in zip(found, reasons, strict=True)])
        alike = holm([np.nan if why else within(test, margin) for test, why in zip(found, reasons, strict=True)])
        tests = {}
        for name, test, why, p, same in zip(whole, found, reasons, adjusted, alike, strict=True):
            difference = None if np.isnan(test.difference) else test.difference
            tests[name] = Compared("", *key, name, "", name, "", difference, None, None, why)
            if not why:
                reach = beyond(0.025, test.freedom) * test.error
                ends = (test.difference - reach, test.difference + reach)
                tests[name] = tests[name]._replace(p=p, low=ends[0], high=ends[1], margin=margin)
                tests[name] = tests[name]._replace(p_equivalent=None if np.isnan(same) else same)
        return tests

    def _moved(self, place: Place, name: str, key: tuple[str, str]) -> Moved:
        dials = tuple(run.metrics["dial"] for run in place.runs(name))
        moved = place.compared.users.moved((name, dials), *key)
        return moved._replace(method=f"{place.label} {name}")

    def _untested(self, name: str, key: tuple[str, str], difference: float, p: float) -> str:
        if np.isnan(difference):
            return "undefined in a run"
        runs = [len(place.raw.whole(place.log, name)) for place in (self.before, self.after)]
        if name not in BASELINES and min(runs) < 2:
            return "one run of a method"
        if self.after.compared.users.least(*key) < LEAST_USERS:
            return f"fewer than {LEAST_USERS} users"
        return "no variance" if np.isnan(p) else ""

    @cached_property
    def records(self) -> dict[tuple[str, str, str], list[str]]:
        """What differs, by name and the two values as they are shown: the methods, none where it is of the studies."""
        found: dict[tuple[str, str, str], list[str]] = {}
        for name, values in _unlike(*(_of_study(place) for place in (self.before, self.after))):
            found[name, *values] = []
        for method in self.methods:
            for name, values in _unlike(*(_of_runs(place, method) for place in (self.before, self.after))):
                found.setdefault((name, *values), []).append(method)
        return found


def _unlike(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, tuple[str, str]]]:
    names = dict.fromkeys([*a, *b])
    return [(name, (_text(a.get(name)), _text(b.get(name)))) for name in names if a.get(name) != b.get(name)]


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, list) and value:
        texts = [_text(each) for each in value]
        return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else texts[0]
    if isinstance(value, dict) and value:
        return " and ".join(f"{name} {_text(each)}" for name, each in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _of_study(place: Place) -> dict[str, Any]:
    about, manifest = place.raw.about, place.manifest
    machine = {f"machine: {name}": value for name, value in about["machine"].items() if name in ("cores", "processor")}
    prepared = {f"prepare: {name}": value for name, value in manifest["settings"].items()}
    own = {"dial": about["dial"], "preset": about["preset"], "folds": about["folds"]}
    first = {"negsample": about["negsample"], **machine, **prepared}
    return {
        **first,
        "fingerprint of the data": manifest["fingerprint"],
        **own,
        "trials of tuning": about["tune_trials"],
    }


def _of_runs(place: Place, method: str) -> dict[str, Any]:
    runs = place.runs(method)
    config, chosen = runs[0].config, runs[0].metrics["chosen"]
    negatives = {f"negatives: {name}": value for name, value in config["negatives"].items()}
    versions = {f"version: {name}": value for name, value in config["versions"].items()}
    own = {"chosen on validation": {chosen["setting"]: chosen["choice"]} if chosen else None}
    return {**config["settings"], **negatives, **versions, **own, "seeds": sorted({run.seed for run in runs})}
