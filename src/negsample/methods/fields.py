"""Settings that several methods have: type, rule and description of each, and whether a tuning searches it.

A method's settings are a class of these with defaults, e.g. ``random_negatives: RandomNegatives = 100``; negsample's
own are made by :func:`settings`. A range of its own replaces that of :func:`~negsample.methods.spaces.space_of`:
``random_negatives: Annotated[RandomNegatives, Whole(2, 500)] = 100``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field, create_model

from negsample.batches.packed import Exclude as Policy
from negsample.samplers import Per
from negsample.settings import Settings


class Around(NamedTuple):
    """Marks a number that is searched from a twentieth of its default to five times that."""


class Proposed(NamedTuple):
    """Marks a number of proposed negatives; searched like :class:`Around`."""


class Selected(NamedTuple):
    """Marks how many of the proposed negatives are selected; searched like :class:`Around`.

    ``leaves``: how many a search leaves unselected. Who keeps them all selects nothing, and is another method.
    """

    leaves: int


class Among(NamedTuple):
    """The settings of a method that are numbers of proposed negatives, and those that select, with what they leave."""

    proposed: tuple[str, ...] = ()
    selected: tuple[tuple[str, int], ...] = ()


class Whole(NamedTuple):
    """Whole numbers from ``low`` to ``high``, both included, evenly by their logarithm; ``among``: what bounds them."""

    low: int
    high: int
    among: Among | None = None

    def __str__(self) -> str:
        return f"{self.low} to {self.high}"


class Real(NamedTuple):
    """Numbers from ``low`` to ``high``, evenly by their logarithm."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


class OneOf(NamedTuple):
    """One of some values."""

    values: tuple[int, ...]

    def __str__(self) -> str:
        return ", ".join(map(str, self.values))


Space = Whole | Real | OneOf

Number = Annotated[int, Field(ge=1)]

RandomNegatives = Annotated[Number, Field(description="uniform draws"), Proposed()]
PopularityNegatives = Annotated[Number, Field(description="draws by count ** exponent"), Proposed()]
PopularityExponent = Annotated[float, Field(description="1: popularity, 0: uniform, -1: inverse")]
RecentNegatives = Annotated[Number, Field(description="draws by recent popularity"), Proposed()]
HalfLife = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False, description="days after which an event counts half in recent popularity"),
    Real(0.04, 400),
]
LogUniformNegatives = Annotated[Number, Field(description="log-uniform draws by popularity rank"), Proposed()]
InBatchNegatives = Annotated[
    Number | Literal["all"],
    Field(description="targets of the batch, without replacement; 'all': every one, shared by the batch"),
    Proposed(),
]
CohortNegatives = Annotated[Number, Field(description="draws by cohort"), Proposed()]
CacheNegatives = Annotated[Number, Field(description="draws from the cache"), Proposed()]
DrawsPer = Annotated[Per, Field(description="what shares a draw: position, sequence or batch")]
DrawsPerTime = Annotated[
    Literal["sequence", "position"],
    Field(description="what shares a draw, as of its first target's time: sequence or position"),
]
Exclude = Annotated[
    Policy, Field(description="items that are never negatives: none, the target, or all that the user has in train")
]
KeptHardest = Annotated[Number, Field(description="number of highest scores selected for each position"), Selected(1)]
NotKept = Annotated[
    Literal["omit", "zero"], Field(description="scores that are not selected: left out of the loss, or set to 0")
]
PickedFrom = Annotated[Number, Field(description="one is picked of this many highest scores"), Selected(1)]
Resampled = Annotated[Number, Field(description="score-weighted draws a position among the proposed"), Selected(0)]
MixedNegatives = Annotated[Number, Field(description="synthetic negatives, mixtures of two proposed ones"), Around()]
LogQStrength = Annotated[float, Field(ge=0, le=1, description="strength of the log-q correction; 0: none")]
Temperature = Annotated[float, Field(gt=0, description="scores are divided by it")]

BY_NAME: Mapping[str, Any] = {
    "random_negatives": RandomNegatives,
    "popularity_negatives": PopularityNegatives,
    "popularity_exponent": PopularityExponent,
    "recent_negatives": RecentNegatives,
    "half_life": HalfLife,
    "log_uniform_negatives": LogUniformNegatives,
    "in_batch_negatives": InBatchNegatives,
    "cohort_negatives": CohortNegatives,
    "cache_negatives": CacheNegatives,
    "draws_per": DrawsPer,
    "exclude": Exclude,
    "kept_hardest": KeptHardest,
    "not_kept": NotKept,
    "picked_from": PickedFrom,
    "resampled": Resampled,
    "mixed_negatives": MixedNegatives,
    "log_q_strength": LogQStrength,
    "temperature": Temperature,
}
CORRECTED = {"log_q_strength": 1.0, "temperature": 1.0}
"""The whole log-q correction, of scores as they are."""
PER_SEQUENCE = {"draws_per": "sequence", "exclude": "history"}
"""Of a negative that the user did not choose: a sequence has draws of its own, without what its user has."""
PER_BATCH = {"draws_per": "batch", "exclude": "target"}
"""Of an estimate of cross-entropy over the catalogue: the batch shares its draws, and all other items count."""


def settings(**defaults: Any) -> type[Settings]:
    """A class of settings from their defaults: ``settings(draws_per="batch", resampled=(Whole(2, 9), 4), a=(int, 1))``.

    A shared setting has the type of its name, and may have a range of its own; one that is not shared gives its type.
    """
    made: dict[str, Any] = {}
    for name, given in defaults.items():
        kind, default = given if isinstance(given, tuple) else (BY_NAME[name], given)
        made[name] = (Annotated[BY_NAME[name], kind] if isinstance(kind, Space) else kind, default)
    return create_model("MethodSettings", __base__=Settings, **made)
