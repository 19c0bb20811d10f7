"""What the files of a MODEL folder say: a recommender with all that it knows, which needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from negsample.data.dataset import Dataset
from negsample.data.manifest import Manifest
from negsample.files.checksums import LIST, write_list
from negsample.files.folders import write_json
from negsample.plugins import check_sources
from negsample.runs.folder import Run
from negsample.runs.items import write_items
from negsample.runs.job import Job
from negsample.scoring.dial import LARGEST
from negsample.settings import run_settings

ABOUT = "model.json"
FORMAT = 1
TABLE = "table.weight"
"""The item vectors among the weights."""


class Member(BaseModel):
    """One of the models whose scores are averaged: its ``weights``, a file; the ``seed`` and ``epochs`` of its
    training, and the epochs for which it was ``trained_on`` after that; ``terms``: what was fitted (see
    :class:`negsample.models.terms.TermWeights`), empty where nothing was."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    weights: str
    seed: int
    epochs: int
    trained_on: int = Field(0, ge=0)
    terms: dict[str, Any]

    @field_validator("weights")
    @classmethod
    def _is_here(cls, value: str) -> str:
        if Path(value).name != value or not value.endswith(".safetensors"):
            raise ValueError(f"{value!r} is no name of a .safetensors file in this folder")
        return value


class About(BaseModel):
    """``model.json``: what a recommender is.

    ``members``: see :class:`Member`. ``dial``: the setting that it answers with where none is asked for. ``until``:
    microseconds since 1970; all that it knows was before. ``recent_half_life``: days, of the popularity lately that
    people without history are answered with; null: all time. ``promise``: the study's test figures of the method at
    this dial, means over its runs. ``not_in_time``: why they say nothing about the future; null: they do.
    ``untrained``: items that came after the training. ``manifest``: of the log.
    """

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    format: int
    method: str
    members: list[Member] = Field(min_length=1)
    settings: dict[str, Any]
    negatives: dict[str, Any]
    plugins: dict[str, Any] = {}
    dial: float = Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)
    until: int
    recent_half_life: float | None = Field(gt=0)
    promise: dict[str, float | None] = {}
    not_in_time: str | None = None
    untrained: int = Field(0, ge=0)
    users: int = Field(ge=1)
    items: int = Field(ge=1)
    events: int = Field(ge=1)
    manifest: Manifest
    versions: dict[str, str]

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Of a study that is split in time it says nothing of another split, as in earlier versions, which read it."""
        return {key: value for key, value in dump(self).items() if key != "not_in_time" or value is not None}

    @field_validator("format")
    @classmethod
    def _is_read(cls, value: int) -> int:
        if value != FORMAT:
            raise ValueError(f"{value}, this version reads {FORMAT}")
        return value


def write_model(
    folder: Path, about: About, known: Dataset, item_ids: pl.Series, user_ids: pl.Series, targets: NDArray[np.int64]
) -> None:
    """What a MODEL has beside the weights of its members, which are in ``folder``, and its list."""
    write_items(folder, item_ids, known.train_counts, targets)
    pl.DataFrame({"user": user_ids}).write_parquet(folder / "users.parquet")
    users = np.repeat(np.arange(known.users, dtype=np.int32), np.diff(known.offsets))
    weight = {} if known.weights is None else {"weight": known.weights}
    events = pl.DataFrame({"user": users, "item": known.items, "time": known.times, **weight})
    events.write_parquet(folder / "events.parquet")
    write_json(folder / ABOUT, about.model_dump())


def list_model(folder: Path, known: Dataset) -> None:
    """The list of the files of a MODEL, which is whole with it."""
    write_list(folder / LIST, "model", known.fingerprint, [path.name for path in folder.iterdir()])


def is_model(folder: Path) -> bool:
    """Whether ``folder`` holds a MODEL, intact or damaged."""
    return (folder / ABOUT).exists()


def job_of(about: About, data: Dataset, seed: int = 0) -> Job:
    """What a member was trained by, on ``data``.

    Raises:
        InputError: a setting is none, or it needs a plugin.
    """
    settings = run_settings(**about.settings)
    parts = settings.model.backbone, settings.model.terms
    check_sources("the model", about.plugins, about.method, *parts)
    return Job(data, about.method, seed, settings, about.negatives)


def about_of(runs: Sequence[Run], members: Sequence[Member], known: Dataset, until: int, **more: Any) -> About:
    """What a recommender of these runs of one method is, which knows the events of ``known``, before ``until``."""
    config, metrics = runs[0].config, runs[0].metrics
    return About(
        format=FORMAT,
        method=config["method"],
        members=list(members),
        settings=config["settings"],
        negatives=config["negatives"],
        plugins=config.get("plugins", {}),
        until=until,
        users=known.users,
        items=known.catalogue_size,
        events=len(known.items),
        manifest=known.manifest,
        versions={name: version(name) for name in ("negsample", "torch")},
        **({"dial": metrics["dial"], "recent_half_life": None} | more),
    )
