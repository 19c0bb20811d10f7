"""Softmax over uniform draws, over others with the log-q correction, and over all items."""

from __future__ import annotations

from typing import Any

from negsample.losses import sampled_softmax
from negsample.methods.definition import Method, MethodDefinition
from negsample.methods.fields import CORRECTED, PER_BATCH, settings
from negsample.methods.shared import corrected, entry, mixed, softmax, uniform
from negsample.miners import KeepAll
from negsample.samplers import LogUniform, WholeCatalogue

METHODS: dict[str, MethodDefinition[Any]] = {
    "sampled-softmax": entry(
        settings=settings(random_negatives=512, temperature=1.0, **PER_BATCH),
        build=lambda c, n: Method(uniform(c, n), KeepAll(), softmax(n)),
        parts=("uniform over the catalogue, shared", "all", "softmax"),
        source=("SSM, Wu et al. (TOIS)", 2024),
        formula="ids ~ 1/V, shared;  loss = -s+/tau + log(exp(s+/tau) + sum exp(s/tau))",
        take="A strong, simple default: one matrix product a batch. A low temperature weighs hard negatives more.",
        serves=(
            "A softmax weighs its negatives by their scores, so items with high scores for all users are reduced: more "
            "even than BCE over the same draws."
        ),
    ),
    "sampled-softmax-log-q": entry(
        settings=settings(random_negatives=512, **CORRECTED, **PER_BATCH),
        build=lambda c, n: Method(uniform(c, n), corrected(n), sampled_softmax),
        parts=("uniform over the catalogue, shared", "all, log-q", "softmax"),
        source=("Bengio & Senecal (IEEE TNN); Jean et al. (ACL 2015)", 2008),
        formula="s' = s - log(m/V);  loss = -s+ + log(exp(s+) + sum exp(s'))",
        take=(
            "When full cross-entropy is wanted and the catalogue is too large for it: the estimate of its partition is "
            "unbiased, and the bias of its gradient falls as m grows."
        ),
        serves="As full cross-entropy, with noise from the few tail negatives in a step.",
    ),
    "log-uniform": entry(
        settings=settings(log_uniform_negatives=512, **CORRECTED, **PER_BATCH),
        build=lambda c, n: Method(
            LogUniform(c.counts, n.log_uniform_negatives, per=n.draws_per), corrected(n), sampled_softmax
        ),
        parts=("log-uniform by popularity rank, shared", "all, log-q", "softmax"),
        source=("TensorFlow's log_uniform_candidate_sampler with sampled_softmax_loss", 2015),
        formula="q(r) = log((r+2)/(r+1)) / log(V+1), r the popularity rank;  s' = s - log(m q);  softmax",
        take="When popularity follows Zipf's law and exact counts are hard to keep: only popularity ranks are needed.",
        serves="As full cross-entropy: corrected for the draws' preference for the head, which is estimated best.",
    ),
    "mixed-log-q": entry(
        settings=settings(in_batch_negatives=256, random_negatives=256, **CORRECTED, **PER_BATCH),
        build=lambda c, n: Method(mixed(c, n), corrected(n), sampled_softmax),
        parts=("in-batch and random together, shared", "all, log-q of the mixture", "softmax"),
        source=("MNS as published, Yang et al. (WWW)", 2020),
        formula="q = (m_b q_b + m_u / V) / (m_b + m_u) for every negative;  s' = s - log(m q);  softmax",
        take="For large catalogues: in-batch draws cover popular items, uniform ones the rest; both are corrected for.",
        serves="As full cross-entropy; the uniform half makes the estimate for tail items less noisy.",
    ),
    "full-ce": entry(
        settings=settings(exclude="target"),
        build=lambda c, n: Method(WholeCatalogue(c.items), KeepAll(), sampled_softmax, merged=True),
        parts=("the whole catalogue", "all", "cross-entropy"),
        source=("SASRec with cross-entropy: Klenitskiy & Vasilev (RecSys)", 2023),
        formula="loss = -s+ + log sum over all items exp(s)",
        take="Whenever the catalogue is small enough: nothing is estimated. Time grows with V, memory does not.",
        serves=(
            "Scores learn log-probabilities, popularity included: the reference for the effect of sampling. Use --dial "
            "to move between head and tail afterwards."
        ),
    ),
}
