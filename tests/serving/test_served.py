"""The module that is exported answers as the recommender does that it was made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from small_recommender import (
    LENGTH,
    UNTIL,
    V,
    asked_by_name,
    asked_of,
    column_of,
    recommended,
    slow_scores,
    small_data,
    small_recommender,
)

from negsample import InputError
from negsample.models.baselines import Terms
from negsample.models.build import set_terms
from negsample.models.terms import AFTER, TermWeights
from negsample.serving.served import Served, are_largest, best


@pytest.fixture(scope="module")
def data(dataset_of):
    return small_data(dataset_of)


def served_of(recommender, k=10):
    untrained = recommender.about.untrained
    return Served(recommender.models, recommender.data, recommender.log_p_V, k=k, untrained=untrained)


def check(recommender, asked, k=10):
    ids, scores = served_of(recommender, k)(*asked)
    items, times, now, dials, _ = (each.numpy() for each in asked)
    for row, real in enumerate(items > 0):
        wanted = slow_scores(recommender, items[row, real], times[row, real], int(now[row]), float(dials[row]))
        of_best, at = wanted.sort(descending=True, stable=True)
        assert ids[row, :10].tolist() == (at[:10] + 1).tolist()
        np.testing.assert_allclose(wanted[ids[row] - 1], of_best[:k], atol=1e-5)
        np.testing.assert_allclose(scores[row], of_best[:k], atol=1e-5)


@pytest.mark.parametrize(
    "backbones", [("sasrec",), ("gru4rec",), ("terms",), ("sasrec", "sasrec"), ("gru4rec", "sasrec")]
)
@pytest.mark.parametrize("terms", [(), AFTER, ("repeats",), ("neighbours",), ("recency",)])
def test_the_best_are_those_of_the_slow_sum(data, backbones, terms):
    recommender = small_recommender(data, *backbones, terms=terms)
    for length in (1, LENGTH, 40):
        check(recommender, asked_of(recommender, length, seed=length))


def test_more_neighbours_than_count(dataset_of):
    """Of more than 500 the largest, of equals those with the lowest ids."""
    users = [(list(range(first, first + 700)), [], []) for first in range(1, 500, 100)]
    recommender = small_recommender(dataset_of(users, 1200), "sasrec", terms=["neighbours"])
    check(recommender, asked_of(recommender, 20, seed=2), k=1000)


def test_members_with_different_terms(data):
    recommender = small_recommender(data, "sasrec", "gru4rec", "sasrec")
    for model, terms in zip(recommender.models, (["repeats"], None, ["popularity", "neighbours"]), strict=True):
        set_terms(model, terms and TermWeights(terms))
        for each in model.terms.parameters() if terms else ():
            torch.nn.init.constant_(each, 0.3)
    check(recommender, asked_of(recommender, 9, seed=3))


def test_terms_alone(data):
    recommender = small_recommender(data, "sasrec")
    alone = Terms(data)
    set_terms(alone, recommender.models[0].terms)
    recommender.models = [alone]
    asked = asked_of(recommender, 9, seed=3)
    ids, scores = served_of(recommender)(*asked)
    recommender = small_recommender(data, "sasrec")
    recommender.models[0].terms.share.fill_(0)
    for found, wanted in zip((ids, scores), served_of(recommender)(*asked), strict=True):
        assert torch.equal(found, wanted)


def test_events_at_or_after_the_time_do_not_count(data):
    recommender = small_recommender(data, "sasrec", "gru4rec")
    items, times, now, *others = asked_of(recommender, 30, seed=5)
    now = times[:, 12].clamp(min=1) + (torch.arange(len(now)) % 2)
    found = served_of(recommender)(items, times, now, *others)
    for row, time in enumerate(now.tolist()):
        known = (items[row] > 0) & (times[row] < time)
        alone = (items[row, known][None], times[row, known][None], now[row : row + 1], others[0][row : row + 1])
        if known.any():
            for one, all_of in zip(served_of(recommender)(*alone, others[1]), found, strict=True):
                torch.testing.assert_close(one[0], all_of[row])


def test_items_after_the_training_are_no_input_but_known_to_terms(data):
    recommender = small_recommender(data, "sasrec", "gru4rec")
    recommender.about.untrained = V - 5
    for length in (3, 20):
        asked = asked_of(recommender, length, seed=6)
        asked[0][1] = torch.where(asked[0][1] > 0, V, 0)
        ids, scores = served_of(recommender)(*asked)
        for row, each in enumerate(asked_by_name(recommender, asked)):
            best, of_best = recommended(recommender, **each)
            assert recommender.item_ids[ids[row].numpy() - 1].to_list() == best
            np.testing.assert_allclose(scores[row], of_best, atol=1e-5)


def test_a_history_of_nothing_gets_what_is_known_of_all_items(data):
    nothing = torch.zeros(2, 3, dtype=torch.int64)
    now, dials = torch.tensor([UNTIL, 5]), torch.tensor([0.0, -1.0])
    recommender = small_recommender(data, "sasrec")
    column = column_of(recommender)
    ids, scores = served_of(recommender)(nothing, nothing, now, dials, column)
    assert ids.tolist() == [(column[1:].argsort(descending=True, stable=True)[:10] + 1).tolist()] * 2
    assert torch.equal(scores[0], column[ids[0]])
    for terms in ((), ("repeats",)):
        recommender = small_recommender(data, "sasrec", terms=terms)
        ids, _ = served_of(recommender)(nothing, nothing, now, dials, torch.zeros(V + 1))
        assert ids.tolist() == [(recommender.log_p_V[1:].argsort(descending=True, stable=True)[:10] + 1).tolist()] * 2


def test_of_equal_scores_the_lower_id_comes_first(rng):
    scores = torch.randint(0, 4, (50, V + 1), generator=rng(1)).float()
    scores[:, 0] = 9
    for k in (1, 7, V):
        ids, values = best(scores, k)
        order = scores[:, 1:].argsort(dim=1, descending=True, stable=True)[:, :k] + 1
        assert torch.equal(ids, order)
        assert torch.equal(values, scores.gather(1, order))
        assert torch.equal(are_largest(scores[:, 1:], k).sum(1), torch.full((50,), k))


def test_the_models_stay_as_they_are(data):
    recommender = small_recommender(data, "sasrec", "gru4rec")
    before = [{name: each.clone() for name, each in model.state_dict().items()} for model in recommender.models]
    with torch.no_grad():
        for each in served_of(recommender).parameters():
            each.zero_()
    for model, state in zip(recommender.models, before, strict=True):
        assert all(each.requires_grad for each in model.parameters())
        assert all(torch.equal(each, state[name]) for name, each in model.state_dict().items())


def test_what_cannot_be_served_is_refused(data):
    recommender = small_recommender(data, "sasrec")
    for k in (0, V + 1):
        with pytest.raises(InputError, match=f"k must be a whole number from 1 to {V}, got {k}"):
            served_of(recommender, k)

    class Own(torch.nn.Module):
        table, max_length = recommender.models[0].table, 5

    with pytest.raises(InputError, match="a model of Own cannot be exported whole"):
        Served([Own()], data, recommender.log_p_V)


def test_more_similarities_than_are_kept_are_refused(data, monkeypatch):
    monkeypatch.setattr("negsample.rules.item_knn.PAIRS", 5)
    with pytest.raises(InputError, match=r"more than 5 similarities.*vectors or faiss"):
        served_of(small_recommender(data, "sasrec"))
    served_of(small_recommender(replace(data), "sasrec", terms=["repeats"]))
