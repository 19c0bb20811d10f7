"""Settings that several methods have: type, rule and description of each, and whether a tuning searches it.

A method's settings are a class of these with defaults, e.g. ``random_negatives: RandomNegatives = 100``. A range of
its own replaces that of :func:`~negsample.methods.spaces.space_of`:
``random_negatives: Annotated[RandomNegatives, Whole(2, 500)] = 100``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from negsample.batches.packed import Exclude as Policy
from negsample.methods.spaces import Around as Around
from negsample.methods.spaces import OneOf as OneOf
from negsample.methods.spaces import Proposed as Proposed
from negsample.methods.spaces import Real as Real
from negsample.methods.spaces import Selected as Selected
from negsample.methods.spaces import Whole as Whole
from negsample.samplers import Per

Number = Annotated[int, Field(ge=1)]

RandomNegatives = Annotated[Number, Field(description="uniform draws"), Proposed()]
PopularityNegatives = Annotated[Number, Field(description="draws by count ** exponent"), Proposed()]
PopularityExponent = Annotated[float, Field(description="1: popularity, 0: uniform, -1: inverse")]
LogUniformNegatives = Annotated[Number, Field(description="log-uniform draws by popularity rank"), Proposed()]
InBatchNegatives = Annotated[
    Number | Literal["all"],
    Field(description="targets of the batch, without replacement; 'all': every one, shared by the batch"),
    Proposed(),
]
CohortNegatives = Annotated[Number, Field(description="draws by cohort"), Proposed()]
CacheNegatives = Annotated[Number, Field(description="draws from the cache"), Proposed()]
DrawsPer = Annotated[Per, Field(description="what shares a draw: position, sequence or batch")]
Exclude = Annotated[
    Policy,
    Field(description="items that are never negatives: none, the target, or all that the user has in train"),
]
KeptHardest = Annotated[
    Number, Field(description="number of highest scores selected for each position"), Selected(leaves=1)
]
NotKept = Annotated[
    Literal["omit", "zero"], Field(description="scores that are not selected: left out of the loss, or set to 0")
]
PickedFrom = Annotated[Number, Field(description="one is picked of this many highest scores"), Selected(leaves=1)]
Resampled = Annotated[
    Number, Field(description="score-weighted draws a position among the proposed"), Selected(leaves=0)
]
MixedNegatives = Annotated[Number, Field(description="synthetic negatives, mixtures of two proposed ones"), Around()]
LogQStrength = Annotated[float, Field(ge=0, le=1, description="strength of the log-q correction; 0: none")]
Temperature = Annotated[float, Field(gt=0, description="scores are divided by it")]

# Where the paper's own settings lie, and beyond them on either side.
PaperRandom = Annotated[RandomNegatives, Whole(2, 500)]
PaperInBatch = Annotated[InBatchNegatives, Whole(2, 200)]
PaperKept = Annotated[KeptHardest, Whole(1, 50)]
