"""Settings: frozen, checked at birth, with a fingerprint that is their identity.

Legend used all over the project: ``U`` users, ``V`` items (ids ``1..V``; ``0`` is "nothing here"), ``B``
sequences in a batch, ``L`` maximum length, ``T`` real positions in a batch, ``K`` negatives, ``D`` embedding
width, ``E`` evaluated events, ``Q`` queries (histories that events are ranked for).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from negsample.errors import InputError

M = TypeVar("M", bound=BaseModel)
History = Literal["frozen", "rolling", "rolling-basket"]
"""What a model knows when it is measured; see :func:`negsample.evaluation.evaluate.queries`."""
_LARGEST = 2**31 - 1  # of a whole number
_LEAST, _MOST = 1.5e-45, 1e38  # of any other
ROWS_FROM = 50_000  # items: from here on a step over the rows of a batch is the faster one


class Settings(BaseModel):
    """Frozen, all keys known, and numbers that are numbers: finite, of 32 bits, never true or false."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _is_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) and cls.model_fields[str(info.field_name)].annotation is not bool:
            raise ValueError("input should not be true or false")
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise ValueError(f"input should be at most {_LARGEST}")
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _is_of_32_bits(cls, value: Any) -> Any:
        """What is computed with them is float32, where a larger number is infinite and a smaller one is 0."""
        for each in value if isinstance(value, tuple) else (value,):
            if isinstance(each, float) and each and not _LEAST <= abs(each) <= _MOST:
                raise ValueError(f"input should be 0 or of a size from {_LEAST} to {_MOST}")
        return value


class PrepareSettings(Settings):
    """How a log becomes a prepared dataset."""

    user: str | None = Field(None, min_length=1, description="column of the user; None: guessed from the usual names")
    item: str | None = Field(None, min_length=1, description="column of the item; None: guessed from the usual names")
    time: str | None = Field(None, min_length=1, description="column of the time; None: guessed from the usual names")
    keep_missing_ids: bool = Field(False, description="text that says 'missing' (NA, null, ...) is an id")
    min_user_events: int = Field(1, ge=1, description="users with fewer events are left out")
    min_item_events: int = Field(1, ge=1, description="items with fewer events are left out")
    split: Literal["timestamp", "paper"] = Field("timestamp", description="rule of the global temporal split")
    valid_fraction: float = Field(0.05, gt=0, lt=1, description="share of events for validation")
    test_fraction: float = Field(0.05, gt=0, lt=1, description="share of events for test, the latest")
    cold: Literal["keep", "drop"] = Field("keep", description="items in no train event: in the catalogue?")

    def reading(self) -> dict[str, Any]:
        """Those of them that :func:`~negsample.data.log.read.read_log` takes."""
        return self.model_dump(include={"user", "item", "time", "keep_missing_ids"})

    @model_validator(mode="after")
    def _leaves_train(self) -> PrepareSettings:
        if self.valid_fraction + self.test_fraction >= 1:
            raise ValueError(
                f"valid_fraction {self.valid_fraction} + test_fraction {self.test_fraction} must stay below 1"
            )
        return self


