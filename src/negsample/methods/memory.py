"""Softmax over what the batch has and what is remembered of earlier ones."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from negsample.losses import sampled_softmax
from negsample.methods import fields
from negsample.methods.definition import Catalogue, Method, MethodDefinition
from negsample.methods.shared import corrected, in_batch
from negsample.miners import Chain, LogQ, Resample, Temperature
from negsample.samplers import Cache, InBatch, MemoryBank, Mixture
from negsample.settings import Settings


class OfBatches(Settings):
    """Shared draws from the batch and those before it."""

    in_batch_negatives: fields.InBatchNegatives = 512
    bank_size: Annotated[fields.Number, Field(description="targets of earlier batches kept")] = 2048
    warm_up: Annotated[int, Field(ge=0, description="batches before the bank is used")] = 100
    log_q_strength: fields.LogQStrength = 1.0
    temperature: fields.Temperature = 1.0
    exclude: fields.Exclude = "target"  # a bank is shared by the batch, so there is no draws_per


class Informative(Settings):
    """Draws by score from the batch and a cache."""

    in_batch_negatives: fields.InBatchNegatives = 512
    cache_negatives: fields.CacheNegatives = 512
    cache_size: Annotated[fields.Number, Field(description="chosen negatives kept in the cache")] = 4096
    resampled: fields.Resampled = 128
    log_q_strength: fields.LogQStrength = 1.0
    temperature: fields.Temperature = 1.0
    draws_per: fields.DrawsPer = "batch"
    exclude: fields.Exclude = "target"


def _cross_batch(c: Catalogue, n: OfBatches) -> Method:
    bank = MemoryBank(n.bank_size, warm_up=n.warm_up, counts=c.target_counts)
    pool = Mixture(InBatch(n.in_batch_negatives, counts=c.target_counts, per="batch"), bank)
    return Method(pool, corrected(n), sampled_softmax, memory=bank)


def _xir(c: Catalogue, n: Informative) -> Method:
    kept = Cache(c.items, n.cache_negatives, size=n.cache_size)
    pool = Mixture(in_batch(c, n), kept)
    miner = Chain(Temperature(n.temperature), Resample(n.resampled, cache=kept), LogQ(n.log_q_strength))
    return Method(pool, miner, sampled_softmax, memory=kept)


METHODS: dict[str, MethodDefinition[Any]] = {
    "cross-batch": MethodDefinition(
        settings=OfBatches,
        build=_cross_batch,
        sampler="targets of the batch and of earlier ones, shared",
        miner="all, log-q",
        loss="softmax",
        paper="CBNS, Wang et al. (SIGIR)",
        year=2021,
        formula=(
            "ids: targets of the batch and the last C of earlier batches, the latter without gradient;  s' = s - log(m"
            " q_b);  softmax"
        ),
        take=(
            "When batches must be small and in-batch negatives are too few; where an encoder makes the vectors, those "
            "of earlier batches cost nothing."
        ),
        serves="As corrected-log-q with more negatives: less noise for mid and tail.",
    ),
    "xir": MethodDefinition(
        settings=Informative,
        build=_xir,
        sampler="targets of the batch and a cache of what was hard, shared",
        miner="draws by exp(s - log q)",
        loss="softmax",
        paper="XIR, Chen et al. (NeurIPS)",
        year=2022,
        formula="pool: in-batch and cache;  draws ~ exp(s - log q);  s'' = s - log q'', q'' = exp(s) / Z;  softmax",
        take=(
            "When the gradient of the softmax should come from few but informative items; the cache proposes items "
            "again that were hard before."
        ),
        serves=(
            "As full cross-entropy, with the gradient on items with high scores; through the cache these include tail "
            "items."
        ),
    ),
}
