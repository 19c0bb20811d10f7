"""Every metric, by being in METRICS: a number an event, between 0 and 1, worse for a worse rank."""

from __future__ import annotations

import numpy as np
import pytest

from negsample.evaluation.metrics import METRICS

RANKS = np.arange(0, 40, 0.5)
per_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


@per_metric
@pytest.mark.parametrize("k", [1, 2, 10, 1000])
def test_one_number_an_event(metric, k):
    values = metric(RANKS, k)
    assert values.shape == RANKS.shape
    assert values.dtype == np.float64
    assert ((values >= 0) & (values <= 1)).all()
    assert (values > 0).tolist() == (k > RANKS).tolist()


@per_metric
def test_the_first_place_is_worth_one_and_a_worse_one_never_more(metric):
    values = metric(RANKS, 10)
    assert values[0] == 1
    assert (np.diff(values) <= 0).all()


@per_metric
def test_a_longer_list_is_worth_no_less(metric):
    assert (metric(RANKS, 11) >= metric(RANKS, 10)).all()


@per_metric
def test_events_do_not_look_at_each_other(metric):
    together = metric(RANKS, 7)
    alone = np.concatenate([metric(RANKS[i : i + 1], 7) for i in range(len(RANKS))])
    assert together.tolist() == alone.tolist()


@per_metric
def test_no_event_no_number_and_ranks_are_left_as_they_are(metric):
    assert metric(np.empty(0), 10).shape == (0,)
    ranks = RANKS.copy()
    metric(ranks, 5)
    assert (ranks == RANKS).all()


@per_metric
def test_a_catalogue_of_equal_scores_is_worth_nothing(metric):
    assert not metric(np.full(3, (1000 - 1) / 2), 10).any()
