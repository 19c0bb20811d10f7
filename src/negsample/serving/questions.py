"""What a request may ask of the service, and what it gets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema, model_validator

from negsample.files.checksums import first_fault
from negsample.scoring.dial import LARGEST
from negsample.serving.when import since_1970

HISTORY = 10_000
"""Items of a history, at most."""
LISTED = 100_000
"""Ids of ``exclude`` and of ``only``, at most."""
MOST = 1000
"""Items of an answer, at most."""
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ].*)?")
_TIME_RULE = "a time must be ISO text such as 2011-11-30T12:00:00Z"
_ID_RULE = "an id must be text of at most 256 characters, or a whole number of 64 bits"


def _moment(value: object) -> int:
    """Microseconds since 1970 of ISO text, UTC where no zone is given."""
    try:
        if not isinstance(value, str) or not _ISO.fullmatch(value):
            raise ValueError
        found = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(_TIME_RULE) from None
    return since_1970(found)


def _moment_or_now(value: object) -> int:
    """The same, or when the request is read."""
    if value == "now":
        value = datetime.now(UTC).isoformat()
    try:
        return _moment(value)
    except ValueError:
        raise ValueError(f"{_TIME_RULE}, or now") from None


Id = Annotated[str, Field(max_length=256)] | Annotated[int, Field(ge=-(2**63), lt=2**63)]
_TEXT = {"type": "string", "format": "date-time"}
Moment = Annotated[int, BeforeValidator(_moment), Field(ge=0), WithJsonSchema(_TEXT)]
MomentOrNow = Annotated[
    int, BeforeValidator(_moment_or_now), Field(ge=0), WithJsonSchema({"anyOf": [_TEXT, {"const": "now"}]})
]


class Question(BaseModel):
    """Whom to recommend to, and how."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    user: Id | None = Field(None, description="A user that the model knows, with the history that it knows.")
    items: Annotated[list[Id], Field(max_length=HISTORY, fail_fast=True)] | None = Field(
        None, description="A history, in place of a user: ids of items in the order of time."
    )
    times: Annotated[list[Moment], Field(max_length=HISTORY, fail_fast=True)] | None = Field(
        None,
        description="When each of items was had, ISO text, UTC where no zone is given. (default: just before time)",
    )
    k: int = Field(10, ge=1, le=MOST, description="Items of the answer.")
    dial: float | None = Field(
        None,
        ge=-LARGEST,
        le=LARGEST,
        allow_inf_nan=False,
        description="Towards popular items above 0. (default: the model's)",
    )
    exclude: list[Id] = Field([], max_length=LISTED, fail_fast=True, description="Items that are not given.")
    only: Annotated[list[Id], Field(max_length=LISTED, fail_fast=True)] | None = Field(
        None, description="The only items that are given. (default: all)"
    )
    exclude_seen: bool | None = Field(
        None, description="Whether the items of the history are not given. (default: as the model was measured)"
    )
    time: MomentOrNow | None = Field(
        None,
        description="As of when, ISO text or now; what was at or after it does not count. "
        "(default: just after the last event that the model or times know)",
    )

    @model_validator(mode="after")
    def _is_of_somebody(self) -> Self:
        if (self.user is None) == (self.items is None):
            raise ValueError("give either user or items")
        if self.times is not None and (self.items is None or len(self.times) != len(self.items)):
            raise ValueError("times must be one for each of items")
        return self


@dataclass(slots=True)
class Best:
    """An item and its score."""

    item: str | int
    score: float


@dataclass(slots=True)
class Answer:
    """The best ``items``, best first. ``unknown``: items of the history that the model does not know. ``fallback``:
    whether it knows none, so that these are the items that are popular lately, with their shares as scores."""

    items: list[Best]
    unknown: int
    fallback: bool


def sentence(error: ValidationError) -> str:
    """Which field breaks which rule."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    if first["type"] == "json_invalid":
        return first["msg"]
    where = [str(each) for each in first["loc"]]
    if any(each.startswith("constrained-") for each in where):
        return f"{'.'.join(each for each in where if not each.startswith('constrained-'))}: {_ID_RULE}"
    return first_fault(error)
