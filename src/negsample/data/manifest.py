"""The manifest of a prepared dataset: what it was made of, and the counts of its events."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, field_validator, model_serializer

from negsample.data.names import safe_name
from negsample.settings import PrepareSettings

FORMAT = 4
MANIFEST = "manifest.json"


class CohortFacts(BaseModel):
    """Items of one popularity cohort.

    ``item_share``: of the catalogue, a fraction. ``mpu``: median over the items of the share of users who have the
    item, in %; None: no items. ``test_events``: all of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    items: int
    item_share: float
    train_events: int
    mpu: float | None
    test_events: int


class Fold(BaseModel):
    """Which fold of a log a dataset is: ``number`` of ``folds``, from 1 in the order of time; ``log``: its name."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    log: str
    number: int
    folds: int


class Manifest(BaseModel):
    """What a prepared dataset is; times are ISO text, UTC, and null where the log has none.

    ``source``: the log. ``notes``: a sentence each on how it was read and on what was left out. ``trained_users``:
    with two train events or more. ``cold_*``: items in no train event, and the events on them. ``*_without_history``:
    events of users with none in an earlier part. ``tie_share``: share of the events that share user and time with
    another. ``duplicate_events``: those whose user, item and time another one before them has. ``repeat_test_events``:
    test events of users with a history that has the item already, by what a model knows of them: what was before the
    test part (``frozen``), before the moment of the event (``rolling``), or before it in the order of rows
    (``rolling-basket``). ``fold``: which one the dataset is; None: it is the whole log. ``not_in_time``: why nothing
    about the future follows from what is measured, and there is no moment where a part starts; None: all of a part is
    before the next one. ``weight``: the column of the log that says how much an event counts; None: all count 1.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: int
    name: str
    fingerprint: str
    source: str
    settings: PrepareSettings
    notes: list[str]
    users: int
    items: int
    events: int
    train_events: int
    valid_events: int
    test_events: int
    trained_users: int
    cold_items: int
    cold_valid_events: int
    cold_test_events: int
    valid_events_without_history: int
    test_events_without_history: int
    repeat_test_events: dict[str, int]
    tie_share: float
    duplicate_events: int
    first_time: str | None
    last_time: str | None
    valid_start: str | None
    test_start: str | None
    dropped_cold_items: int
    dropped_cold_events: int
    cohorts: dict[str, CohortFacts]
    fold: Fold | None = None
    not_in_time: str | None = None
    weight: str | None = None

    @model_serializer(mode="wrap")
    def _says_what_it_is(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A dataset of a whole log says nothing of folds, and one that is split in time nothing of another."""
        usual = ("fold", "not_in_time", "weight")
        return {key: value for key, value in dump(self).items() if key not in usual or value is not None}

    @field_validator("format")
    @classmethod
    def _is_read(cls, value: int) -> int:
        if value != FORMAT:
            raise ValueError(f"{value}, this version reads {FORMAT}")
        return value

    @field_validator("name")
    @classmethod
    def _is_safe(cls, value: str) -> str:
        if safe_name(value) != value:
            raise ValueError(f"{value!r} is no name of a dataset")
        return value
