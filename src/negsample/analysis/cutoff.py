"""Whether training was cut off: whether validation was still rising when the epochs were over."""

from __future__ import annotations

import math
from typing import NamedTuple

from negsample.analysis.study import Study
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
    runs = [run for run in study.trained() if run.config["dataset"] == dataset]
    late = [run for run in runs if run.metrics["best_epoch"] > _epochs(run) - _tail(run)]
    if 2 * len(late) <= len(runs):
        return None
    longest = max(late, key=_epochs)
    tuned = bool(study.tunings_of(dataset)) or study.published_settings
    return CutOff(len(late), len(runs), _tail(longest), _epochs(longest), tuned)


def _epochs(run: Run) -> int:
    return int(run.config["settings"]["epochs"])


def _tail(run: Run) -> int:
    """At least one epoch."""
    return math.ceil(_epochs(run) / _LAST)
