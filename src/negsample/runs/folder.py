"""A run is a folder, written whole or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from negsample.errors import InputError
from negsample.evaluation.metrics import MetricKind
from negsample.files.checksums import LIST, Checksums, first_fault
from negsample.files.folders import arrays_of
from negsample.files.together import settled
from negsample.settings import fingerprint

LOG = "log.jsonl"
"""What each epoch gave."""

REFIT_LOG = "refit.jsonl"
"""The same of a refit."""


class Config(BaseModel):
    """``config.json``: what a run is (``identity``), all its settings, and what it was done on.

    ``prepare``: how the log was prepared, where that differs from the defaults.
    """

    model_config = ConfigDict(strict=True, extra="allow")

    dataset: str
    dataset_fingerprint: str
    method: str
    seed: int
    settings: dict[str, Any]
    negatives: dict[str, Any]
    identity: dict[str, Any]
    prepare: dict[str, Any] = {}


class Refit(BaseModel):
    """That a model was trained anew on train and validation: for so many ``epochs``, which took ``seconds`` (of
    ``train_seconds``), and in words of which model the figures are."""

    model_config = ConfigDict(strict=True, extra="allow")

    epochs: int
    seconds: float
    valid_is_of: str = "the model before the refit"
    test_is_of: str = "the refitted model"
    test_before_refit_is_of: str = "the model before the refit"


class ChosenByRule(BaseModel):
    """What validation chose for a baseline: ``setting`` in words, with its unit; ``choice``, null where it is infinite;
    each that was ``tried`` with its ``ndcg@10`` on validation, null where it cannot be computed; ``at_end``: the choice
    is the smallest or the largest of them; ``seconds``, of ``train_seconds``."""

    model_config = ConfigDict(strict=True, extra="allow")

    setting: str
    choice: float | None
    tried: list[dict[str, float | None]]
    at_end: bool
    seconds: float


class FittedTerms(BaseModel):
    """What was fitted to validation after training: ``chosen``, that with the highest NDCG@10 on validation of all that
    was ``tried`` (``as trained``, and fitted at several shares of the model, 0 for terms alone), the ``weights`` of the
    model that was tested (see :class:`negsample.models.terms.TermWeights`; empty as trained), and ``seconds``."""

    model_config = ConfigDict(strict=True, extra="allow")

    chosen: str
    tried: dict[str, float]
    weights: dict[str, Any]
    seconds: float


class Metrics(BaseModel):
    """``metrics.json``: figures at the dial that was chosen (see :mod:`negsample.runs.measure`), and what they took.

    ``age_days``: of the model that was tested, see :func:`negsample.runs.age.age_in_days`; null for a baseline.
    With a ``refit`` (see :class:`Refit`) ``test`` is of the refitted model; ``valid`` and ``test_before_refit`` are of
    the one that validation chose. Without one both are empty. ``train_seconds`` of a baseline: its choice and its fit
    for the test; ``chosen``: see :class:`ChosenByRule`, empty where nothing is.
    ``terms``: see :class:`FittedTerms`, empty where none were; ``without_terms``: ``valid``, ``test`` and
    ``test_before_refit`` at dial 0 of the model as it was trained.
    """

    model_config = ConfigDict(strict=True, extra="allow")

    valid: dict[str, Any]
    test: dict[str, Any]
    best_epoch: int
    train_seconds: float
    steps_per_second: float | None
    peak_memory_bytes: int | None = Field(None, ge=0)
    dial: float
    dial_choice: str
    dial_reached: bool
    own_metrics: dict[str, str] = {}
    metric_kinds: dict[str, MetricKind] = {}
    age_days: float | None = None
    refit: Refit | dict[str, Any] = {}
    test_before_refit: dict[str, Any] = {}
    chosen: ChosenByRule | dict[str, Any] = {}
    terms: FittedTerms | dict[str, Any] = {}
    without_terms: dict[str, dict[str, Any]] = {}


class Grid(BaseModel):
    """``dial.json``: what a run gave at each of G settings of the dial, ``betas``, ascending; ``test_before_refit`` is
    empty without a refit."""

    model_config = ConfigDict(strict=True, frozen=True)

    betas: list[float] = Field(min_length=1)
    valid: list[dict[str, Any]]
    test: list[dict[str, Any]]
    test_before_refit: list[dict[str, Any]] = []

    @model_validator(mode="after")
    def _are_of_the_same_settings(self) -> Grid:
        before = len(self.test_before_refit or self.test)
        if not len(self.betas) == len(self.valid) == len(self.test) == before:
            raise ValueError("figures at other settings")
        return self


class LogLine(BaseModel):
    """A line of ``log.jsonl`` or ``refit.jsonl``: an epoch; with ``valid`` where it was validated."""

    model_config = ConfigDict(strict=True, extra="allow")

    epoch: int
    loss: float
    seconds: float
    steps: int


class Run(NamedTuple):
    """A finished run, read back.

    ``config``: see :class:`Config`; versions, machine. ``metrics``: see :class:`Metrics`, fractions by name (see
    :mod:`negsample.evaluation.figures`). ``log``: one :class:`LogLine` an epoch. ``refit``: the same of its refit;
    empty without one.
    """

    folder: Path
    config: dict[str, Any]
    metrics: dict[str, Any]
    log: list[dict[str, Any]]
    refit: list[dict[str, Any]]


def is_run(folder: Path) -> bool:
    """Whether ``folder`` holds a finished run: its list of checksums comes last."""
    return (folder / LIST).is_file()


def read_run(folder: Path) -> Run:
    """The finished run in ``folder``.

    Raises:
        InputError: there is none, or one of its files is damaged.
    """
    if not is_run(folder) and not (folder / "config.json").exists():
        raise InputError(f"{folder} holds no finished run ({LIST}); if it was one, delete it and run again")
    return settled(folder / LIST, "run", _read_run)


def _read_run(listed: Checksums) -> Run:
    named = re.search("--([0-9a-f]{12})$", listed.folder.name)
    if named and named[1] != listed.of:
        raise listed.damaged(LIST, f"it is of another run, --{listed.of}")
    config = listed.read_as(Config, "config.json").model_dump()
    if listed.of != run_fingerprint(config):
        raise listed.damaged(LIST, "it is of another run")
    metrics = listed.read_as(Metrics, "metrics.json").model_dump()
    refit = _log(listed, REFIT_LOG) if REFIT_LOG in listed.files else []
    return Run(listed.folder, config, metrics, _log(listed, LOG), refit)


def _log(listed: Checksums, name: str) -> list[dict[str, Any]]:
    try:
        return [LogLine.model_validate_json(line).model_dump() for line in listed.read(name).splitlines()]
    except ValidationError as error:
        raise listed.damaged(name, first_fault(error)) from None


def run_fingerprint(config: Mapping[str, Any]) -> str:
    """What a run is, by its configuration; a study's folders of runs end with it."""
    return fingerprint(config["identity"])


def read_grid(folder: Path) -> Grid:
    """What the run in ``folder`` gave at each setting of the dial.

    Raises:
        InputError: the file is damaged.
    """
    return settled(folder / LIST, "run", lambda listed: listed.read_as(Grid, "dial.json"))


def read_ranks(folder: Path, settings: int) -> dict[str, NDArray[np.float64]]:
    """``valid_GE`` and ``test_GE``: the rank of every event at each of so many ``settings`` of the dial.

    Raises:
        InputError: the file is damaged.
    """

    def read(listed: Checksums) -> dict[str, NDArray[np.float64]]:
        ranks = arrays_of(listed, "ranks.npz", ("valid_GE", "test_GE"))
        if any(each.ndim != 2 or len(each) != settings for each in ranks.values()):
            raise listed.damaged("ranks.npz", "ranks at other settings")
        return ranks

    return settled(folder / LIST, "run", read)
