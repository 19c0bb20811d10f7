"""The target against each negative."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from pydantic import Field

from negsample.losses import bpr, bpr_max
from negsample.methods.definition import Method, MethodDefinition
from negsample.methods.fields import PER_BATCH, PER_SEQUENCE, Whole, settings
from negsample.methods.shared import entry, in_batch, popularity, uniform
from negsample.miners import Hardest, KeepAll, OneOfHardest
from negsample.samplers import Mixture

_Regularization = Annotated[float, Field(ge=0, description="weight of BPR-max's score regularisation")]


def _one_of_hardest(n: Any) -> OneOfHardest:
    if n.picked_from > n.random_negatives:
        raise ValueError(
            f"picked_from={n.picked_from} of random_negatives={n.random_negatives}: there are not so many; take at "
            f"most {n.random_negatives}"
        )
    return OneOfHardest(n.picked_from)


METHODS: dict[str, MethodDefinition[Any]] = {
    "bpr": entry(
        settings=settings(random_negatives=100, **PER_SEQUENCE),
        build=lambda c, n: Method(uniform(c, n), KeepAll(), bpr),
        parts=("uniform over the catalogue", "all", "BPR"),
        source=("BPR, Rendle et al. (UAI)", 2009),
        formula="ids ~ 1/V;  loss = mean -log sigmoid(s+ - s)",
        take="When only the order of items matters, not the values of the scores; the classic method for comparison.",
        serves="As random: the head is served.",
    ),
    "bpr-max": entry(
        settings=settings(
            in_batch_negatives=128,
            popularity_negatives=2048,
            popularity_exponent=0.75,
            regularization=(_Regularization, 1.0),
            **PER_BATCH,
        ),
        build=lambda c, n: Method(
            Mixture(in_batch(c, n), popularity(c, n)), KeepAll(), partial(bpr_max, reg=n.regularization)
        ),
        parts=("in-batch and by train count ** exponent, shared", "all", "BPR-max"),
        source=("GRU4Rec with top-k gains, Hidasi & Karatzoglou (CIKM)", 2018),
        formula="w = softmax(s);  loss = -log sum_j w_j sigmoid(s+ - s_j) + reg sum_j w_j s_j^2",
        take=(
            "GRU4Rec's choice for sessions: thousands of shared negatives, of which the hardest have the largest "
            "weight in the loss. The regularisation keeps scores near zero; tune it."
        ),
        serves="In-batch and popularity draws lower the scores of the head; how much depends on the regularisation.",
    ),
    "dns": entry(
        settings=settings(random_negatives=(Whole(2, 160), 32), **PER_SEQUENCE),
        build=lambda c, n: Method(uniform(c, n), Hardest(1), bpr),
        parts=("uniform over the catalogue", "the highest score", "BPR"),
        source=("DNS, Zhang et al. (SIGIR)", 2013),
        formula="ids: M uniform;  keep the highest s;  loss = -log sigmoid(s+ - s)",
        take=(
            "For accurate top ranks with few negatives; a larger M gives harder negatives. If M is too large, they "
            "include items that the user would like."
        ),
        serves="As adaptive: better separation in head and mid, few different items recommended.",
    ),
    "dns-mn": entry(
        settings=settings(random_negatives=100, picked_from=10, **PER_SEQUENCE),
        build=lambda c, n: Method(uniform(c, n), _one_of_hardest(n), bpr),
        parts=("uniform over the catalogue (M)", "one of the N highest scores", "BPR"),
        source=("DNS(M, N), Shi et al. (WWW)", 2023),
        formula="ids: M uniform;  one at random of the N highest s;  loss = -log sigmoid(s+ - s)",
        take="DNS with a protection against false negatives: the larger N, the softer the selection.",
        serves="Softer than dns with its pool: the head gains most, the tail hardly; few different items recommended.",
    ),
}
