"""Whether training was cut off: whether validation was still rising when the epochs were over."""

from __future__ import annotations

import math
from typing import NamedTuple

from negsample.analysis.reading import POPULAR, Study
from negsample.runs.folder import Run

_LAST = 5  # the last one in so many epochs


class CutOff(NamedTuple):
    """``late`` of ``runs`` have their best epoch among the last ``last`` of ``epochs`` (the most that a run has)."""

    late: int
    runs: int
    last: int
    epochs: int
    tuned: bool


def cut_off(study: Study, dataset: str) -> CutOff | None:
    """None where at most half of the trained runs have their best epoch on validation in the last fifth."""
    runs = [run for run in study.runs_of(dataset) if run.config["method"] != POPULAR]
    late = [run for run in runs if run.metrics["best_epoch"] > _epochs(run) - _tail(run)]
    if 2 * len(late) <= len(runs):
        return None
    longest = max(late, key=_epochs)
    tuned = bool(study.tunings_of(dataset)) or study.published_settings
    return CutOff(len(late), len(runs), _tail(longest), _epochs(longest), tuned)


def cut_off_words(found: CutOff | None) -> str:
    """What that means for the advice, and what to do; empty where there is nothing to say."""
    if found is None:
        return ""
    where = "the last" if found.last == 1 else f"among the last {found.last}"
    text = (
        f"Training was cut off: in {found.late} of {found.runs} runs the best epoch on validation is {where}"
        f" of {found.epochs}, so more epochs could change figures and order."
        f" Train longer (`--epochs {2 * found.epochs}`)"
    )
    text += "." if found.tuned else " or tune each method first (`--tune-trials 20`)."
    return f"{text} What is said here holds for {found.epochs} epochs at most:"


def _epochs(run: Run) -> int:
    return int(run.config["settings"]["epochs"])


def _tail(run: Run) -> int:
    """At least one epoch."""
    return math.ceil(_epochs(run) / _LAST)
