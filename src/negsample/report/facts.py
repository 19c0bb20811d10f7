"""The page's facts: what a dataset holds, how each method was run, how to do it again."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import polars as pl

from negsample.analysis.formats import listed, memory, percent, seconds, share, when, whole
from negsample.analysis.reading import POPULAR, Study
from negsample.analysis.tables import COHORTS
from negsample.settings import run_settings

Facts = list[tuple[str, str]]
"""(term, description), in the order they are shown."""


class Cohort(NamedTuple):
    """A row of the paper's Table 2."""

    name: str
    items: str
    share: str
    events: str
    mpu: str


class Made(NamedTuple):
    """How one method was run on one dataset."""

    dataset: str
    method: str
    negatives: str
    differing: str
    seeds: str
    epochs: str
    speed: str
    memory: str


def dataset_facts(manifest: Mapping[str, Any], history: str) -> Facts:
    """A dataset's sizes, split and limits; ``history``: what a model knew, one of ``RunSettings``'s words."""
    known = {
        "frozen": "frozen: what a user did before validation ended, the same for all of his test events",
        "rolling": "rolling: everything a user did strictly before the moment of the event",
        "rolling-basket": "rolling-basket: every row of a user before the event, the rest of its basket included",
    }
    test = f"{whole(manifest['test_events'])} from {when(manifest['test_start'])}"
    return [
        ("Users", f"{whole(manifest['users'])}, {whole(manifest['trained_users'])} of them trained on"),
        (
            "Items",
            f"{whole(manifest['items'])}, {whole(manifest['cold_items'])} of them cold (not in training)",
        ),
        (
            "Events",
            f"{whole(manifest['events'])}, {when(manifest['first_time'])} to {when(manifest['last_time'])}",
        ),
        ("Train", f"{whole(manifest['train_events'])} events{_seen(manifest)}"),
        ("Validation", f"{whole(manifest['valid_events'])} events from {when(manifest['valid_start'])}"),
        (
            "Test",
            f"{test.replace(' from', ' events from')}; {whole(manifest['cold_test_events'])} on cold items,"
            f" {whole(manifest['test_events_without_history'])} of users without history (not measured)"
            f"{_repeats(manifest, history)}",
        ),
        ("History", known[history]),
        (
            "Ties",
            f"{percent(manifest['tie_share'], 1)} of the events share user and time with another{_twice(manifest)}",
        ),
        ("Source", f"{manifest['source']}, fingerprint {manifest['fingerprint']}"),
        ("Prepared with", _pairs(manifest["settings"])),
    ]


def _seen(manifest: Mapping[str, Any]) -> str:
    """How many of them models are trained on; nothing in a study of before this was counted."""
    if "seen" not in manifest:
        return ""
    seen, events = manifest["seen"], manifest["train_events"]
    windows = ", windows all" if seen["windows"] == "all" else ""
    return (
        f", {percent(seen['events'] / events, 1)} of them seen in training (max_length {seen['max_length']}{windows});"
        f" {whole(events - seen['events'])} are not"
    )


def _repeats(manifest: Mapping[str, Any], history: str) -> str:
    """How many of the measured events repeat; nothing in a study of before this was counted."""
    if "repeat_test_events" not in manifest:
        return ""
    measured = manifest["test_events"] - manifest["test_events_without_history"]
    count = manifest["repeat_test_events"][history]
    share = f" ({percent(count / measured, 1)} of those measured)" if measured else ""
    return f", {whole(count)} on items that their user had before{share}"


def _twice(manifest: Mapping[str, Any]) -> str:
    """How many events are there more than once; nothing in a study of before this was counted."""
    if "duplicate_events" not in manifest:
        return ""
    return f"; {whole(manifest['duplicate_events'])} have the item, too, of another and count by themselves"


