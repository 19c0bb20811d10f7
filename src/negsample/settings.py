"""Settings: frozen, checked at birth, with a fingerprint that is their identity.

Legend used all over the project: ``U`` users, ``V`` items (ids ``1..V``; ``0`` is "nothing here"), ``B``
sequences in a batch, ``L`` maximum length, ``T`` real positions in a batch, ``K`` negatives, ``D`` embedding
width, ``E`` evaluated events, ``Q`` queries (histories that events are ranked for).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from negsample.errors import InputError
from negsample.plugins import Registry

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


Dim = Annotated[int, Field(ge=1, description="D: width of the embeddings")]
MaxLength = Annotated[int, Field(ge=1, description="L: inputs a sequence is cut to, the latest kept")]
Dropout = Annotated[float, Field(ge=0, lt=1, description="share of activations dropped while training")]
Table = Annotated[
    Literal["dense", "rows"] | None,
    Field(description=f"a step updates all item embeddings, or its rows alone; None: rows from {ROWS_FROM:,} items on"),
]
TableDtype = Annotated[Literal["float32", "bfloat16"], Field(description="how rows are stored")]


class ModelSettings(Protocol):
    """What the settings of every backbone have; a backbone's own come beside them."""

    @property
    def backbone(self) -> str:
        """The backbone's name."""
        ...

    @property
    def dim(self) -> int:
        """D: width of the embeddings."""
        ...

    @property
    def max_length(self) -> int:
        """L: inputs that a sequence is cut to."""
        ...

    @property
    def dropout(self) -> float:
        """Share of activations dropped while training."""
        ...

    @property
    def table(self) -> Literal["dense", "rows"] | None:
        """Which item table; None: by the number of items."""
        ...

    @property
    def table_dtype(self) -> Literal["float32", "bfloat16"]:
        """How its rows are stored."""
        ...


class SASRecSettings(Settings):
    """A model of SASRec."""

    backbone: Literal["sasrec"] = Field("sasrec", description="the backbone")
    dim: Dim = 50
    max_length: MaxLength = 50
    dropout: Dropout = 0.2
    table: Table = None
    table_dtype: TableDtype = "float32"
    blocks: int = Field(2, ge=1, description="transformer blocks")
    heads: int = Field(1, ge=1, description="attention heads; must divide dim")
    init: Literal["normal", "glorot"] = Field(
        "normal", description="values of the matrices at first: N(0, 0.02), or Glorot uniform as the reference"
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> SASRecSettings:
        if self.dim % self.heads:
            raise ValueError(f"heads must divide dim, got dim {self.dim} and heads {self.heads}")
        return self


class GRU4RecSettings(Settings):
    """A model of GRU4Rec."""

    backbone: Literal["gru4rec"] = Field("gru4rec", description="the backbone")
    dim: Dim = 50
    max_length: MaxLength = 50
    dropout: Dropout = 0.2
    table: Table = None
    table_dtype: TableDtype = "float32"
    blocks: int = Field(2, ge=1, description="GRU layers")


class TrainingSettings(Settings):
    """How a model is trained; the same for every method of a study."""

    epochs: int = Field(20, ge=1, description="passes over the trained users")
    batch_size: int = Field(128, ge=1, description="sequences a step")
    learning_rate: float = Field(1e-3, gt=0, description="Adam's step size")
    windows: Literal["last", "all"] = Field(
        "last", description="targets of a longer history: its last max_length, or all, cut into several sequences"
    )
    table_optimizer: Literal["adam", "adagrad"] = Field("adam", description="of rows; adagrad: row-wise")
    table_learning_rate: float | None = Field(None, gt=0, description="of rows; None: learning_rate")
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="of the encoder's products; parameters, scores and losses are float32"
    )
    oversampling_factor: int | None = Field(
        None, ge=1, description="epochs whose batches are kept, negatives and all, and used again in later ones"
    )
    with_replacement: bool = Field(
        False,
        description="an epoch is users // batch_size batches of users drawn with replacement, as in the reference; "
        "else each trained user once",
    )
    padding: Literal["omit", "count"] = Field(
        "omit",
        description="positions of the B x L of a batch without an item: no part of the loss, or counted in its means "
        "as the reference does (sasrec only)",
    )
    eval_every: int = Field(1, ge=1, description="epochs between validations")


class EvaluationSettings(Settings):
    """How a trained model is measured."""

    history: History = Field("frozen", description="what the model knows at evaluation")
    filter_seen: bool = Field(
        False, description="leave items of the history out of the ranking; a repeat is then never a hit"
    )
    k: Annotated[tuple[Annotated[int, Field(ge=1, le=10_000)], ...], Field(min_length=1)] = Field(
        (1, 5, 10, 20),
        description="cut-offs of the figures, such as 5,10,50; 10, by which epochs are chosen, is always one",
    )

    @field_validator("k", mode="before")
    @classmethod
    def _is_a_list(cls, value: Any) -> Any:
        """A number alone, or text with commas, is one too."""
        return value.split(",") if isinstance(value, str) else [value] if isinstance(value, int) else value

    @field_validator("k", mode="after")
    @classmethod
    def _is_ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(sorted({*value, 10}))


class MachineSettings(Settings):
    """What concerns the machine and not the numbers: no part of a run's identity."""

    score_memory: int = Field(
        1024,
        ge=1,
        description="MiB that scores may take; beyond, they are computed in parts, and again for the gradient",
    )


