"""What changed from one study to another of the same log, and what it did: each method's difference, paired by user.

As between two methods of a study (:mod:`negsample.analysis.significance`): the same users, runs with seeds of their
own in each study, and Holm's correction over the methods, one family a figure. It is done only where both studies
measured the very same test events.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from negsample.analysis.advice import MEASURES
from negsample.analysis.analyse import DatasetAnalysis
from negsample.analysis.difference import Difference
from negsample.analysis.equivalence import MARGIN
from negsample.analysis.measures import FAMILIES, KEYS
from negsample.analysis.per_user import Entry, Sums, events_of, mean_sample, sums_by_user, users_of
from negsample.analysis.significance import as_difference, corrected, significance_table, tests_of, why_untested
from negsample.analysis.study import Study
from negsample.analysis.tables import TableRow
from negsample.models.baselines import is_baseline
from negsample.runs.folder import Run


class Side(NamedTuple):
    """One of two studies: what it is called, and what was found in it on the log."""

    label: str
    study: Study
    found: DatasetAnalysis

    @property
    def rows(self) -> dict[str, TableRow]:
        """Of its table, by method."""
        return {row["method"]: row for row in self.found.rows}


class Setting(NamedTuple):
    """What two studies record differently: ``before``, ``after``, None where one has no such thing; ``of``: the methods
    for which it is so, empty where it is of the studies as a whole."""

    name: str
    before: Any
    after: Any
    of: tuple[str, ...] = ()


class Change(NamedTuple):
    """From ``before`` to ``after``. ``why``: why no difference is tested, empty where they are. ``methods``: in both
    tables, in the order of ``after``. ``tests``: by measure, a difference a method, ``after`` less ``before``."""

    before: Side
    after: Side
    why: str
    methods: tuple[str, ...]
    tests: Mapping[str, Mapping[str, Difference]]
    settings: tuple[Setting, ...]


def change(before: Side, after: Side) -> Change:
    """What changed between two studies of one log."""
    methods = tuple(name for name in after.rows if name in before.rows)
    why = other_events(before, after)
    tests = {} if why else {measure: _tested(measure, before, after, methods) for measure in MEASURES}
    return Change(before, after, why, methods, tests, tuple(_differing(before, after, methods)))


def other_events(before: Side, after: Side) -> str:
    """How the test events of two studies differ, so that users cannot be paired; empty where they are the same."""
    folds = [side.study.folds[side.found.dataset] for side in (before, after)]
    if len(folds[0]) != len(folds[1]):
        return f"{len(folds[0])} and {len(folds[1])} test windows"
    if any(a["fingerprint"] != b["fingerprint"] for a, b in zip(*folds, strict=True)):
        return "their logs were prepared from other events or in another way"
    events = [side.study.events[side.found.dataset] for side in (before, after)]
    for a, b in zip(*events, strict=True):
        measured = [{name: each for name, each in some.items() if not name.startswith("valid_")} for some in (a, b)]
        if measured[0].keys() != measured[1].keys() or not all(
            np.array_equal(each, measured[1][name]) for name, each in measured[0].items()
        ):
            return f"{len(a['user_E']):,} and {len(b['user_E']):,} measured events that are not the same"
    return ""


def _tested(measure: str, before: Side, after: Side, methods: Sequence[str]) -> dict[str, Difference]:
    sides = before, after
    whole = [name for name in methods if all(side.study.repeats_of(side.found.dataset, name) for side in sides)]
    folds = events_of(after.study, after.found.dataset)
    if not folds or not whole:
        return {}
    key = KEYS[measure]
    family = next(family for family, keys in FAMILIES.items() if key in keys)
    entries = [[_entry(side, name) for name in whole] for side in sides]
    sums = [sums_by_user(side.study, side.found.dataset, folds, own) for side, own in zip(sides, entries, strict=True)]
    samples = {
        each: [
            mean_sample(of, entry, *each)._replace(model=f"{at} {entry[0]}")  # two models, and not two dials of one
            for at, (of, own) in enumerate(zip(sums, entries, strict=True))
            for entry in own
        ]
        for each in FAMILIES[family]
    }
    found = tests_of(samples, key, [(len(whole) + at, at) for at in range(len(whole))])
    means = [float(each.figures_S.mean()) for each in samples[key]]
    margin = MARGIN * max((mean for mean in means if not np.isnan(mean)), default=np.nan)
    of = (after.found.dataset, f"{measure}, {after.label} less {before.label}", *key)
    users = users_of(sums[0][0], *key)
    tested = []
    for old, new, test in zip(*entries, found, strict=True):
        runs = _runs(sums, (old, new))
        why = why_untested(users, 2 if is_baseline(new[0]) else runs, test)  # a rule has no seeds to repeat
        tested.append(as_difference(of, (new, old), test, users, runs, margin, why))
    return {each.a: each for each in corrected(tested)}


def _entry(side: Side, method: str) -> Entry:
    return method, tuple(run.metrics["dial"] for run in side.study.runs_of(side.found.dataset, method))


def _runs(sums: Sequence[Sequence[Sums]], entries: tuple[Entry, Entry]) -> int:
    """Of the study that has fewer; a baseline has one and no seeds."""
    if is_baseline(entries[0][0]):
        return 1
    return min(len(some[0].gains[entry]) for some, entry in zip(sums, entries, strict=True))


def _differing(before: Side, after: Side, methods: Sequence[str]) -> list[Setting]:
    """What the studies record differently: of themselves, then of the runs of the methods in both."""
    of_studies = [_of_study(side) for side in (before, after)]
    found = [Setting(*each) for each in _unlike(*of_studies)]
    unlike: dict[tuple[str, str], tuple[Any, Any, list[str]]] = {}
    for method in methods:
        recorded = [_of_runs(side, method) for side in (before, after)]
        for name, old, new in _unlike(*recorded):
            unlike.setdefault((name, repr((old, new))), (old, new, []))[2].append(method)
    return [*found, *(Setting(name, old, new, tuple(of)) for (name, _), (old, new, of) in unlike.items())]


def _unlike(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(name, a.get(name), b.get(name)) for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)]


def _of_study(side: Side) -> dict[str, Any]:
    about, prepared = side.study.about, side.study.manifests[side.found.dataset]
    return {
        "negsample": about["negsample"],
        **{f"machine: {name}": value for name, value in about["machine"].items() if name not in ("torch", "python")},
        **{f"prepare: {name}": value for name, value in prepared["settings"].items()},
        "fingerprint of the data": prepared["fingerprint"],
        **{"dial": about["dial"], "preset": about["preset"], "folds": about["folds"]},
        "trials of tuning": about["tune_trials"],
    }


def _of_runs(side: Side, method: str) -> dict[str, Any]:
    runs = side.study.runs_of(side.found.dataset, method)
    config = runs[0].config
    return {
        **config["settings"],
        **{f"negatives: {name}": value for name, value in config["negatives"].items()},
        **{f"version: {name}": value for name, value in config.get("versions", {}).items()},
        "plugins": config["identity"].get("plugins"),
        "chosen on validation": _chosen(runs),
        "seeds": sorted({run.config["seed"] for run in runs}),
    }


def _chosen(runs: Sequence[Run]) -> dict[str, Any] | None:
    """What validation chose for a baseline."""
    chosen = runs[0].metrics["chosen"]
    return {chosen["setting"]: chosen["choice"]} if chosen else None


def changes_table(found: Sequence[Change]) -> pl.DataFrame:
    """One row a (log, measure, method), fractions: ``before`` and ``after``, and the difference as
    ``significance.csv`` has it, ``after`` less ``before``; without one where nothing was tested."""
    rows, tests = [], []
    for one in found:
        for measure in MEASURES:
            for name in one.methods:
                test = one.tests.get(measure, {}).get(name)
                sides = (one.before.label, one.after.label)
                figures = (one.before.rows[name][measure], one.after.rows[name][measure])
                rows.append((one.after.found.dataset, measure, name, *sides, *figures))
                tests.append(test or _untested(one, measure, name))
    kinds: dict[str, type[pl.DataType]] = dict.fromkeys(("dataset", "measure", "method", "a", "b"), pl.String)
    kinds |= dict.fromkeys(("before", "after"), pl.Float64)
    known = (
        significance_table(tests)
        .drop("dataset", "family", "measure", "a", "b")
        .rename({"dial_a": "dial_after", "dial_b": "dial_before"})
    )
    return pl.concat([pl.DataFrame(rows, schema=kinds, orient="row"), known], how="horizontal")


def _untested(one: Change, measure: str, method: str) -> Difference:
    key, why = KEYS[measure], one.why or "no seed finished every test window"
    named = (one.after.found.dataset, "", *key, method, "", method, "")
    return Difference(*named, None, None, None, None, None, None, None, None, 0, 0, why)