def cohort_facts(manifest: Mapping[str, Any]) -> list[Cohort]:
    """The paper's Table 2 for one dataset; MPU stands in % in the manifest."""
    cohorts = manifest["cohorts"]
    return [
        Cohort(
            name,
            whole(cohorts[name]["items"]),
            share(cohorts[name]["item_share"]),
            whole(cohorts[name]["train_events"]),
            "n/a" if cohorts[name]["mpu"] is None else share(cohorts[name]["mpu"] / 100),
        )
        for name in COHORTS
    ]


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
        ("Settings", _pairs(study.about["settings"])),
        ("Machine", "; ".join(machines or [_machine(machine)])),
        (
            "Versions",
            listed([f"Python {machine['python']}", *sorted(versions)]),
        ),
        ("Made", when(study.about["created"])),
    ]


def _machine(about: Mapping[str, Any]) -> str:
    text = f"{about['cores']} cores, {about['processor']}"
    card = about.get("graphics")
    if card is None:
        return text
    return f"{text}, {card['count']} x {card['name']} of {memory(card['memory_bytes'])} (CUDA {card['cuda']})"


def dial_words(study: Study) -> str:
    """At which setting of the dial the table's figures were measured, and which runs could not be set so."""
    choice = str(study.about.get("dial", "none"))
    if choice == "none":
        return "At dial 0: the ranking as it was trained."
    text = {
        "auto": "Each run at the dial with its best NDCG@10 on validation.",
        "balance": f"Each run at the dial with its best NDCG@10 among those with a Balance of at least {choice[8:]} on"
        " validation.",
    }.get(choice.partition(":")[0], f"All runs at dial {choice}.")
    return f"{text} {unreached_words(study)}".strip()


def unreached_words(study: Study) -> str:
    """Which runs no setting of the dial brings to the Balance that was asked for; empty where there is none."""
    missed = study.unreached()
    if not missed:
        return ""
    asked = float(str(study.about["dial"]).partition(":")[2])
    most = max(
        (figures["balance@10"] or 0.0, run.config["method"])
        for run in missed
        for figures in study.figures(run, "valid").values()
    )
    counts = Counter(f"{run.config['method']} on {run.config['dataset']}" for run in missed)
    told = listed([f"{name} ({count} {'run' if count == 1 else 'runs'})" for name, count in counts.items()])
    return (
        f"No setting of the dial reaches Balance {asked:g} on validation for {told}; the most among"
        f" these is {most[0]:.3f} ({most[1]}). These runs are kept, at dial 0: ask for less, or for --dial auto."
    )


def methods_made(study: Study, table: pl.DataFrame) -> list[Made]:
    """How each method of the table was run; settings are named where they differ from the study's."""
    return [_made(study, row) for row in table.to_dicts() if row["method"] != POPULAR]


def again(study: Study) -> str:
    """The command that made the study, or one that makes a study of the same shape where none was noted."""
    if "command" in study.about:
        return str(study.about["command"])
    about, parts = study.about, ["negsample", "compare", *study.about["datasets"]]
    methods = [method for method in about["methods"] if method != POPULAR]
    seeds = [run.config["seed"] for run in study.runs]
    parts += ["--methods", ",".join(methods), "--repeats", str(about["repeats"]), "--seed", str(min(seeds))]
    usual = run_settings().flat()
    for key, value in about["settings"].items():
        if key == "epochs":
            parts += ["--epochs", str(value)]
        elif value != usual.get(key):
            parts += ["--set", f"{key}={_plain(value)}"]
    return shlex.join([*parts, "--out", "STUDY"])


def _made(study: Study, row: Mapping[str, Any]) -> Made:
    runs = study.runs_of(row["dataset"], row["method"])
    config = runs[0].config
    differing = {key: value for key, value in config["settings"].items() if value != study.about["settings"].get(key)}
    steps = row["steps_per_second"]
    return Made(
        row["dataset"],
        row["method"],
        _pairs(config["negatives"]),
        _pairs(differing) if differing else "as above",
        listed([str(run.config["seed"]) for run in runs]),
        listed([str(run.metrics["best_epoch"]) for run in runs]),
        seconds(row["train_seconds"]) + ("" if steps is None else f", {steps:.0f} steps a second"),
        "" if row["peak_memory_bytes"] is None else memory(row["peak_memory_bytes"]),
    )


def _pairs(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {_plain(value)}" for key, value in settings.items() if value is not None) or "none"


def _plain(value: Any) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
