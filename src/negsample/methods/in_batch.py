"""Softmax over the targets of the batch."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from negsample.losses import corrected_log_q, sampled_softmax
from negsample.methods import fields
from negsample.methods.definition import Catalogue, Method, MethodDefinition
from negsample.methods.shared import corrected, in_batch, softmax
from negsample.miners import BatchMix, Chain, KeepAll
from negsample.settings import Settings


class OfBatch(Settings):
    """Shared draws from the batch."""

    in_batch_negatives: fields.InBatchNegatives = 512
    temperature: fields.Temperature = 1.0
    draws_per: fields.DrawsPer = "batch"
    exclude: fields.Exclude = "target"


class OfBatchCorrected(Settings):
    """Shared draws from the batch, corrected."""

    in_batch_negatives: fields.InBatchNegatives = 512
    log_q_strength: fields.LogQStrength = 1.0
    temperature: fields.Temperature = 1.0
    draws_per: fields.DrawsPer = "batch"
    exclude: fields.Exclude = "target"


class MixedItems(Settings):
    """Shared draws from the batch, and mixtures of two."""

    in_batch_negatives: fields.InBatchNegatives = 512
    mixed_negatives: fields.MixedNegatives = 512
    mix_concentration: Annotated[float, Field(gt=0, description="a of the mixture's share ~ Beta(a, a)")] = 1.0
    log_q_strength: fields.LogQStrength = 1.0
    temperature: fields.Temperature = 1.0
    draws_per: fields.DrawsPer = "batch"
    exclude: fields.Exclude = "target"


def _batch_mix(c: Catalogue, n: MixedItems) -> Method:
    mix = BatchMix(n.mixed_negatives, a=n.mix_concentration)
    miner = Chain(corrected(n), mix)
    return Method(in_batch(c, n), miner, sampled_softmax)


METHODS: dict[str, MethodDefinition[Any]] = {
    "in-batch-softmax": MethodDefinition(
        settings=OfBatch,
        build=lambda c, n: Method(in_batch(c, n), KeepAll(), softmax(n)),
        sampler="targets of the batch, shared",
        miner="all",
        loss="softmax",
        paper="GRU4Rec's cross-entropy, Hidasi et al. (ICLR)",
        year=2016,
        formula="ids: targets of the batch, shared;  loss = -s+ + log(exp(s+) + sum exp(s))",
        take=(
            "When the tail matters more than total accuracy: without a correction, popularity is subtracted from every "
            "score."
        ),
        serves="It learns s - log p: the head falls furthest here, mid and tail rise.",
    ),
    "in-batch-log-q": MethodDefinition(
        settings=OfBatchCorrected,
        build=lambda c, n: Method(in_batch(c, n), corrected(n, positives=True), sampled_softmax),
        sampler="targets of the batch, shared",
        miner="all, log-q on targets too",
        loss="softmax",
        paper="Sampling-bias-corrected neural modeling, Yi et al. (RecSys)",
        year=2019,
        formula="s' = s - log(m q_b), s+' = s+ - log(m p+);  loss = -s+' + log(exp(s+') + sum exp(s'))",
        take=(
            "The form used by two-tower models in production; corrected-log-q costs the same and does not have its "
            "bias. The target is corrected by its share of all targets, negatives by their share of other users' "
            "targets."
        ),
        serves=(
            "The correction gives the head back what in-batch draws removed. The target is corrected too, although it "
            "was not drawn, which leaves a bias against popular targets."
        ),
    ),
    "corrected-log-q": MethodDefinition(
        settings=OfBatchCorrected,
        build=lambda c, n: Method(in_batch(c, n), corrected(n, without_masked=True), corrected_log_q),
        sampler="targets of the batch, shared",
        miner="all, log-q without what is masked",
        loss="corrected log-q",
        paper="Correcting the LogQ correction, Khrylchenko et al. (RecSys)",
        year=2025,
        formula=(
            "q' = q_b / (1 - Q), Q = sum of q_b over all that is masked at the position (by default the target), m "
            "what is not;  s' = s - log(m q');  loss = (1 - P) (-s+ + log sum exp(s')), P = exp(s+) / (exp(s+) + sum "
            "exp(s')), 1 - P without gradient"
        ),
        take=(
            "As the in-batch estimate of full cross-entropy. Its gradient is that of sampled softmax with an "
            "uncorrected score of the target."
        ),
        serves=(
            "As full cross-entropy over the items that are a target of another user; accurate for popular items, noisy "
            "in the tail."
        ),
    ),
    "batch-mix": MethodDefinition(
        settings=MixedItems,
        build=_batch_mix,
        sampler="targets of the batch, shared",
        miner="all, log-q, and mixtures of two (no estimate)",
        loss="softmax",
        paper="BMNS, Fan et al. (CIKM)",
        year=2023,
        formula=(
            "synthetic: lambda e_i + (1 - lambda) e_j, lambda ~ Beta(a, a), i and j in-batch;  s' = s - log(m q_b);  "
            "softmax over both"
        ),
        take=(
            "When a batch has too few distinct items: mixtures of two items are harder negatives. It is no estimate of "
            "full cross-entropy, because the synthetic items are in its partition too."
        ),
        serves="As in-batch with log-q; mixtures give smoother scores of rare items.",
    ),
}
