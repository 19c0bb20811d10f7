"""The table: a published name, and what sits in the three seats."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from negsample.data.popularity import cohorts
from negsample.losses import bce, bpr, bpr_max, corrected_log_q, gbce, gbce_beta, sampled_softmax
from negsample.methods.parts import Catalogue, Chosen, Method, Row
from negsample.methods.spaces import Whole
from negsample.miners import BatchMix, Chain, Hardest, KeepAll, LogQ, OneOfHardest, Resample, Temperature
from negsample.samplers import (
    Cache,
    Cohort,
    InBatch,
    LogUniform,
    MemoryBank,
    Mixture,
    Popularity,
    Uniform,
    WholeCatalogue,
    own_cohort,
)


def _uniform(c: Catalogue, n: Chosen) -> Uniform:
    return Uniform(c.items, n["random_negatives"], per=n["draws_per"])


def _in_batch(c: Catalogue, n: Chosen) -> InBatch:
    k, per = n["in_batch_negatives"], n["draws_per"]
    if k == "all" and per != "batch":
        raise ValueError(
            f"in_batch_negatives=all are shared by the batch, got draws_per={per}, which would do nothing; set "
            "draws_per=batch too, or give a number of in_batch_negatives"
        )
    return InBatch(k, counts=c.target_counts, per=per)


def _popularity(c: Catalogue, n: Chosen) -> Popularity:
    return Popularity(c.counts, n["popularity_negatives"], exponent=n["popularity_exponent"], per=n["draws_per"])


def _mixed(c: Catalogue, n: Chosen) -> Mixture:
    return Mixture(_in_batch(c, n), _uniform(c, n))


def _cohorts(c: Catalogue) -> Tensor:
    return torch.from_numpy(cohorts(c.counts.cpu().numpy())).to(c.counts.device)


def _pool(n: Chosen) -> int | None:
    """Negatives that are selected from; None where the batch says how many."""
    sizes = [n.get(key, 0) for key in ("random_negatives", "in_batch_negatives")]
    return None if "all" in sizes else sum(sizes)


def _hardest(n: Chosen) -> Hardest:
    kept, pool = n["kept_hardest"], _pool(n)
    if pool is not None and kept >= pool:
        raise ValueError(
            f"kept_hardest={kept} keeps all of {pool} negatives and selects nothing; take fewer than {pool}"
        )
    return Hardest(kept, not_kept=n["not_kept"])


def _one_of_hardest(n: Chosen) -> OneOfHardest:
    if n["picked_from"] > n["random_negatives"]:
        raise ValueError(
            f"picked_from={n['picked_from']} of random_negatives={n['random_negatives']}: there are not so many; take "
            f"at most {n['random_negatives']}"
        )
    return OneOfHardest(n["picked_from"])


def _log_q(n: Chosen, *, positives: bool = False, without_masked: bool = False) -> Chain:
    log_q = LogQ(n["log_q_strength"], positives=positives, without_masked=without_masked)
    return Chain(Temperature(n["temperature"]), log_q)


def _gbce(c: Catalogue, n: Chosen) -> Callable[[Tensor, Tensor], Tensor]:
    gbce_beta(1, c.items, n["calibration"])  # what it refuses is told before any step
    return partial(gbce, items=c.items, t=n["calibration"], negatives="sum")


def _cross_batch(c: Catalogue, n: Chosen) -> Method:
    bank = MemoryBank(n["bank_size"], warm_up=n["warm_up"], counts=c.target_counts)
    pool = Mixture(InBatch(n["in_batch_negatives"], counts=c.target_counts, per="batch"), bank)
    return Method(pool, _log_q(n), sampled_softmax, memory=bank)


def _xir(c: Catalogue, n: Chosen) -> Method:
    kept = Cache(c.items, n["cache_negatives"], size=n["cache_size"])
    pool = Mixture(_in_batch(c, n), kept)
    miner = Chain(Temperature(n["temperature"]), Resample(n["resampled"], cache=kept), LogQ(n["log_q_strength"]))
    return Method(pool, miner, sampled_softmax, memory=kept)


# How draws are shared and what is never a negative, where a method does not say otherwise. The paper's six draw once a
# sequence and leave out all that the user has; whatever stands for full cross-entropy leaves out the target alone.
_OWN = {"draws_per": "sequence", "exclude": "history"}
_SHARED = {"draws_per": "batch", "exclude": "target"}
_CORRECTED = {"log_q_strength": 1.0, "temperature": 1.0}

# Where the paper's own settings lie, and beyond them on either side.
_IN_BATCH, _RANDOM, _KEPT = (
    {key: Whole(*ends)}
    for key, ends in {"in_batch_negatives": (2, 200), "random_negatives": (2, 500), "kept_hardest": (1, 50)}.items()
)

METHODS: dict[str, Row] = {
    "random": Row(
        proposes="uniform over the catalogue",
        selects="all",
        loses="BCE",
        paper="SASRec, Kang & McAuley (ICDM); RNS",
        year=2018,
        defaults={"random_negatives": 100, **_OWN},
        build=lambda c, n: Method(_uniform(c, n), KeepAll(), bce),
        search=_RANDOM,
    ),
    "popularity": Row(
        proposes="by train count ** exponent",
        selects="all",
        loses="BCE",
        paper="word2vec, Mikolov et al. (NeurIPS); PNS",
        year=2013,
        defaults={"popularity_negatives": 100, "popularity_exponent": 1.0, **_OWN},
        build=lambda c, n: Method(_popularity(c, n), KeepAll(), bce),
        search={"popularity_negatives": Whole(2, 500)},
    ),
    "in-batch": Row(
        proposes="targets of the batch, without replacement",
        selects="all",
        loses="BCE",
        paper="GRU4Rec, Hidasi et al. (ICLR); BNS",
        year=2016,
        defaults={"in_batch_negatives": 100, **_OWN},
        build=lambda c, n: Method(_in_batch(c, n), KeepAll(), bce),
        search=_IN_BATCH,
    ),
    "mixed": Row(
        proposes="in-batch and random together",
        selects="all",
        loses="BCE",
        paper="MNS, Yang et al. (WWW)",
        year=2020,
        defaults={"in_batch_negatives": 10, "random_negatives": 100, **_OWN},
        build=lambda c, n: Method(_mixed(c, n), KeepAll(), bce),
        search=_IN_BATCH | _RANDOM,
    ),
    "adaptive": Row(
        proposes="uniform over the catalogue",
        selects="the highest scores",
        loses="BCE",
        paper="ANS, after Rendle & Freudenthaler (WSDM); the pool of the paper's text",
        year=2014,
        defaults={"random_negatives": 100, "kept_hardest": 5, "not_kept": "omit", **_OWN},
        build=lambda c, n: Method(_uniform(c, n), _hardest(n), bce),
        search=_RANDOM | _KEPT,
    ),
    "adaptive-mixed": Row(
        proposes="in-batch and random together",
        selects="the highest scores",
        loses="BCE",
        paper="AMNS, Evaluating Performance and Bias of Negative Sampling (arXiv)",
        year=2024,
        defaults={"in_batch_negatives": 10, "random_negatives": 100, "kept_hardest": 5, "not_kept": "omit", **_OWN},
        build=lambda c, n: Method(_mixed(c, n), _hardest(n), bce),
        search=_IN_BATCH | _RANDOM | _KEPT,
    ),
    "adaptive-in-batch": Row(
        proposes="targets of the batch, without replacement",
        selects="the highest scores",
        loses="BCE",
        paper="ANS over an in-batch pool: what the runs behind the paper's table did",
        year=2024,
        defaults={"in_batch_negatives": 100, "kept_hardest": 5, "not_kept": "omit", **_OWN},
        build=lambda c, n: Method(_in_batch(c, n), _hardest(n), bce),
    ),
    "inverse-popularity": Row(
        proposes="by train count ** -1",
        selects="all",
        loses="BCE",
        paper="the exponent -1 of PNS (the paper, section 3)",
        year=2024,
        defaults={"popularity_negatives": 100, "popularity_exponent": -1.0, **_OWN},
        build=lambda c, n: Method(_popularity(c, n), KeepAll(), bce),
    ),
    "cohort": Row(
        proposes="head, mid and tail in given shares, alike within each",
        selects="all",
        loses="BCE",
        paper="stratified sampling over the paper's cohorts; named here",
        year=2026,
        defaults={"cohort_negatives": 100, "cohort_shares": (1 / 3, 1 / 3, 1 / 3), **_OWN},
        build=lambda c, n: Method(
            Cohort(_cohorts(c), n["cohort_shares"], n["cohort_negatives"], per=n["draws_per"]), KeepAll(), bce
        ),
    ),
    "own-cohort": Row(
        proposes="a share from the target's own cohort, the rest from the two others",
        selects="all",
        loses="BCE",
        paper="popularity-matched negatives over the paper's cohorts; named here",
        year=2026,
        defaults={"cohort_negatives": 20, "own_cohort_share": 1.0, "exclude": "history"},
        build=lambda c, n: Method(
            Cohort(_cohorts(c), own_cohort(n["own_cohort_share"]), n["cohort_negatives"], per="position"),
            KeepAll(),
            bce,
        ),
    ),
    "bpr": Row(
        proposes="uniform over the catalogue",
        selects="all",
        loses="BPR",
        paper="BPR, Rendle et al. (UAI)",
        year=2009,
        defaults={"random_negatives": 100, **_OWN},
        build=lambda c, n: Method(_uniform(c, n), KeepAll(), bpr),
    ),
    "dns": Row(
        proposes="uniform over the catalogue",
        selects="the highest score",
        loses="BPR",
        paper="DNS, Zhang et al. (SIGIR)",
        year=2013,
        defaults={"random_negatives": 32, **_OWN},
        build=lambda c, n: Method(_uniform(c, n), Hardest(1), bpr),
        search={"random_negatives": Whole(2, 160)},  # of one, the highest is no choice
    ),
    "dns-mn": Row(
        proposes="uniform over the catalogue (M)",
        selects="one of the N highest scores",
        loses="BPR",
        paper="DNS(M, N), Shi et al. (WWW)",
        year=2023,
        defaults={"random_negatives": 100, "picked_from": 10, **_OWN},
        build=lambda c, n: Method(_uniform(c, n), _one_of_hardest(n), bpr),
    ),
    "bpr-max": Row(
        proposes="in-batch and by train count ** exponent, shared",
        selects="all",
        loses="BPR-max",
        paper="GRU4Rec with top-k gains, Hidasi & Karatzoglou (CIKM)",
        year=2018,
        defaults={
            "in_batch_negatives": 128,
            "popularity_negatives": 2048,
            "popularity_exponent": 0.75,
            "regularization": 1.0,
            **_SHARED,
        },
        build=lambda c, n: Method(
            Mixture(_in_batch(c, n), _popularity(c, n)), KeepAll(), partial(bpr_max, reg=n["regularization"])
        ),
    ),
    "gsasrec": Row(
        proposes="uniform over the catalogue",
        selects="all",
        loses="gBCE",
        paper="gSASRec, Petrov & Macdonald (RecSys)",
        year=2023,
        defaults={"random_negatives": 256, "calibration": 0.75, "draws_per": "sequence", "exclude": "target"},
        build=lambda c, n: Method(_uniform(c, n), KeepAll(), _gbce(c, n)),
    ),
    "sampled-softmax": Row(
        proposes="uniform over the catalogue, shared",
        selects="all",
        loses="softmax",
        paper="SSM, Wu et al. (TOIS)",
        year=2024,
        defaults={"random_negatives": 512, "temperature": 1.0, **_SHARED},
        build=lambda c, n: Method(_uniform(c, n), KeepAll(), partial(sampled_softmax, temperature=n["temperature"])),
    ),
    "sampled-softmax-log-q": Row(
        proposes="uniform over the catalogue, shared",
        selects="all, log-q",
        loses="softmax",
        paper="Bengio & Senecal (IEEE TNN); Jean et al. (ACL 2015)",
        year=2008,
        defaults={"random_negatives": 512, **_CORRECTED, **_SHARED},
        build=lambda c, n: Method(_uniform(c, n), _log_q(n), sampled_softmax),
    ),
    "log-uniform": Row(
        proposes="log-uniform by popularity rank, shared",
        selects="all, log-q",
        loses="softmax",
        paper="TensorFlow's log_uniform_candidate_sampler with sampled_softmax_loss",
        year=2015,
        defaults={"log_uniform_negatives": 512, **_CORRECTED, **_SHARED},
        build=lambda c, n: Method(
            LogUniform(c.counts, n["log_uniform_negatives"], per=n["draws_per"]), _log_q(n), sampled_softmax
        ),
    ),
    "in-batch-softmax": Row(
        proposes="targets of the batch, shared",
        selects="all",
        loses="softmax",
        paper="GRU4Rec's cross-entropy, Hidasi et al. (ICLR)",
        year=2016,
        defaults={"in_batch_negatives": 512, "temperature": 1.0, **_SHARED},
        build=lambda c, n: Method(_in_batch(c, n), KeepAll(), partial(sampled_softmax, temperature=n["temperature"])),
    ),
    "in-batch-log-q": Row(
        proposes="targets of the batch, shared",
        selects="all, log-q on targets too",
        loses="softmax",
        paper="Sampling-bias-corrected neural modeling, Yi et al. (RecSys)",
        year=2019,
        defaults={"in_batch_negatives": 512, **_CORRECTED, **_SHARED},
        build=lambda c, n: Method(_in_batch(c, n), _log_q(n, positives=True), sampled_softmax),
    ),
    "corrected-log-q": Row(
        proposes="targets of the batch, shared",
        selects="all, log-q without what is masked",
        loses="corrected log-q",
        paper="Correcting the LogQ correction, Khrylchenko et al. (RecSys)",
        year=2025,
        defaults={"in_batch_negatives": 512, **_CORRECTED, **_SHARED},
        build=lambda c, n: Method(_in_batch(c, n), _log_q(n, without_masked=True), corrected_log_q),
    ),
    "mixed-log-q": Row(
        proposes="in-batch and random together, shared",
        selects="all, log-q of the mixture",
        loses="softmax",
        paper="MNS as published, Yang et al. (WWW)",
        year=2020,
        defaults={"in_batch_negatives": 256, "random_negatives": 256, **_CORRECTED, **_SHARED},
        build=lambda c, n: Method(_mixed(c, n), _log_q(n), sampled_softmax),
    ),
    "cross-batch": Row(
        proposes="targets of the batch and of earlier ones, shared",
        selects="all, log-q",
        loses="softmax",
        paper="CBNS, Wang et al. (SIGIR)",
        year=2021,
        defaults={
            "in_batch_negatives": 512,
            "bank_size": 2048,
            "warm_up": 100,
            **_CORRECTED,
            "exclude": "target",  # a bank is shared by the batch, so there is no draws_per
        },
        build=_cross_batch,
    ),
    "batch-mix": Row(
        proposes="targets of the batch, shared",
        selects="all, log-q, and mixtures of two (no estimate)",
        loses="softmax",
        paper="BMNS, Fan et al. (CIKM)",
        year=2023,
        defaults={
            "in_batch_negatives": 512,
            "mixed_negatives": 512,
            "mix_concentration": 1.0,
            **_CORRECTED,
            **_SHARED,
        },
        build=lambda c, n: Method(
            _in_batch(c, n),
            Chain(_log_q(n), BatchMix(n["mixed_negatives"], a=n["mix_concentration"])),
            sampled_softmax,
        ),
    ),
    "xir": Row(
        proposes="targets of the batch and a cache of what was hard, shared",
        selects="draws by exp(s - log q)",
        loses="softmax",
        paper="XIR, Chen et al. (NeurIPS)",
        year=2022,
        defaults={
            "in_batch_negatives": 512,
            "cache_negatives": 512,
            "cache_size": 4096,
            "resampled": 128,
            **_CORRECTED,
            **_SHARED,
        },
        build=_xir,
    ),
    "tron": Row(
        proposes="random and in-batch together, shared",
        selects="the highest scores",
        loses="softmax",
        paper="TRON, Wilm et al. (RecSys)",
        year=2023,
        defaults={
            "random_negatives": 16384,
            "in_batch_negatives": 127,
            "kept_hardest": 100,
            "not_kept": "omit",
            "temperature": 1.0,
            **_SHARED,
        },
        build=lambda c, n: Method(_mixed(c, n), _hardest(n), partial(sampled_softmax, temperature=n["temperature"])),
    ),
    "full-ce": Row(
        proposes="the whole catalogue",
        selects="all",
        loses="cross-entropy",
        paper="SASRec with cross-entropy: Klenitskiy & Vasilev (RecSys)",
        year=2023,
        defaults={"exclude": "target"},
        build=lambda c, n: Method(WholeCatalogue(c.items), KeepAll(), sampled_softmax, merged=True),
    ),
}

PAPER_SIX = ("random", "popularity", "in-batch", "mixed", "adaptive", "adaptive-mixed")
