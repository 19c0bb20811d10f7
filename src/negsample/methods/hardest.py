"""The highest scores among what is proposed."""

from __future__ import annotations

from typing import Any

from negsample.losses import bce
from negsample.methods.definition import Method, MethodDefinition
from negsample.methods.fields import PER_BATCH, PER_SEQUENCE, Whole, settings
from negsample.methods.shared import entry, in_batch, mixed, softmax, uniform
from negsample.miners import Hardest


def _hardest(n: Any) -> Hardest:
    proposed = [getattr(n, key, 0) for key in ("random_negatives", "in_batch_negatives")]
    if "all" not in proposed and n.kept_hardest >= sum(proposed):
        raise ValueError(
            f"kept_hardest={n.kept_hardest} keeps all of {sum(proposed)} negatives and selects nothing; take fewer "
            f"than {sum(proposed)}"
        )
    return Hardest(n.kept_hardest, not_kept=n.not_kept)


METHODS: dict[str, MethodDefinition[Any]] = {
    "adaptive": entry(
        settings=settings(
            random_negatives=(Whole(2, 500), 100), kept_hardest=(Whole(1, 50), 5), not_kept="omit", **PER_SEQUENCE
        ),
        build=lambda c, n: Method(uniform(c, n), _hardest(n), bce),
        parts=("uniform over the catalogue", "the highest scores", "BCE"),
        source=("ANS, after Rendle & Freudenthaler (WSDM); the pool of the paper's text", 2014),
        formula="ids: K uniform;  keep the k with the highest s;  loss = BCE",
        take="When random negatives have become too easy and the loss no longer falls.",
        serves=(
            "Only negatives with high scores are in the loss: head and mid items are separated better. Rare items are "
            "seldom selected, so little is learned about the tail, and fewer different items are recommended."
        ),
    ),
    "adaptive-mixed": entry(
        settings=settings(
            in_batch_negatives=(Whole(2, 200), 10),
            random_negatives=(Whole(2, 500), 100),
            kept_hardest=(Whole(1, 50), 5),
            not_kept="omit",
            **PER_SEQUENCE,
        ),
        build=lambda c, n: Method(mixed(c, n), _hardest(n), bce),
        parts=("in-batch and random together", "the highest scores", "BCE"),
        source=("AMNS, Evaluating Performance and Bias of Negative Sampling (arXiv)", 2024),
        formula="ids: K_b in-batch and K_r random;  keep the k with the highest s;  loss = BCE",
        take="The paper's choice among its six. Few selected negatives are sensitive to the learning rate: tune it.",
        serves=(
            "The in-batch part proposes popular items, which are selected while their scores are high: the head falls, "
            "mid gains most. Few different items are recommended."
        ),
    ),
    "adaptive-in-batch": entry(
        settings=settings(in_batch_negatives=100, kept_hardest=5, not_kept="omit", **PER_SEQUENCE),
        build=lambda c, n: Method(in_batch(c, n), _hardest(n), bce),
        parts=("targets of the batch, without replacement", "the highest scores", "BCE"),
        source=("ANS over an in-batch pool: what the runs behind the paper's table did", 2024),
        formula="ids: K targets of the batch;  keep the k with the highest s;  loss = BCE",
        take="To reproduce the paper's table, whose runs had this pool; else adaptive-mixed: it draws rare items too.",
        serves="Popular items are often proposed and selected: the head falls furthest among the adaptive methods.",
    ),
    "tron": entry(
        settings=settings(
            random_negatives=16384,
            in_batch_negatives=127,
            kept_hardest=100,
            not_kept="omit",
            temperature=1.0,
            **PER_BATCH,
        ),
        build=lambda c, n: Method(mixed(c, n), _hardest(n), softmax(n)),
        parts=("random and in-batch together, shared", "the highest scores", "softmax"),
        source=("TRON, Wilm et al. (RecSys)", 2023),
        formula="ids: 16384 uniform and 127 in-batch, shared;  keep the 100 highest s;  softmax",
        take="For very large catalogues with short sessions, on a GPU: many cheap scores, few in the loss.",
        serves=(
            "As adaptive-mixed with a far larger pool: items with high scores for all users are often negatives, mid "
            "gains, and few different items are recommended."
        ),
    ),
}
