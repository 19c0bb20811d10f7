"""Functions of ranks: a number an event, averaged once."""

from negsample.evaluation.metrics.balance import balance, balance_slopes, balances, gini
from negsample.evaluation.metrics.catalogue import coverage, event_percentiles, popularity_percentiles
from negsample.evaluation.metrics.ranking import (
    METRICS,
    Metric,
    MetricDefinition,
    MetricKind,
    hit,
    ndcg,
    own_kinds,
    own_metrics,
    reciprocal_rank,
    register_metric,
)
from negsample.evaluation.metrics.summary import CUTOFFS, summarise

__all__ = [
    "CUTOFFS",
    "METRICS",
    "Metric",
    "MetricDefinition",
    "MetricKind",
    "balance",
    "balance_slopes",
    "balances",
    "coverage",
    "event_percentiles",
    "gini",
    "hit",
    "ndcg",
    "own_kinds",
    "own_metrics",
    "popularity_percentiles",
    "reciprocal_rank",
    "register_metric",
    "summarise",
]
