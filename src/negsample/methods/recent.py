"""Draws by how popular items were lately, as of the time of the target."""

from __future__ import annotations

from typing import Any

from negsample.losses import bce, sampled_softmax
from negsample.methods.definition import Method, MethodDefinition
from negsample.methods.fields import CORRECTED, DrawsPerTime, Whole, settings
from negsample.methods.shared import corrected, entry, recent, uniform
from negsample.miners import KeepAll
from negsample.samplers import Mixture

METHODS: dict[str, MethodDefinition[Any]] = {
    "recent": entry(
        settings=settings(
            recent_negatives=(Whole(2, 500), 100),
            half_life=7.0,
            draws_per=(DrawsPerTime, "sequence"),
            exclude="history",
        ),
        build=lambda c, n: Method(recent(c, n), KeepAll(), bce),
        parts=("by popularity with a half-life, as of the time of the target", "all", "BCE"),
        source=("draws by the popularity as of a time of Ji et al. (SIGIR 2020); named here", 2026),
        formula="c = sum over earlier events of 2^(-age/h);  ids ~ (c + 10 p) / (sum c + 10);  loss = BCE",
        take=(
            "Instead of popularity where what is popular changes: an item is a negative while it is popular, not years "
            "before or after. draws_per=position takes the time of each target instead of that of the first."
        ),
        serves=(
            "An item is a negative about as often as it is a target at that time, which removes its popularity of the "
            "time from its score. So recent popularity must be added at serving, or is missing."
        ),
        as_of_a_time=True,
    ),
    "recent-mixed-log-q": entry(
        settings=settings(
            recent_negatives=256,
            random_negatives=256,
            half_life=7.0,
            **CORRECTED,
            draws_per=(DrawsPerTime, "sequence"),
            exclude="target",
        ),
        build=lambda c, n: Method(Mixture(recent(c, n), uniform(c, n)), corrected(n), sampled_softmax),
        parts=("by recent popularity and random together", "all, log-q of the mixture", "softmax"),
        source=("mixed-log-q with recent popularity for in-batch; named here", 2026),
        formula="q = (m_r q_t + m_u / V) / (m_r + m_u) for every negative;  s' = s - log(m q);  softmax",
        take=(
            "As mixed-log-q, where what is popular changes: the draws are of items that users could choose at the time."
        ),
        serves="As full cross-entropy; what was popular at the time is estimated best.",
        as_of_a_time=True,
    ),
}
