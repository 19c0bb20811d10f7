"""How methods were tuned before the study: read back from ``STUDY/tuning/*.json`` and checked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from negsample.errors import InputError
from negsample.files.checksums import LIST, Checksums, settled

Value = bool | int | float | str | None
"""What a searched setting may be: a number, or a word such as ``all``."""


_CHECKED = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)  # a later version may write more


class Trial(BaseModel):
    """One training of a search. ``value``: best validation HR@10 (fraction), of a pruned one so far; ``ndcg``: NDCG@10
    at that epoch; ``epochs`` trained; ``seconds`` of training."""

    model_config = _CHECKED

    number: int = Field(ge=0)
    state: Literal["complete", "pruned", "failed"]
    params: dict[str, Value]
    value: float | None = Field(ge=0, le=1)
    ndcg: float | None = Field(ge=0, le=1)
    best_epoch: int | None = None
    epochs: int = Field(ge=0)
    seconds: float = Field(ge=0)

    @model_validator(mode="after")
    def _has_a_value(self) -> Trial:
        if self.state == "complete" and None in (self.value, self.ndcg):
            raise ValueError("a complete trial has a value and an NDCG@10")
        return self


class Best(BaseModel):
    """The trial whose settings the study's runs use."""

    model_config = _CHECKED

    number: int
    params: dict[str, Value]
    value: float


class Tuning(BaseModel):
    """The search of one method on one dataset: ``planned`` trials of at most ``epochs`` each, ``seconds`` in all.

    ``space``: what was searched, in words by setting.
    """

    model_config = _CHECKED

    format: Literal[1]
    dataset: str
    dataset_fingerprint: str
    method: str
    objective: Literal["hr@10"]
    epochs: int = Field(ge=1)
    planned: int = Field(ge=1)
    seed: int
    trials: list[Trial]
    best: Best | None
    seconds: float = Field(ge=0)
    space: dict[str, str] = {}

    @model_validator(mode="after")
    def _best_is_a_trial(self) -> Tuning:
        if self.best is not None and self.best.number not in {trial.number for trial in self.trials}:
            raise ValueError(f"best is trial {self.best.number}, which is not among the trials")
        return self

    def of_state(self, state: str) -> list[Trial]:
        """The trials that are ``complete``, ``pruned`` or ``failed``."""
        return [trial for trial in self.trials if trial.state == state]

    def searched(self) -> dict[str, list[Any]]:
        """The values that were tried of each setting that was varied, in order, numbers before words."""
        tried: dict[str, list[Any]] = {}
        for trial in self.trials:
            for name, value in trial.params.items():
                if value not in tried.setdefault(name, []):
                    tried[name].append(value)
        return {name: sorted(values, key=in_order) for name, values in tried.items() if len(values) > 1}


class Order(NamedTuple):
    """By which values are sorted."""

    word: bool
    number: float
    text: str


def in_order(value: Any) -> Order:
    """Numbers ascending, then words."""
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return Order(not plain, float(value) if plain else 0.0, "" if plain else str(value))


def read_tunings(
    folder: Path, about: Mapping[str, Any], manifests: Mapping[str, Mapping[str, Any]]
) -> dict[tuple[str, str], Tuning]:
    """The searches that a study names, in ``folder``, by dataset and method in the study's order.

    A study that was not tuned names none: what another search left in the folder is not its own.

    Raises:
        InputError: a file is missing, damaged, of another study or another version of its dataset, or comes twice.
    """
    found: dict[tuple[str, str], Tuning] = {}
    named = about.get("tunings", [])
    if not (isinstance(named, list) and all(isinstance(name, str) for name in named)):
        raise InputError(
            f"{folder.parent / 'study.json'} is damaged ('tunings' is {named!r}); run `negsample compare` again"
        )
    for path in (folder / f"{name}.json" for name in named):
        if not path.is_file():
            raise InputError(f"{path} is missing, which study.json lists; run `negsample compare` again")
        tuning = settled(path.with_name(f"{path.stem}.{LIST}"), "tuning", partial(_read, path.name))
        key = tuning.dataset, tuning.method
        if tuning.dataset not in manifests or tuning.method not in about["methods"]:
            raise InputError(f"{path} is of {tuning.method} on {tuning.dataset}, which study.json does not list")
        fingerprint = manifests[tuning.dataset]["fingerprint"]
        if tuning.dataset_fingerprint != fingerprint:
            raise InputError(
                f"{path} was made on another version of '{tuning.dataset}' (fingerprint {tuning.dataset_fingerprint},"
                f" the study's is {fingerprint}); delete it and run `negsample compare` again"
            )
        if key in found:
            raise InputError(f"{path}: {tuning.method} on {tuning.dataset} was tuned in another file too; delete one")
        found[key] = tuning
    order = [(dataset, method) for dataset in manifests for method in about["methods"]]
    return {key: found[key] for key in order if key in found}


def _read(name: str, listed: Checksums) -> Tuning:
    content = listed.read(name)
    try:
        return Tuning.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        what = f"{where}: {first['msg']}" if where else first["msg"]
        raise listed.damaged(name, what) from None
