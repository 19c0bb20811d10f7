"""What a generated study is to hold: its data, its methods and how good they are, and how its runs went."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from negsample.settings import ADVISED

Rates = tuple[float, float, float]
"""HR@10 on head, mid and tail."""


class Strength(NamedTuple):
    """How good a method is at dial 0: ``test`` and ``valid``; ``noise``: methods with the same have the same luck."""

    test: Rates
    valid: Rates
    noise: str
    seed_sd: float = 0.05


class Plan(NamedTuple):
    """A study to write.

    ``strengths``: by method, baselines last. ``heavy``: share of the events that one user has. ``cohorts``: shares of
    the test events on head, mid and tail. ``left_out``: share of the events that are left out of the ranking. ``late``:
    share of the runs whose best epoch is their last. ``failed``, ``missing``: how many seeds of a method failed, or are
    not done yet. ``chosen``: whether baselines chose a setting, and at the end of what was tried. ``more``: other
    settings of the runs. ``factors``: of oversampling, in runs beside the table.
    """

    strengths: Mapping[str, Strength]
    datasets: tuple[str, ...] = ("shop",)
    seeds: int = 3
    users: int = 120
    events: int = 500
    items: int = 400
    heavy: float = 0.0
    cohorts: Rates = (0.4, 0.3, 0.3)
    left_out: float = 0.0
    betas: tuple[float, ...] = (-1.0, -0.5, 0.0, 0.5, 1.0)
    dial: str = "none"
    cut_offs: tuple[int, ...] = (10, 20)
    epochs: int = 30
    early_stop: int = 5
    late: float = 0.0
    trials: int = 0
    folds: int | None = None
    refit: bool = False
    fitted: bool = False
    failed: Mapping[str, int] = {}
    missing: Mapping[str, int] = {}
    chosen: str = ""
    preset: str = "default"
    in_time: bool = True
    factors: tuple[int, ...] = ()
    more: Mapping[str, Any] = {}

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of all runs, flat, where they differ from the defaults."""
        own = {"epochs": self.epochs, "early_stop": self.early_stop, "refit": self.refit, "fit_terms": self.fitted}
        return {**ADVISED, **own, "k": list(self.cut_offs), **self.more}


def fingerprint(dataset: str) -> str:
    """Of the events of a generated dataset, by its name."""
    return f"{zlib.crc32(dataset.encode()):012x}"
