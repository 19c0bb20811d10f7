"""Binary cross-entropy over all that is proposed; what differs is how."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import Field

from negsample.losses import bce, gbce, gbce_beta
from negsample.methods.definition import Catalogue, Method, MethodDefinition
from negsample.methods.fields import PER_SEQUENCE, Whole, settings
from negsample.methods.shared import in_batch, mixed, popularity, uniform
from negsample.miners import KeepAll


def _calibrated(c: Catalogue, n: Any) -> Method:
    gbce_beta(1, c.items, n.calibration)  # what it refuses is an error before any step
    loss = partial(gbce, items=c.items, t=n.calibration, negatives="sum")
    return Method(uniform(c, n), KeepAll(), loss)


METHODS: dict[str, MethodDefinition[Any]] = {
    "random": MethodDefinition(
        settings=settings(random_negatives=(Whole(2, 500), 100), **PER_SEQUENCE),
        build=lambda c, n: Method(uniform(c, n), KeepAll(), bce),
        sampler="uniform over the catalogue",
        loss="BCE",
        paper="SASRec, Kang & McAuley (ICDM); RNS",
        year=2018,
        formula="ids ~ 1/V;  loss = mean softplus(-s+) + mean softplus(s)",
        take="As the standard baseline, when total accuracy matters and a preference for popular items is acceptable.",
        serves="Popular items are often targets, rarely negatives, so they score high; mid and tail are hardly served.",
    ),
    "popularity": MethodDefinition(
        settings=settings(popularity_negatives=(Whole(2, 500), 100), popularity_exponent=1.0, **PER_SEQUENCE),
        build=lambda c, n: Method(popularity(c, n), KeepAll(), bce),
        sampler="by train count ** exponent",
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
        settings=settings(in_batch_negatives=(Whole(2, 200), 100), **PER_SEQUENCE),
        build=lambda c, n: Method(in_batch(c, n), KeepAll(), bce),
        sampler="targets of the batch, without replacement",
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
        settings=settings(
            in_batch_negatives=(Whole(2, 200), 10), random_negatives=(Whole(2, 500), 100), **PER_SEQUENCE
        ),
        build=lambda c, n: Method(mixed(c, n), KeepAll(), bce),
        sampler="in-batch and random together",
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
        settings=settings(popularity_negatives=100, popularity_exponent=-1.0, **PER_SEQUENCE),
        build=lambda c, n: Method(popularity(c, n), KeepAll(), bce),
        sampler="by train count ** -1",
        loss="BCE",
        paper="the exponent -1 of PNS (the paper, section 3)",
        year=2024,
        formula="ids ~ count^-1 / sum count^-1;  loss = BCE",
        take="As the opposite extreme for comparison: it teaches low scores for rare items. Rarely useful in practice.",
        serves="The negatives are rare items: mid and tail almost disappear, and the head does not gain.",
    ),
    "gsasrec": MethodDefinition(
        settings=settings(
            random_negatives=256,
            calibration=(Annotated[float, Field(ge=0, le=1, description="t of gBCE; 0: BCE")], 0.75),
            draws_per="sequence",
            exclude="target",
        ),
        build=_calibrated,
        sampler="uniform over the catalogue",
        loss="gBCE",
        paper="gSASRec, Petrov & Macdonald (RecSys)",
        year=2023,
        formula="a = m/(V-1), beta = a (t (1 - 1/a) + 1/a);  loss = mean [beta softplus(-s+) + sum softplus(s)]",
        take=(
            "When scores should be probabilities although negatives are sampled: gBCE corrects overconfidence. Needs "
            "many negatives and more epochs than BCE."
        ),
        serves="As random but better calibrated: the head keeps its advantage, mid gains, the tail is hardly served.",
    ),
}
