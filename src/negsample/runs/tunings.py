"""How a method was tuned: the summary that a search writes and a report reads, by one model."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Value = bool | int | float | str | None
"""What a searched setting may be: a number, or a word such as ``all``."""


_NEAR = 0.05  # of the range of a setting, by its logarithm

_CHECKED = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Trial(BaseModel):
    """One training of a search. ``value``: best validation HR@10 (fraction), of a pruned one so far; ``ndcg``: NDCG@10
    at that epoch, which tells equal ones apart; ``epochs`` trained; ``seconds`` of training; ``error``: why it
    failed."""

    model_config = _CHECKED

    number: int = Field(ge=0)
    state: Literal["complete", "pruned", "failed"]
    params: dict[str, Value]
    value: float | None = Field(ge=0, le=1)
    ndcg: float | None = Field(ge=0, le=1)
    best_epoch: int | None = None
    epochs: int = Field(ge=0)
    seconds: float = Field(ge=0)
    error: str | None = None

    @property
    def rank(self) -> tuple[float, float]:
        """By which trials are compared: HR@10, of equal ones NDCG@10."""
        return self.value or 0.0, self.ndcg or 0.0

    @model_validator(mode="after")
    def _has_a_value(self) -> Trial:
        if self.state == "complete" and None in (self.value, self.ndcg):
            raise ValueError("a complete trial has a value and an NDCG@10")
        return self


class BestTrial(BaseModel):
    """The trial whose settings the study's runs use."""

    model_config = _CHECKED

    number: int
    params: dict[str, Value]
    value: float
    ndcg: float | None = None


class TuningSummary(BaseModel):
    """The search of one method on one dataset: ``planned`` trials of at most ``epochs`` each, ``seconds`` in all.

    ``space``: what was searched, in words by setting; ``bounds``: its smallest and largest value.
    """

    model_config = _CHECKED

    format: Literal[1]
    dataset: str
    dataset_fingerprint: str
    method: str
    objective: Literal["hr@10"]
    epochs: int = Field(ge=1)
    settings: dict[str, Any] = {}
    negatives: dict[str, Any] = {}
    planned: int = Field(ge=1)
    seed: int
    trials: list[Trial]
    best: BestTrial | None
    seconds: float = Field(ge=0)
    space: dict[str, str] = {}
    bounds: dict[str, tuple[float, float]] = {}

    @model_validator(mode="after")
    def _best_is_a_trial(self) -> TuningSummary:
        if self.best is not None and self.best.number not in {trial.number for trial in self.trials}:
            raise ValueError(f"best is trial {self.best.number}, which is not among the trials")
        return self

    def of_state(self, state: str) -> list[Trial]:
        """The trials that are ``complete``, ``pruned`` or ``failed``."""
        return [trial for trial in self.trials if trial.state == state]

    def at_an_end(self) -> list[str]:
        """The settings whose best value lies within a twentieth of an end of what was searched, by its logarithm."""
        if self.best is None:
            return []
        return [name for name, ends in self.bounds.items() if _near_an_end(self.best.params.get(name), *ends)]

    def searched(self) -> dict[str, list[Any]]:
        """The values that were tried of each setting that was varied, in order, numbers before words."""
        tried: dict[str, list[Any]] = {}
        for trial in self.trials:
            for name, value in trial.params.items():
                if value not in tried.setdefault(name, []):
                    tried[name].append(value)
        return {name: sorted(values, key=in_order) for name, values in tried.items() if len(values) > 1}


def _near_an_end(value: Value, low: float, high: float) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < low < high or value <= 0:
        return False
    share = math.log(value / low) / math.log(high / low)
    return share < _NEAR or share > 1 - _NEAR


def in_order(value: Any) -> tuple[bool, float, str]:
    """By which values are sorted: numbers ascending, then words."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return not plain, float(value) if plain else 0.0, "" if plain else str(value)