class RunSettings(NamedTuple):
    """All settings of a run but those of its method; made from flat names by :func:`run_settings`."""

    model: ModelSettings
    training: TrainingSettings
    evaluation: EvaluationSettings
    machine: MachineSettings

    def flat(self) -> dict[str, Any]:
        """All of them by name, as JSON has them."""
        return {key: value for group in self for key, value in _dump(group).items()}

    def changed(self, items: int) -> dict[str, Any]:
        """What makes the numbers others than the defaults do, for a catalogue of so many ``items``."""
        resolved = self.model_replaced(table=None) if self.model.table == table_for(items) else self
        usual = run_settings(backbone=self.model.backbone).flat()
        found = {key: value for group in resolved[:3] for key, value in _dump(group).items() if value != usual[key]}
        return found if self.model.backbone == DEFAULT_BACKBONE else {"backbone": self.model.backbone} | found

    def replaced(self, **changes: Any) -> RunSettings:
        """The same with ``changes`` of flat names; another backbone keeps what it has in common with this one.

        Raises:
            InputError: as of :func:`run_settings`.
        """
        fields = setting_fields(changes.get("backbone", self.model.backbone))
        return run_settings(**({key: value for key, value in self.flat().items() if key in fields} | changes))

    def model_replaced(self, **changes: Any) -> RunSettings:
        """The same with other settings of the model."""
        return self._replace(model=self.model.model_copy(update=changes))  # type: ignore[attr-defined]

    def table(self, items: int) -> Literal["dense", "rows"]:
        """The table that is taken for a catalogue of so many items."""
        return self.model.table or table_for(items)


DEFAULT_BACKBONE = "sasrec"
_GROUPS: tuple[type[Settings], ...] = (TrainingSettings, EvaluationSettings, MachineSettings)


def _check_backbone(name: str, model: type[Settings]) -> None:
    if not (isinstance(model, type) and issubclass(model, Settings) and hasattr(model, "build")):
        raise ValueError("its settings must be a class of negsample.Settings with a method build(self, table, *, rng)")
    own = model.model_fields
    if lacking := [key for key in _COMMON if key not in own]:
        raise ValueError(f"its settings lack {', '.join(lacking)}; every backbone has {', '.join(_COMMON)}")
    if taken := [key for key in own for group in _GROUPS if key in group.model_fields]:
        raise ValueError(f"its setting {taken[0]} is one of training or evaluation; take another name")
    if own["backbone"].default != name:
        raise ValueError(f"its settings have backbone={own['backbone'].default!r} by default; it must be its name")
    model()  # all have defaults


_COMMON = ("backbone", "dim", "max_length", "dropout", "table", "table_dtype")
BACKBONES: Registry[type[Settings]] = Registry(
    "backbone", {"sasrec": SASRecSettings, "gru4rec": GRU4RecSettings}, check=_check_backbone
)
"""The settings of each backbone, by its name: :class:`ModelSettings`, and its own."""


def table_for(items: int) -> Literal["dense", "rows"]:
    """The table that is faster for a catalogue of so many items."""
    return "rows" if items >= ROWS_FROM else "dense"


def setting_fields(backbone: str = DEFAULT_BACKBONE) -> dict[str, FieldInfo]:
    """The fields of :func:`run_settings` by name, those of ``backbone`` first.

    Raises:
        InputError: there is no such backbone.
    """
    found: dict[str, FieldInfo] = {}
    for group in (_settings_of(backbone), *_GROUPS):
        found |= group.model_fields
    return found


def is_run_setting(name: str) -> bool:
    """Whether ``name`` is one of :func:`run_settings`, of any backbone."""
    return any(name in group.model_fields for group in (*BACKBONES.values(), *_GROUPS))


def run_settings(**flat: Any) -> RunSettings:
    """The settings of a run from their names, each in the group it belongs to; what is left out has its default.

    Example:
        >>> run_settings(backbone="gru4rec", epochs=5).training.epochs
        5

    Raises:
        InputError: a name is unknown, a value breaks its rule, or two do not go together.
    """
    backbone = flat.get("backbone", DEFAULT_BACKBONE)
    fields = setting_fields(backbone)
    if unknown := [key for key in flat if key not in fields]:
        others = [name for name, group in BACKBONES.items() if unknown[0] in group.model_fields]
        if others:
            raise InputError(
                f"setting {unknown[0]} is for backbone {' or '.join(others)}, and {backbone} has none; leave it out"
            )
        raise InputError(f"unknown setting '{unknown[0]}'; the settings are: {', '.join(fields)}")
    model, *rest = (
        checked(group, {key: value for key, value in flat.items() if key in group.model_fields})
        for group in (_settings_of(backbone), *_GROUPS)
    )
    made = RunSettings(model, *rest)  # type: ignore[arg-type]
    _check_together(made)
    return made


def _settings_of(backbone: Any) -> type[Settings]:
    if not isinstance(backbone, str):
        raise InputError(BACKBONES.unknown(backbone))
    return BACKBONES[backbone]


def _check_together(settings: RunSettings) -> None:
    model, training = settings.model, settings.training
    if training.padding == "count" and model.backbone != "sasrec":
        raise InputError(f"setting padding=count is for backbone sasrec, got {model.backbone}; leave it out")
    of_rows = {
        "table_optimizer": training.table_optimizer,
        "table_learning_rate": training.table_learning_rate,
        "table_dtype": model.table_dtype,
    }
    usual = setting_fields(model.backbone)
    for name, value in of_rows.items():
        if model.table != "rows" and value != usual[name].default:
            raise InputError(f"setting {name}={value} is for table=rows; set that too, or leave it out")


def _dump(group: Any) -> dict[str, Any]:
    return dict(group.model_dump(mode="json"))


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
