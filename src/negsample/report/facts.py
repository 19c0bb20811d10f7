"""The page's facts: what a dataset holds, and what holds for the whole study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from negsample.analysis.study import Study
from negsample.report.formats import commas, listed, memory, pairs, percent, when
from negsample.settings import BY_SHARES

Facts = list[tuple[str, str]]
"""(term, description), in the order they are shown."""

_HISTORIES = {
    "frozen": "frozen: what a user did before validation ended, the same for all of their test events",
    "rolling": "rolling: everything a user did strictly before the moment of the event",
    "rolling-basket": "rolling-basket: every row of a user before the event, the rest of its basket included",
}


def dataset_facts(manifest: Mapping[str, Any], history: str) -> Facts:
    """A dataset's sizes, split and limits; ``history``: what a model knew, one of the settings' words."""
    seen, events = manifest["seen"], manifest["train_events"]
    measured = manifest["test_events"] - manifest["test_events_without_history"]
    repeats = manifest["repeat_test_events"][history]
    of_measured = f" ({percent(repeats / measured, 1)} of those measured)" if measured else ""
    return [
        ("Users", f"{commas(manifest['users'])}, {commas(seen['users'])} of them trained on"),
        ("Items", f"{commas(manifest['items'])}, {commas(manifest['cold_items'])} of them cold (not in training)"),
        ("Events", f"{commas(manifest['events'])}, {_span(manifest)}"),
        (
            "Train",
            f"{commas(events)} events, {percent(seen['events'] / events, 1)} of them seen in training"
            f" ({seen['with']}); {commas(events - seen['events'])} are not",
        ),
        ("Validation", f"{commas(manifest['valid_events'])} events{_from(manifest['valid_start'])}"),
        (
            "Test",
            f"{commas(manifest['test_events'])} events{_from(manifest['test_start'])};"
            f" {commas(manifest['cold_test_events'])} on cold items,"
            f" {commas(manifest['test_events_without_history'])} of users without history (not measured),"
            f" {commas(repeats)} on items that their user had before{of_measured}",
        ),
        *_weights(manifest.get("weight")),
        ("History", _HISTORIES[history]),
        (
            "Ties",
            f"{percent(manifest['tie_share'], 1)} of the events share user and time with another;"
            f" {commas(manifest['duplicate_events'])} have the item, too, of another and count by themselves",
        ),
        ("Source", f"{manifest['source']}, fingerprint {manifest['fingerprint']}"),
        ("Prepared with", pairs(_with_effect(manifest["settings"]))),
    ]


def _weights(column: str | None) -> Facts:
    if column is None:
        return []
    told = f"popularity in training and the loss count an event as much as column '{column}' of the log says; figures"
    return [("Weights", f"{told} count every event once")]


def _span(manifest: Mapping[str, Any]) -> str:
    if manifest["first_time"] is None:
        return "in an order without times"
    return f"{when(manifest['first_time'])} to {when(manifest['last_time'])}"


def _from(start: str | None) -> str:
    return "" if start is None else f" from {when(start)}"


def _with_effect(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Those of preparing a log, without the shares that a split takes no notice of."""
    shares = ("valid_fraction", "test_fraction")
    return {key: value for key, value in settings.items() if key not in shares or settings["split"] in BY_SHARES}


def study_facts(study: Study) -> Facts:
    """What holds for the whole study."""
    machine = study.about["machine"]
    machines = dict.fromkeys(_machine(run.config.get("machine", machine)) for run in study.runs)
    versions = {
        f"{name} {version}"
        for run in study.runs
        for name, version in run.config.get("versions", {}).items()
        if name != "python"
    } | {f"negsample {study.about['negsample']}", f"torch {machine['torch']}"}
    return [
        ("Settings", pairs(study.about["settings"])),
        ("Machine", "; ".join(machines or [_machine(machine)])),
        ("Versions", listed([f"Python {machine['python']}", *sorted(versions)])),
        ("Made", when(study.about["created"])),
    ]


def _machine(about: Mapping[str, Any]) -> str:
    text = f"{about['cores']} cores, {about['processor']}"
    card = about.get("graphics")
    if card is None:
        return text
    return f"{text}, {card['count']} x {card['name']} of {memory(card['memory_bytes'])} (CUDA {card['cuda']})"
