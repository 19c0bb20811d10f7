"""Binary cross-entropy over all that is proposed; what differs is how."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import Field

from negsample.losses import bce, gbce, gbce_beta
from negsample.methods.definition import Catalogue, Method, MethodDefinition
from negsample.methods.fields import PER_SEQUENCE, Whole, settings
from negsample.methods.shared import entry, in_batch, mixed, popularity, uniform
from negsample.miners import KeepAll


def _calibrated(c: Catalogue, n: Any) -> Method:
    gbce_beta(1, c.items, n.calibration)  # what it refuses is an error before any step
    loss = partial(gbce, items=c.items, t=n.calibration, negatives="sum")
    return Method(uniform(c, n), KeepAll(), loss)


METHODS: dict[str, MethodDefinition[Any]] = {
    "random": entry(
        settings=settings(random_negatives=(Whole(2, 500), 100), **PER_SEQUENCE),
        build=lambda c, n: Method(uniform(c, n), KeepAll(), bce),
        parts=("uniform over the catalogue", "all", "BCE"),
        source=("SASRec, Kang & McAuley (ICDM); RNS", 2018),
        formula="ids ~ 1/V;  loss = mean softplus(-s+) + mean softplus(s)",
        take="As the standard baseline, when total accuracy matters and a preference for popular items is acceptable.",
        serves="Popular items are often targets, rarely negatives, so they score high; mid and tail are hardly served.",
    ),
    "popularity": entry(
        settings=settings(popularity_negatives=(Whole(2, 500), 100), popularity_exponent=1.0, **PER_SEQUENCE),
        build=lambda c, n: Method(popularity(c, n), KeepAll(), bce),
        parts=("by train count ** exponent", "all", "BCE"),
        source=("word2vec, Mikolov et al. (NeurIPS); PNS", 2013),
        formula="ids ~ count^gamma / sum count^gamma;  loss = BCE",
        take="When the head is recommended too much, at some cost in accuracy. Exponents below 1 are nearer to random.",
        serves=(
            "An item is a negative as often as it is a target, which removes its popularity from its score: the head "
            "falls, mid and tail rise. Items without a train event are never negatives."
        ),
    ),
    "in-batch": entry(
        settings=settings(in_batch_negatives=(Whole(2, 200), 100), **PER_SEQUENCE),
        build=lambda c, n: Method(in_batch(c, n), KeepAll(), bce),
        parts=("targets of the batch, without replacement", "all", "BCE"),
        source=("GRU4Rec, Hidasi et al. (ICLR); BNS", 2016),
        formula="ids: K targets of the batch without replacement;  loss = BCE",
        take="When item vectors are costly to compute: those of the batch are there. Draws follow target popularity.",
        serves="As popularity: the head falls, mid and tail rise.",
    ),
    "mixed": entry(
        settings=settings(
            in_batch_negatives=(Whole(2, 200), 10), random_negatives=(Whole(2, 500), 100), **PER_SEQUENCE
        ),
        build=lambda c, n: Method(mixed(c, n), KeepAll(), bce),
        parts=("in-batch and random together", "all", "BCE"),
        source=("MNS, Yang et al. (WWW)", 2020),
        formula="ids: K_b in-batch and K_r random;  loss = BCE",
        take="Between random and in-batch, by the ratio of the two numbers of negatives; rare items are negatives too.",
        serves="Between random and in-batch, by their ratio.",
    ),
    "inverse-popularity": entry(
        settings=settings(popularity_negatives=100, popularity_exponent=-1.0, **PER_SEQUENCE),
        build=lambda c, n: Method(popularity(c, n), KeepAll(), bce),
        parts=("by train count ** -1", "all", "BCE"),
        source=("the exponent -1 of PNS (the paper, section 3)", 2024),
        formula="ids ~ count^-1 / sum count^-1;  loss = BCE",
        take="As the opposite extreme for comparison: it teaches low scores for rare items. Rarely useful in practice.",
        serves="The negatives are rare items: mid and tail almost disappear, and the head does not gain.",
    ),
    "gsasrec": entry(
        settings=settings(
            random_negatives=256,
            calibration=(Annotated[float, Field(ge=0, le=1, description="t of gBCE; 0: BCE")], 0.75),
            draws_per="sequence",
            exclude="target",
        ),
        build=_calibrated,
        parts=("uniform over the catalogue", "all", "gBCE"),
        source=("gSASRec, Petrov & Macdonald (RecSys)", 2023),
        formula="a = m/(V-1), beta = a (t (1 - 1/a) + 1/a);  loss = mean [beta softplus(-s+) + sum softplus(s)]",
        take="For scores as probabilities: gBCE corrects overconfidence. Needs many negatives, more epochs than BCE.",
        serves="As random but better calibrated: the head keeps its advantage, mid gains, the tail is hardly served.",
    ),
}
