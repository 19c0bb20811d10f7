"""The settings of a dataset, and those of a run but for its model and its method."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from negsample.settings.base import Settings

Split = Literal["timestamp", "paper", "leave-one-out", "given"]
"""How a log is split into train, validation and test; see :mod:`negsample.data.prepare.parts`."""
BY_SHARES = ("timestamp", "paper")
"""The splits that take a share of the events for validation and for test."""
READING = (
    "user",
    "item",
    "time",
    "weight",
    "time_format",
    "no_header",
    "sequences",
    "encoding",
    "where",
    "drop_untimed",
    "keep_missing_ids",
    "split",
    "split_column",
)
"""The settings of a dataset that say how its log is read."""
History = Literal["frozen", "rolling", "rolling-basket"]
"""What a model knows when it is measured; see :func:`negsample.evaluation.queries.queries`."""


class PrepareSettings(Settings):
    """How a log is read, and becomes a prepared dataset; the commands have an option for each."""

    user: str | None = Field(
        None, min_length=1, description="Column of the user, or its number; guessed when not given."
    )
    item: str | None = Field(
        None, min_length=1, description="Column of the item, or its number; guessed when not given."
    )
    time: str | None = Field(
        None, min_length=1, description="Column of the time, or two as date+time; guessed if not given."
    )
    weight: str | None = Field(
        None,
        min_length=1,
        description="Column of how much an event counts, or its number: whole numbers from 1, such as a quantity. "
        "Popularity in train and the loss of a target are weighted by it; metrics, splits and counts as of a time are "
        "not.",
    )
    time_format: str | None = Field(
        None, min_length=1, description="Form of the times, such as '%d.%m.%Y %H:%M'; recognised when not given."
    )
    no_header: bool = Field(False, description="The first line of the text is a row; columns are named by number.")
    sequences: bool = Field(False, description="Each line of the text is a user and the items in their order.")
    encoding: str | None = Field(None, min_length=1, description="Of text that is not UTF-8, such as latin-1.")
    where: str | None = Field(
        None, min_length=1, description='Only rows for which a condition of SQL holds, such as "stars >= 4".'
    )
    drop_untimed: bool = Field(False, description="Leave out rows without a time.")
    keep_missing_ids: bool = Field(False, description="Keep ids that mean 'missing' (NA, null, ...).")
    split: Split = Field(
        "timestamp",
        description="Split at a point in time (timestamp), at a row count as the paper's code (paper), take each "
        "user's last event for test and the one before for validation (leave-one-out), which says nothing about the "
        "future, or as the log says (given): in --split-column, or in the names of its files. (default: timestamp)",
    )
    split_column: str | None = Field(
        None, min_length=1, description="With --split given, the column that says train, valid or test."
    )
    drop_duplicates: bool = Field(False, description="Leave out exact duplicates of another (user, item, time).")
    drop_repeats: Literal["consecutive", "all"] | None = Field(
        None,
        description="Leave out events on the item of the user's event before (consecutive), or on any item that the "
        "user had before (all).",
    )
    min_user_events: int = Field(1, ge=1, description="Leave out users with fewer events, counted once.")
    min_item_events: int = Field(1, ge=1, description="Leave out items with fewer events, counted once.")
    k_core: int = Field(
        1,
        ge=1,
        description="Leave out users and items with fewer events, and count again, until all that are left have so "
        "many.",
    )
    valid_fraction: float = Field(0.05, gt=0, lt=1, description="Share of events for validation, of a split in time.")
    test_fraction: float = Field(0.05, gt=0, lt=1, description="Share of events for test, of a split in time.")
    cold: Literal["keep", "drop"] = Field(
        "keep",
        description="Items in no train event: keep them in the catalogue (as tail items), or drop them and their "
        "events.",
    )

    def reading(self) -> dict[str, Any]:
        """What :func:`~negsample.data.log.read.read_log` takes."""
        of_split = {"ordered": self.split not in BY_SHARES, "given": self.split == "given"}
        return self.model_dump(include={*READING} - {"split"}) | of_split

    @model_validator(mode="after")
    def _leaves_train(self) -> PrepareSettings:
        usual = PrepareSettings.model_fields
        given = [name for name in ("valid_fraction", "test_fraction") if getattr(self, name) != usual[name].default]
        if given and self.split not in BY_SHARES:
            raise ValueError(f"{' and '.join(given)} would have no effect with split={self.split}; leave it out")
        if self.split_column is not None and self.split != "given":
            raise ValueError(f"split_column is for split=given, got split={self.split}; take that, or leave it out")
        if self.valid_fraction + self.test_fraction >= 1:
            raise ValueError(
                f"valid_fraction {self.valid_fraction} + test_fraction {self.test_fraction} must stay below 1"
            )
        return self


class TrainingSettings(Settings):
    """How a model is trained; the same for every method of a study."""

    epochs: int = Field(
        20,
        ge=1,
        description="passes over the users, with early_stop at most; 100 for compare, train and tune, unless --preset "
        "paper or reference",
    )
    early_stop: int = Field(
        0,
        ge=0,
        description="stop training when validation has not improved for so many validated epochs; 0: never; 5 for "
        "compare, train and tune, unless --preset paper or reference",
    )
    batch_size: int = Field(128, ge=1, description="sequences a step")
    learning_rate: float = Field(1e-3, gt=0, description="Adam's step size")
    windows: Literal["last", "all"] = Field(
        "last",
        description="targets of a history longer than max_length: the last max_length, or all, in several sequences",
    )
    targets: Literal["rows", "moments", "horizon"] = Field(
        "rows",
        description="what is known when an event is predicted: all rows before it (rows); all events strictly earlier "
        "in time, so none of its own basket or day (moments); or all events before a cut, with cuts every "
        "so many days (horizon)",
    )
    horizon: Literal["auto"] | Annotated[float, Field(gt=0, le=36_525)] = Field(
        "auto",
        description="days between the cuts of targets=horizon; auto: as long as the validation part, which is about as "
        "long as the test part",
    )
    train_window: float | None = Field(
        None,
        gt=0,
        le=36_525,
        description="only events in the last so many days of what is trained on are targets, earlier ones are inputs "
        "only; None: all are targets",
    )
    weight_half_life: float | None = Field(
        None,
        gt=0,
        description="days after which a target counts half in the loss: 2^(-age / half-life), divided by its mean over "
        "an epoch; None: all count the same",
    )
    own_items: Literal["sampled", "exact"] | None = Field(
        None,
        description="how the user's own items are negatives: as others are (sampled), or every one of them before the "
        "target, in place of those that were drawn (exact; for methods that estimate a softmax over all items); None: "
        "exact for these methods with terms=repeats",
    )
    table_optimizer: Literal["adam", "adagrad"] = Field(
        "adam", description="optimizer of the item table with table=rows; adagrad: row-wise Adagrad"
    )
    table_learning_rate: float | None = Field(
        None, gt=0, description="of the item table with table=rows; None: learning_rate"
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32", description="of the encoder's products; parameters, scores and losses are float32"
    )
    oversampling_factor: int | None = Field(
        None,
        ge=1,
        description="sample the batches of this many epochs, with their negatives, and reuse them; None: no reuse",
    )
    with_replacement: bool = Field(
        False,
        description="an epoch has users // batch_size batches of users drawn with replacement, as in the paper's code; "
        "otherwise each user once",
    )
    padding: Literal["omit", "count"] = Field(
        "omit",
        description="positions of a batch without an item: left out of the loss, or counted in its mean as in the "
        "paper's code (sasrec only)",
    )
    eval_every: int = Field(1, ge=1, description="epochs between validations")
    refit: bool = Field(
        False,
        description="after epoch and dial are chosen on validation, train anew on train and validation for as many "
        "epochs, and test that model; True for compare and train, unless --preset paper or reference",
    )


class EvaluationSettings(Settings):
    """How a trained model is measured."""

    history: History = Field(
        "frozen",
        description="events of a user that the model knows: those before the measured part (frozen), all before each "
        "measured event (rolling), or the same and those of its own time (rolling-basket, another task)",
    )
    filter_seen: bool = Field(
        False, description="leave the items of the user's history out of the ranking; a repeat is then never a hit"
    )
    k: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = Field(
        (1, 5, 10, 20),
        description="cut-offs of the metrics, such as 5,10,50; 10 is always added, since epochs are chosen by it",
    )

    fit_terms: bool = Field(
        False,
        description="after training, fit weights of what is known at a time, and the model's share, to validation",
    )

    @field_validator("k", mode="before")
    @classmethod
    def _is_a_list(cls, value: Any) -> Any:
        """A number alone, or text with commas, is one too."""
        return value.split(",") if isinstance(value, str) else [value] if isinstance(value, int) else value

    @field_validator("k", mode="after")
    @classmethod
    def _is_ascending(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value:
            raise ValueError("input should be at least one number")
        return tuple(sorted({*value, 10}))


class MachineSettings(Settings):
    """What concerns the machine and not the numbers: no part of a run's identity."""

    score_memory: int = Field(
        1024,
        ge=1,
        description="MiB that scores may take; larger scores are computed in parts, and again for the gradient",
    )
