"""Binary cross-entropy over all that is proposed; what differs is how."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import Field

from negsample.losses import bce, gbce, gbce_beta
from negsample.methods import fields
from negsample.methods.definition import Catalogue, Method, MethodDefinition
from negsample.methods.shared import in_batch, mixed, popularity, uniform
from negsample.methods.spaces import Whole
from negsample.miners import KeepAll
from negsample.settings import Settings


class Random(Settings):
    """Uniform draws."""

    random_negatives: fields.PaperRandom = 100
    draws_per: fields.DrawsPer = "sequence"
    exclude: fields.Exclude = "history"


class ByPopularity(Settings):
    """Draws by popularity."""

    popularity_negatives: Annotated[fields.PopularityNegatives, Whole(2, 500)] = 100
    popularity_exponent: fields.PopularityExponent = 1.0
    draws_per: fields.DrawsPer = "sequence"
    exclude: fields.Exclude = "history"


class InverseOfPopularity(Settings):
    """Draws of rare items first."""

    popularity_negatives: fields.PopularityNegatives = 100
    popularity_exponent: fields.PopularityExponent = -1.0
    draws_per: fields.DrawsPer = "sequence"
    exclude: fields.Exclude = "history"


class FromBatch(Settings):
    """Draws from the batch."""

    in_batch_negatives: fields.PaperInBatch = 100
    draws_per: fields.DrawsPer = "sequence"
    exclude: fields.Exclude = "history"


class Mixed(Settings):
    """Draws from the batch and uniform ones."""

    in_batch_negatives: fields.PaperInBatch = 10
    random_negatives: fields.PaperRandom = 100
    draws_per: fields.DrawsPer = "sequence"
    exclude: fields.Exclude = "history"


class Calibrated(Settings):
    """Uniform draws, and a loss calibrated for their number."""

    random_negatives: fields.RandomNegatives = 256
    calibration: Annotated[float, Field(ge=0, le=1, description="t of gBCE; 0: BCE")] = 0.75
    draws_per: fields.DrawsPer = "sequence"
    exclude: fields.Exclude = "target"


def _calibrated(c: Catalogue, n: Calibrated) -> Method:
    gbce_beta(1, c.items, n.calibration)  # what it refuses is an error before any step
    loss = partial(gbce, items=c.items, t=n.calibration, negatives="sum")
    return Method(uniform(c, n), KeepAll(), loss)


METHODS: dict[str, MethodDefinition[Any]] = {
    "random": MethodDefinition(
        settings=Random,
        build=lambda c, n: Method(uniform(c, n), KeepAll(), bce),
        sampler="uniform over the catalogue",
        miner="all",
        loss="BCE",
        paper="SASRec, Kang & McAuley (ICDM); RNS",
        year=2018,
        formula="ids ~ 1/V;  loss = mean softplus(-s+) + mean softplus(s)",
        take=(
            "As the standard baseline; when accuracy in total matters and a preference for popular items is acceptable."
        ),
        serves=(
            "Popular items are often targets and rarely negatives, so their scores stay high: the head is served, mid "
            "and tail hardly."
        ),
    ),
    "popularity": MethodDefinition(
        settings=ByPopularity,
        build=lambda c, n: Method(popularity(c, n), KeepAll(), bce),
        sampler="by train count ** exponent",
        miner="all",
        loss="BCE",
        paper="word2vec, Mikolov et al. (NeurIPS); PNS",
        year=2013,
        formula="ids ~ count^gamma / sum count^gamma;  loss = BCE",
        take=(
            "When the head is recommended too much and lower total accuracy is acceptable. An exponent between 0 and 1 "
            "lies between random and this."
        ),
        serves=(
            "An item is a negative as often as it is a target, which removes its popularity from its score: the head "
            "falls, mid and tail rise. Items without a train event are never negatives."
        ),
    ),
    "in-batch": MethodDefinition(
        settings=FromBatch,
        build=lambda c, n: Method(in_batch(c, n), KeepAll(), bce),
        sampler="targets of the batch, without replacement",
        miner="all",
        loss="BCE",
        paper="GRU4Rec, Hidasi et al. (ICLR); BNS",
        year=2016,
        formula="ids: K targets of the batch without replacement;  loss = BCE",
        take=(
            "When item vectors are costly to compute (by an encoder): those of the batch are computed already. Draws "
            "follow the popularity of targets."
        ),
        serves="As popularity: the head falls, mid and tail rise.",
    ),
    "mixed": MethodDefinition(
        settings=Mixed,
        build=lambda c, n: Method(mixed(c, n), KeepAll(), bce),
        sampler="in-batch and random together",
        miner="all",
        loss="BCE",
        paper="MNS, Yang et al. (WWW)",
        year=2020,
        formula="ids: K_b in-batch and K_r random;  loss = BCE",
        take=(
            "Between random and in-batch, by the ratio of the two numbers of negatives; rare items are negatives too."
        ),
        serves="Between random and in-batch, by their ratio.",
    ),
    "inverse-popularity": MethodDefinition(
        settings=InverseOfPopularity,
        build=lambda c, n: Method(popularity(c, n), KeepAll(), bce),
        sampler="by train count ** -1",
        miner="all",
        loss="BCE",
        paper="the exponent -1 of PNS (the paper, section 3)",
        year=2024,
        formula="ids ~ count^-1 / sum count^-1;  loss = BCE",
        take=(
            "As the opposite extreme, for comparison: it teaches low scores for rare items. Rarely useful in practice."
        ),
        serves="The negatives are rare items: mid and tail almost disappear, and the head does not gain.",
    ),
    "gsasrec": MethodDefinition(
        settings=Calibrated,
        build=_calibrated,
        sampler="uniform over the catalogue",
        miner="all",
        loss="gBCE",
        paper="gSASRec, Petrov & Macdonald (RecSys)",
        year=2023,
        formula="a = m/(V-1), beta = a (t (1 - 1/a) + 1/a);  loss = mean [beta softplus(-s+) + sum softplus(s)]",
        take=(
            "When scores should be probabilities although negatives are sampled: gBCE corrects overconfidence. Needs "
            "many negatives and more epochs than BCE."
        ),
        serves=(
            "As random with better calibrated scores: the head keeps its advantage, mid gains, the tail is hardly "
            "served."
        ),
    ),
}
