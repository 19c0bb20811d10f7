"""``study.json``: written from this model, and read by it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class StudyFile(BaseModel):
    """What a study is.

    ``created``: when, in ISO 8601. ``methods``: baselines after all others. ``repeats``: runs of a method.
    ``settings``: those that all runs have in common. ``runs``: their names, finished or not; ``oversampling``: of those
    that are shown beside the table. ``tunings``: names of the summaries. ``dial``: how it was chosen. What else a
    command notes is kept too. ``folds``: of each log, whose datasets stand one after another; None: no folds.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    format: Literal[1] = 1
    negsample: str
    created: str
    datasets: list[str]
    methods: list[str]
    repeats: int
    settings: dict[str, Any]
    runs: list[str]
    oversampling: list[str] = []
    tunings: list[str] = []
    machine: dict[str, Any]
    dial: str = "none"
    preset: str = "default"
    tune_trials: int | None = None
    folds: int | None = None
