"""A recommender's answers against a slow obvious version: every score by itself, then sorted."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from negsample import InputError, encode_histories, load_model, neighbour_terms, own_terms, term_column
from negsample.evaluation.seen import Seen
from negsample.evaluation.with_terms import Added
from negsample.models.build import terms_of
from negsample.rules.recent_pop import shares_at
from negsample.serving.explain import explained, person_of
from negsample.serving.top_k import Shifts, top_k

DAY = 86_400 * 10**6


@pytest.fixture(scope="module")
def recommender(model):
    return load_model(model)


def scores_of(recommender, items, times, time, dial) -> np.ndarray:
    """(V,) of one person, each by itself."""
    known = [(item, moment) for item, moment in zip(items, times, strict=True) if moment < time]
    found = np.zeros(len(recommender.item_ids))
    for model in recommender.models:
        state = encode_histories(model, [[item for item, _ in known]])[0].double()
        for item in range(1, len(found) + 1):
            found[item - 1] += float(state @ model.table.lookup(torch.tensor([item]))[0][0].double().detach())
        if terms_of(model) is None:
            continue
        found += term_column(model, recommender.data, time)[1:].double().numpy()
        for each in (
            own_terms(model, [item for item, _ in known], [moment for _, moment in known], time),
            neighbour_terms(model, recommender.data, [item for item, _ in known]),
        ):
            found[each.ids_N - 1] += each.values_N
    return found / len(recommender.models) + dial * recommender.log_p_V[1:].numpy()


def answers(frame: pl.DataFrame, user) -> list[tuple]:
    of_user = frame.filter(pl.col("user") == user)
    assert of_user["rank"].to_list() == list(range(1, len(of_user) + 1))
    return list(zip(of_user["item"], of_user["score"], strict=True))


def check(recommender, frame, user, scores, left_out, k):
    """Items may change places only where their scores are equal but for rounding."""
    ids, scores = recommender.item_ids.to_list(), np.where(left_out, -math.inf, scores)
    best = np.argsort(-scores, kind="stable")[: min(k, int((~left_out).sum()))]
    found = answers(frame, user)
    assert len(found) == len(best)
    for (item, score), wanted in zip(found, best, strict=True):
        assert score == pytest.approx(scores[wanted], abs=1e-4)
        assert item == ids[wanted] or scores[ids.index(item)] == pytest.approx(scores[wanted], abs=1e-5)


def test_what_a_study_left_out_is_left_out_unless_it_is_asked_for(recommender, monkeypatch):
    with_seen, without = (recommender.recommend(k=7, exclude_seen=each) for each in (False, True))
    assert recommender.recommend(k=7).equals(with_seen)
    assert not without.equals(with_seen)
    monkeypatch.setitem(recommender.about.settings, "filter_seen", True)
    assert recommender.recommend(k=7).equals(without)
    assert recommender.recommend(k=7, exclude_seen=False).equals(with_seen)


@pytest.mark.parametrize("dial", [0.0, -0.5, 1.0])
@pytest.mark.parametrize("exclude_seen", [False, True])
def test_known_users_get_what_a_slow_version_gives(recommender, dial, exclude_seen):
    data, time = recommender.data, recommender.about.until - 20 * DAY
    frame = recommender.recommend(k=7, time=time, dial=dial, exclude_seen=exclude_seen)
    for user in range(0, recommender.about.users, 9):
        events = slice(data.offsets[user], data.offsets[user + 1])
        items, times = data.items[events].tolist(), data.times[events].tolist()
        scores = scores_of(recommender, items, times, time, dial)
        left_out = np.zeros(len(scores), bool)
        if exclude_seen:
            left_out[[item - 1 for item, moment in zip(items, times, strict=True) if moment < time]] = True
        check(recommender, frame, recommender.user_ids[user], scores, left_out, 7)


def test_only_and_exclude_leave_out_items_for_everybody(recommender):
    ids = recommender.item_ids.to_list()
    frame = recommender.recommend({"ann": [ids[3], ids[5]]}, k=50, only=[*ids[:9], "unknown"], exclude=[ids[0], "?"])
    left_out = np.array([not 1 <= at < 9 for at in range(len(ids))])
    time = recommender.about.until
    check(recommender, frame, "ann", scores_of(recommender, [4, 6], [time - 1] * 2, time, 0), left_out, 50)
    with pytest.raises(InputError, match="nothing is left"):
        recommender.recommend({"ann": [ids[3]]}, only=["unknown"])


def test_who_has_no_known_item_gets_what_is_popular_lately(recommender):
    frame = recommender.recommend({"new": [], "strange": ["?"], "old": [recommender.item_ids[0]]}, k=4)
    shares = shares_at(recommender.data.known, recommender.about.until, recommender.about.recent_half_life or math.inf)
    best = (np.argsort(-shares, kind="stable")[:4]).tolist()
    wanted = [recommender.item_ids[at] for at in best]
    for user in ("new", "strange"):
        assert [item for item, _ in answers(frame, user)] == wanted
    assert len(answers(frame, "old")) == 4


def test_answers_do_not_depend_on_who_else_asks(recommender):
    everybody = recommender.recommend(k=5)
    one = recommender.users.take(7, 8)
    alone = recommender.recommend(one, k=5)
    of_user = everybody.filter(pl.col("user") == recommender.user_ids[7])
    assert alone["item"].to_list() == of_user["item"].to_list()
    assert recommender.recommend(k=5).equals(everybody)


def test_people_who_ask_differently_are_answered_together_as_one_by_one(recommender):
    """Each with a time, a dial, a number and exclusions of their own; some without history by then."""
    ids, until = recommender.item_ids.to_list(), recommender.about.until
    asks = [
        recommender.ask(
            k=1 + row % 9,
            time=until - row * DAY,
            dial=(row % 3) / 2,
            exclude_seen=row % 2 == 0,
            exclude=ids[row : row + 3] if row % 4 == 0 else (),
            only=ids[: 5 + row] if row % 5 == 0 else None,
        )
        for row in range(60)
    ]
    people = recommender.users.take(0, 60)
    found = recommender.ranker.best(people, asks)
    assert 0 in np.diff(people.before(np.array([ask.time for ask in asks])).offsets)
    for row, ask in enumerate(asks):
        alone = recommender.ranker.best(people.take(row, row + 1), [ask])
        wide = alone.ids_QK.shape[1]
        np.testing.assert_array_equal(found.ids_QK[row, :wide], alone.ids_QK[0])
        np.testing.assert_allclose(found.scores_QK[row, :wide], alone.scores_QK[0], rtol=1e-4, atol=1e-4)
        assert not found.ids_QK[row, wide:].any()


@pytest.mark.parametrize(
    "wrong", [{"k": 0}, {"k": 10_001}, {"dial": math.nan}, {"dial": 101.0}, {"time": -1}, {"exclude": 5}]
)
def test_wrong_questions_are_refused(recommender, wrong):
    with pytest.raises(InputError):
        recommender.recommend({"ann": [recommender.item_ids[0]]}, **wrong)


@pytest.mark.parametrize("dial", [0.0, 0.5])
def test_an_explanation_adds_up(recommender, dial):
    person = person_of(recommender.users, "u11", "MODEL")
    ask = recommender.ask(k=8, dial=dial)
    found = explained(recommender, person, ask)
    parts = found.select(pl.exclude("rank", "item", "score"))
    assert {"model", "popularity", "recency", "repeats", "neighbours"} <= set(parts.columns)
    np.testing.assert_allclose(parts.sum_horizontal(), found["score"], atol=1e-4)
    with pytest.raises(InputError, match="no user 'nobody'"):
        person_of(recommender.users, "nobody", "MODEL")


class Table(nn.Module):
    def __init__(self, vectors):
        super().__init__()
        self.vectors, self.items = vectors, len(vectors) - 1

    def block(self, start, stop):
        return self.vectors[start:stop]


@pytest.mark.parametrize("k", [1, 3, 40, 64])
def test_equal_scores_are_in_the_order_of_numbers(k):
    """A catalogue in which most scores are equal, some added, some left out."""
    draws = np.random.default_rng(k)
    vectors = torch.from_numpy(draws.integers(0, 2, (65, 3)).astype(np.float32))
    states = torch.from_numpy(draws.integers(-1, 2, (300, 3)).astype(np.float32))
    keys = np.unique(draws.integers(0, 300, 900) * 65 + draws.integers(1, 65, 900))
    added = Added(keys, draws.integers(0, 3, len(keys)).astype(float), 65)
    rows, items = draws.integers(0, 300, 2000), draws.integers(1, 65, 2000)
    seen = Seen.of_pairs(rows, items, queries=300, items=64)
    scores = (states @ vectors.T).double().numpy()
    scores.ravel()[keys] += added.values_N
    shifts_AV, of_Q = draws.integers(-1, 2, (3, 65)), draws.integers(0, 3, 300)
    scores += shifts_AV[of_Q]
    scores[:, 0] = -math.inf
    scores[rows, items] = -math.inf
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(scores, order, 1)
    shifts = Shifts(torch.from_numpy(shifts_AV), of_Q)
    found = top_k(states, Table(vectors), k, shifts=shifts, added=added, seen=seen)
    np.testing.assert_array_equal(found.scores_QK, values)
    np.testing.assert_array_equal(found.ids_QK, np.where(values == -math.inf, 0, order))
