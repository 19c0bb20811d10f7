"""Softmax over the targets of the batch, and of earlier ones."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from negsample.losses import corrected_log_q, sampled_softmax
from negsample.methods.definition import Catalogue, Method, MethodDefinition
from negsample.methods.fields import CORRECTED, PER_BATCH, Number, settings
from negsample.methods.shared import corrected, entry, in_batch, softmax
from negsample.miners import BatchMix, Chain, KeepAll, LogQ, Resample, Temperature
from negsample.samplers import Cache, InBatch, MemoryBank, Mixture

_Concentration = Annotated[float, Field(gt=0, description="a of the mixture's share ~ Beta(a, a)")]
_BankSize = Annotated[Number, Field(description="targets of earlier batches kept")]
_WarmUp = Annotated[int, Field(ge=0, description="batches before the bank is used")]
_CacheSize = Annotated[Number, Field(description="chosen negatives kept in the cache")]


def _cross_batch(c: Catalogue, n: Any) -> Method:
    bank = MemoryBank(n.bank_size, warm_up=n.warm_up, counts=c.target_counts)
    pool = Mixture(InBatch(n.in_batch_negatives, counts=c.target_counts, per="batch"), bank)
    return Method(pool, corrected(n), sampled_softmax, memory=bank)


def _xir(c: Catalogue, n: Any) -> Method:
    kept = Cache(c.items, n.cache_negatives, size=n.cache_size)
    pool = Mixture(in_batch(c, n), kept)
    miner = Chain(Temperature(n.temperature), Resample(n.resampled, cache=kept), LogQ(n.log_q_strength))
    return Method(pool, miner, sampled_softmax, memory=kept)


METHODS: dict[str, MethodDefinition[Any]] = {
    "in-batch-softmax": entry(
        settings=settings(in_batch_negatives=512, temperature=1.0, **PER_BATCH),
        build=lambda c, n: Method(in_batch(c, n), KeepAll(), softmax(n)),
        parts=("targets of the batch, shared", "all", "softmax"),
        source=("GRU4Rec's cross-entropy, Hidasi et al. (ICLR)", 2016),
        formula="ids: targets of the batch, shared;  loss = -s+ + log(exp(s+) + sum exp(s))",
        take="When the tail counts more than total accuracy: without correction, popularity is subtracted from scores.",
        serves="It learns s - log p: the head falls furthest here, mid and tail rise.",
    ),
    "in-batch-log-q": entry(
        settings=settings(in_batch_negatives=512, **CORRECTED, **PER_BATCH),
        build=lambda c, n: Method(in_batch(c, n), corrected(n, positives=True), sampled_softmax),
        parts=("targets of the batch, shared", "all, log-q on targets too", "softmax"),
        source=("Sampling-bias-corrected neural modeling, Yi et al. (RecSys)", 2019),
        formula="s' = s - log(m q_b), s+' = s+ - log(m p+);  loss = -s+' + log(exp(s+') + sum exp(s'))",
        take=(
            "The form of two-tower models in production; corrected-log-q costs the same without its bias. The target "
            "is corrected by its share of all targets, negatives by their share of other users' targets."
        ),
        serves=(
            "The correction gives the head back what in-batch draws removed. The target is corrected too, although it "
            "was not drawn, which leaves a bias against popular targets."
        ),
    ),
    "corrected-log-q": entry(
        settings=settings(in_batch_negatives=512, **CORRECTED, **PER_BATCH),
        build=lambda c, n: Method(in_batch(c, n), corrected(n, without_masked=True), corrected_log_q),
        parts=("targets of the batch, shared", "all, log-q without what is masked", "corrected log-q"),
        source=("Correcting the LogQ correction, Khrylchenko et al. (RecSys)", 2025),
        formula=(
            "q' = q_b / (1 - Q), Q = sum of q_b over all that is masked at the position (by default the target), m "
            "what is not;  s' = s - log(m q');  loss = (1 - P) (-s+ + log sum exp(s')), P = exp(s+) / (exp(s+) + sum "
            "exp(s')), 1 - P without gradient"
        ),
        take="The in-batch estimate of full cross-entropy; its gradient is sampled softmax's, the target uncorrected.",
        serves="As full cross-entropy over other users' targets: accurate for popular items, noisy in the tail.",
    ),
    "batch-mix": entry(
        settings=settings(
            in_batch_negatives=512,
            mixed_negatives=512,
            mix_concentration=(_Concentration, 1.0),
            **CORRECTED,
            **PER_BATCH,
        ),
        build=lambda c, n: Method(
            in_batch(c, n), Chain(corrected(n), BatchMix(n.mixed_negatives, a=n.mix_concentration)), sampled_softmax
        ),
        parts=("targets of the batch, shared", "all, log-q, and mixtures of two (no estimate)", "softmax"),
        source=("BMNS, Fan et al. (CIKM)", 2023),
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
    "cross-batch": entry(
        settings=settings(
            in_batch_negatives=512, bank_size=(_BankSize, 2048), warm_up=(_WarmUp, 100), **CORRECTED, exclude="target"
        ),
        build=_cross_batch,
        parts=("targets of the batch and of earlier ones, shared", "all, log-q", "softmax"),
        source=("CBNS, Wang et al. (SIGIR)", 2021),
        formula="ids: targets of the batch and the last C before it (no gradient);  s' = s - log(m q_b);  softmax",
        take="When small batches have few negatives; where an encoder makes the vectors, earlier ones cost nothing.",
        serves="As corrected-log-q with more negatives: less noise for mid and tail.",
    ),
    "xir": entry(
        settings=settings(
            in_batch_negatives=512,
            cache_negatives=512,
            cache_size=(_CacheSize, 4096),
            resampled=128,
            **CORRECTED,
            **PER_BATCH,
        ),
        build=_xir,
        parts=("targets of the batch and a cache of what was hard, shared", "draws by exp(s - log q)", "softmax"),
        source=("XIR, Chen et al. (NeurIPS)", 2022),
        formula="pool: in-batch and cache;  draws ~ exp(s - log q);  s'' = s - log q'', q'' = exp(s) / Z;  softmax",
        take="When the gradient should come from few informative items; the cache proposes again what was hard before.",
        serves="As full cross-entropy, with the gradient on high scores; through the cache these include tail items.",
    ),
}
