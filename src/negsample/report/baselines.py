"""The baselines of a dataset: what each ranks by, what validation chose for it, and what that took."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from negsample.analysis.study import Study
from negsample.analysis.tables import TableRow
from negsample.models.baselines import BASELINE_WORDS, is_baseline
from negsample.report.formats import listed, percent, seconds
from negsample.report.table import ShownTable


def baselines_table(study: Study, dataset: str, rows: Sequence[TableRow]) -> ShownTable:
    """A line a baseline; over folds the mean, and each choice that was made. ``rows``: of ``dataset``."""
    headings = ("Baseline", "Ranks by", "Chosen on validation", "NDCG@10 on validation", "Choice and fit")
    lines = []
    for row in (row for row in rows if is_baseline(row["method"])):
        runs = study.runs_of(dataset, row["method"])
        reached = [run.metrics["valid"]["ndcg@10"] for run in runs if run.metrics["valid"]["ndcg@10"] is not None]
        lines.append(
            (
                row["method"],
                BASELINE_WORDS.get(row["method"], "").removeprefix("baseline: "),
                _choices(study, dataset, row["method"]) or "nothing",
                percent(statistics.fmean(reached) if reached else None),
                seconds(row["train_seconds"]),
            )
        )
    return ShownTable("Baselines", headings, lines, methods=True, kind="text")


def choices_words(study: Study, dataset: str) -> str:
    """What validation chose for the baselines of ``dataset``, a sentence; empty where nothing was chosen."""
    by_choice: dict[str, list[str]] = {}
    for name in study.methods_of(dataset):
        if words := _choices(study, dataset, name):
            by_choice.setdefault(words, []).append(f"`{name}`")
    said = [f"{listed(names)} {words}" for words, names in by_choice.items()]
    return f"Chosen on validation: {'; '.join(said)}." if said else ""


def end_words(study: Study, dataset: str) -> list[str]:
    """Which choices are the smallest or the largest of those that were tried, a sentence each."""
    found = []
    for run in study.runs_of(dataset):
        chosen = run.metrics.get("chosen") or {}
        if chosen.get("at_end"):
            tried = [each["choice"] for each in chosen["tried"] if each["choice"] is not None]
            end, better = ("smallest", "smaller") if chosen["choice"] == min(tried) else ("largest", "larger")
            who = f"`{run.config['method']}` chose {choice_words(run.metrics)} on validation"
            found.append(f"{who}, the {end} that was tried: a {better} one could be better.")
    return list(dict.fromkeys(found))


def _choices(study: Study, dataset: str, method: str) -> str:
    found = dict.fromkeys(choice_words(run.metrics) for run in study.runs_of(dataset, method))
    return listed([words for words in found if words] or [""])


def choice_words(metrics: Mapping[str, Any]) -> str:
    """What validation chose for the baseline of a run: ``half-life 5.83 days``, ``half-life infinite``,
    ``lambda 100``; empty where nothing was chosen."""
    chosen = metrics.get("chosen")
    if not chosen:
        return ""
    name, _, unit = chosen["setting"].partition(", ")
    if chosen["choice"] is None:
        return f"{name} infinite"
    value = f"{chosen['choice']:.3g}" if chosen["choice"] < 1000 else f"{chosen['choice']:,.0f}"
    return f"{name} {value} {unit}".strip()