class TrainSettings(Settings):
    """How a model is built, trained and measured; the same for every method of a study."""

    epochs: int = Field(20, ge=1, description="passes over the trained users")
    batch_size: int = Field(128, ge=1, description="sequences a step")
    learning_rate: float = Field(1e-3, gt=0, description="Adam's step size")
    max_length: int = Field(50, ge=1, description="L: inputs a sequence is cut to, the latest kept")
    windows: Literal["last", "all"] = Field(
        "last", description="targets of a longer history: its last max_length, or all, cut into several sequences"
    )
    dim: int = Field(50, ge=1, description="D: width of the embeddings")
    model: Literal["sasrec", "gru4rec"] = Field("sasrec", description="the backbone")
    blocks: int = Field(2, ge=1, description="transformer blocks, or GRU layers")
    heads: int = Field(1, ge=1, description="attention heads of sasrec; must divide dim")
    dropout: float = Field(0.2, ge=0, lt=1, description="share of activations dropped while training")
    table: Literal["dense", "rows"] | None = Field(
        None,
        description=f"a step updates all item embeddings, or its rows alone; None: rows from {ROWS_FROM:,} items on",
    )
    table_optimizer: Literal["adam", "adagrad"] = Field("adam", description="of rows; adagrad: row-wise")
    table_learning_rate: float | None = Field(None, gt=0, description="of rows; None: learning_rate")
    table_dtype: Literal["float32", "bfloat16"] = Field("float32", description="how rows are stored")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="of the encoder's products; what is learned, scores and losses are float32"
    )
    score_memory: int = Field(
        1024,
        ge=1,
        description="MiB that scores may take; beyond, they are computed in parts, and again for the gradient",
    )
    oversampling_factor: int | None = Field(
        None, ge=1, description="epochs whose batches are kept, negatives and all, and used again in later ones"
    )
    init: Literal["normal", "glorot"] = Field(
        "normal", description="values of sasrec's matrices at first: N(0, 0.02), or Glorot uniform as the reference"
    )
    with_replacement: bool = Field(
        False,
        description="an epoch is users // batch_size batches of users drawn with replacement, as in the reference; "
        "else each trained user once",
    )
    padding: Literal["omit", "count"] = Field(
        "omit",
        description="places of the B x L of a batch without an item: no part of the loss, or counted in its means as "
        "the reference does",
    )
    eval_every: int = Field(1, ge=1, description="epochs between looks at validation")
    history: History = Field("frozen", description="what the model knows at evaluation")
    filter_seen: bool = Field(
        False, description="leave items of the history out of the ranking; a repeat is then never a hit"
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> TrainSettings:
        if self.dim % self.heads:
            raise ValueError(f"heads must divide dim, got dim {self.dim} and heads {self.heads}")
        if self.model == "gru4rec" and self.heads != 1:
            raise ValueError(f"heads={self.heads} does nothing: gru4rec has no attention; leave it out")
        return self

    @model_validator(mode="after")
    def _is_of_sasrec(self) -> TrainSettings:
        for name in ("init", "padding"):
            if self.model != "sasrec" and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name}={getattr(self, name)} is for model=sasrec, got {self.model}; leave it out")
        return self

    @model_validator(mode="after")
    def _rows_are_asked_for(self) -> TrainSettings:
        for name in ("table_optimizer", "table_learning_rate", "table_dtype"):
            if self.table != "rows" and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"{name}={getattr(self, name)} is for table=rows; set that too, or leave it out")
        return self

    def table_at(self, items: int) -> Literal["dense", "rows"]:
        """The table that is taken for a catalogue of so many items."""
        return self.table or ("rows" if items >= ROWS_FROM else "dense")


def canonical_json(value: Any) -> str:
    """One text for equal settings: sorted keys, no spaces, pydantic models as dicts."""

    def plain(other: Any) -> Any:
        if isinstance(other, BaseModel):
            return other.model_dump(mode="json")
        raise TypeError(f"not a setting: {other!r}")

    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=plain, allow_nan=False)


def fingerprint(value: Any) -> str:
    """The first 12 hex digits of the SHA-256 of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:12]


def checked(model: type[M], values: Mapping[str, Any]) -> M:
    """``model(**values)``, with pydantic's complaint turned into one line for a person.

    Raises:
        InputError: a key is unknown or a value breaks its rule.
    """
    try:
        return model(**values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"][:1])
        if first["type"] == "extra_forbidden":
            known = ", ".join(model.model_fields)
            raise InputError(f"unknown setting '{key}'; the settings are: {known}") from None
        of_key = [
            each for each in error.errors() if each["loc"][:1] == first["loc"][:1]
        ]  # two for a field of two types
        rules = [each["msg"].removeprefix("Value error, ") for each in of_key]
        rule = ", or ".join(f"{each[:1].lower()}{each[1:]}" for each in rules)
        where = f"setting {key}={first['input']!r}: " if key else ""
        raise InputError(f"{where}{rule}") from None
