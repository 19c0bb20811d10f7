"""The settings of models: what every backbone has, and the settings of each by its name."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from negsample.plugins import Registry
from negsample.settings.base import Settings
from negsample.settings.groups import EvaluationSettings, MachineSettings, TrainingSettings
from negsample.settings.terms import TERMS

DEFAULT_BACKBONE = "sasrec"
GROUPS: tuple[type[Settings], ...] = (TrainingSettings, EvaluationSettings, MachineSettings)
"""The settings of a run beside those of its model."""
ROWS_FROM = 50_000  # items: from here on a step over the rows of a batch is the faster one


class ModelSettings(Settings):
    """What every backbone has; the settings of one inherit from it, with its name as default of ``backbone``."""

    backbone: str = Field("", description="the backbone")
    dim: int = Field(50, ge=1, description="D: width of the embeddings")
    max_length: int = Field(50, ge=1, description="L: number of items that a history is cut to; the latest are kept")
    dropout: float = Field(0.2, ge=0, lt=1, description="share of activations set to 0 in training")
    table: Literal["dense", "rows", "sharded"] | None = Field(
        None,
        description="a step updates all item embeddings (dense), or those in use (rows), which are divided over the "
        "processes that torchrun starts (sharded, for train); "
        f"None: rows from {ROWS_FROM:,} items on",
    )
    table_dtype: Literal["float32", "bfloat16"] = Field(
        "float32", description="type in which item embeddings are stored"
    )
    terms: tuple[str, ...] = Field(
        (),
        description="what is known at the time of a target and added to scores with learned weights: popularity of all "
        "time, recency (popularity lately), repeats (the user's own items), and those of plugins; names with commas",
    )

    @field_validator("terms", mode="before")
    @classmethod
    def _is_a_list(cls, value: Any) -> Any:
        """Text with commas is one too."""
        return tuple(each for each in value.split(",") if each) if isinstance(value, str) else value

    @field_validator("terms", mode="after")
    @classmethod
    def _are_terms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if each not in TERMS:
                raise ValueError(TERMS.unknown(each))
        return tuple(sorted(set(value)))


class SASRecSettings(ModelSettings):
    """A model of SASRec."""

    backbone: Literal["sasrec"] = Field("sasrec", description="the backbone")
    blocks: int = Field(2, ge=1, description="transformer blocks")
    heads: int = Field(1, ge=1, description="attention heads; must divide dim")
    init: Literal["normal", "glorot"] = Field(
        "normal", description="initial values of matrices: N(0, 0.02), or Glorot uniform as in the paper's code"
    )

    @model_validator(mode="after")
    def _heads_divide(self) -> SASRecSettings:
        if self.dim % self.heads:
            raise ValueError(f"heads must divide dim, got dim {self.dim} and heads {self.heads}")
        return self


class GRU4RecSettings(ModelSettings):
    """A model of GRU4Rec."""

    backbone: Literal["gru4rec"] = Field("gru4rec", description="the backbone")
    blocks: int = Field(2, ge=1, description="GRU layers")


class TermsSettings(ModelSettings):
    """No sequence model: the scores are those of the terms alone."""

    backbone: Literal["terms"] = Field("terms", description="the backbone")
    terms: tuple[str, ...] = Field(
        ("popularity", "recency", "repeats"), min_length=1, description=ModelSettings.model_fields["terms"].description
    )

    @model_validator(mode="after")
    def _has_no_states(self) -> TermsSettings:
        for name in ("dim", "dropout"):
            if getattr(self, name) != ModelSettings.model_fields[name].default:
                raise ValueError(f"backbone terms has no states, so {name} would do nothing; leave it out")
        return self


def _check_backbone(name: str, model: type[ModelSettings]) -> None:
    if not (isinstance(model, type) and issubclass(model, ModelSettings) and hasattr(model, "build")):
        raise ValueError(
            "its settings must be a class of negsample.ModelSettings with a method build(self, table, *, rng)"
        )
    if taken := [key for key in model.model_fields for group in GROUPS if key in group.model_fields]:
        raise ValueError(f"its setting {taken[0]} is one of training or evaluation; take another name")
    if (default := model.model_fields["backbone"].default) != name:
        raise ValueError(f"its settings have backbone={default!r} by default; it must be its name")
    model()  # all have defaults


BACKBONES: Registry[type[ModelSettings]] = Registry(
    "backbone", {"sasrec": SASRecSettings, "gru4rec": GRU4RecSettings, "terms": TermsSettings}, check=_check_backbone
)
"""The settings of each backbone, by its name."""


def default_table(items: int) -> Literal["dense", "rows"]:
    """The table that is faster for a catalogue of so many items."""
    return "rows" if items >= ROWS_FROM else "dense"
