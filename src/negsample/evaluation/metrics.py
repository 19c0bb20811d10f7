"""Accuracy of one event: how high the target stands.

Ranks count from 0 and are means of ties, so they may be halves: ``rank = #(score > s) + (#(score == s) - 1) / 2``.
A target that is left out of the ranking has an infinite rank: it is no hit at any ``k``, even where ``k`` is above V.
Every function gives one float64 an event, 0 where ``rank >= k``; nothing is rounded or averaged.
:func:`register_metric` adds one of your own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from negsample.data.popularity import COHORTS
from negsample.errors import guarded
from negsample.plugins import Registry

Floats = NDArray[np.float64]
Metric = Callable[[Floats, int], Floats]
"""From the ranks of E events and a cut-off ``k`` to a number an event, (E,)."""
Unit = Literal["%", "number"]
PREFIXES = (*COHORTS, "warm", "cut", "new", "repeat", "user")
"""What the name of a figure that is not a mean over all events begins with, before ``_``."""

_SAMPLE = np.array([0.0, 0.5, 3.0, 12.0, np.inf])


def hit(ranks: Floats, k: int) -> Floats:
    """1 where the target is among the first ``k``; its mean is HR@k."""
    return (ranks < k).astype(np.float64)


def ndcg(ranks: Floats, k: int) -> Floats:
    """``1 / log2(rank + 2)`` among the first ``k``: NDCG@k with one relevant item."""
    return np.where(ranks < k, 1 / np.log2(ranks + 2), 0.0)


def reciprocal_rank(ranks: Floats, k: int) -> Floats:
    """``1 / (rank + 1)`` among the first ``k``; its mean is MRR@k."""
    return np.where(ranks < k, 1 / (ranks + 1), 0.0)


class MetricKind(BaseModel):
    """Which of two figures of a metric is the better one, and whether it is a share, shown in %, or a plain number."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    higher_is_better: bool = True
    unit: Unit = "%"

    @property
    def words(self) -> str:
        """Both in words, where they are not the usual ones."""
        unit = [] if self.unit == "%" else ["a plain number"]
        return ", ".join(unit if self.higher_is_better else [*unit, "lower is better"])


@dataclass(frozen=True)
class MetricDefinition:
    """A metric with its kind, as an installed package offers it."""

    function: Metric
    kind: MetricKind

    def __call__(self, ranks: Floats, k: int) -> Floats:
        """(E,) a number an event."""
        return self.function(ranks, k)


def _check(name: str, metric: Metric) -> None:
    if isinstance(metric, MetricDefinition) and isinstance(metric.function, MetricDefinition):
        raise ValueError("register its function; higher_is_better and unit are arguments beside it")
    if "@" in name or name.startswith(tuple(f"{each}_" for each in (*PREFIXES, "valid", "test"))):
        raise ValueError("the name must be without @ and not begin like a cohort's figure; take another one")
    try:
        values = np.asarray(metric(_SAMPLE.copy(), 10), dtype=np.float64)
    except Exception as error:
        raise ValueError(f"it must take ranks and k, and fails with {type(error).__name__}: {error}") from error
    if values.shape != _SAMPLE.shape or not np.isfinite(values).all():
        raise ValueError(
            f"it must give a finite number an event, got {values!r} for the ranks {_SAMPLE.tolist()} and k = 10"
        )


METRICS: Registry[Metric] = Registry(
    "metric",
    {"hr": hit, "ndcg": ndcg, "mrr": reciprocal_rank},
    check=_check,
    reserved=("balance", "coverage", "arp", "events"),
)
"""All metrics by name; a figure ``name@k`` is a metric's mean."""


def own_metrics() -> dict[str, str]:
    """The metrics that do not come with negsample, each with the SHA-256 of its source."""
    return {name: plugin.digest for name in METRICS if (plugin := METRICS.plugin_of(name)) is not None}


def own_kinds() -> dict[str, MetricKind]:
    """The kind of each metric that is no share of which more is better."""
    kinds = {name: metric.kind for name, metric in METRICS.items() if isinstance(metric, MetricDefinition)}
    return {name: kind for name, kind in kinds.items() if kind != MetricKind()}


@guarded
def register_metric(
    name: str, metric: Metric, *, higher_is_better: bool = True, unit: Unit = "%", replace: bool = False
) -> Metric:
    """Measure every run by ``metric`` too: its means are the figures ``name@k``, in total and by cohort.

    Args:
        name: of the figures, such as ``rbp``.
        metric: takes the (E,) ranks, from 0, infinite where the target is left out, and ``k``; gives (E,) finite
            numbers.
        higher_is_better: whether the highest figure is the best one, or the lowest.
        unit: ``%``: it is a share, which tables show in %; ``number``: it is shown as it is.
        replace: take the place of one that was registered before.

    Example:
        >>> register_metric("rbp", lambda ranks, k: np.where(ranks < k, 0.2 * 0.8**ranks, 0.0))  # doctest: +SKIP

    Raises:
        InputError: the name is taken, or ``metric`` does not give a finite number an event.
    """
    kind = MetricKind(higher_is_better=higher_is_better, unit=unit)
    METRICS.register(name, MetricDefinition(metric, kind), replace=replace)
    return metric
