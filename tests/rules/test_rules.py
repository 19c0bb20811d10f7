"""Rules against loops over all events, and what they may know."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from threadpoolctl import threadpool_info

from negsample.errors import InputError
from negsample.evaluation import by_rule
from negsample.evaluation.by_rule import Chosen, choose, rank_by_rule
from negsample.evaluation.evaluate import evaluate
from negsample.evaluation.queries import queries
from negsample.rules import EASE, Asked, ItemKNN, RecentPop, Repeat, RepeatRecent, item_knn
from negsample.rules import ease as ease_module
from negsample.rules.ease import ease_matrix, inverted
from negsample.rules.recent_pop import half_lives
from negsample.rules.rule import binary_users, cut_time
from negsample.settings import run_settings

RULES = (RecentPop, Repeat, RepeatRecent, ItemKNN, EASE)
DAY = 86_400_000_000
V = 11


@pytest.fixture
def data(dataset_of):
    """15 users with repeats and ties, over 40 days: validation from day 30 on, test from day 36 on."""
    chance = np.random.default_rng(5)
    parts, times = [], []
    for user in range(15):
        when = np.sort(chance.integers(0, 40, 20))
        items = chance.choice(np.arange(1, V), 20, p=np.arange(1, V) / np.arange(1, V).sum())
        cut = np.searchsorted(when, [30, 36])
        if user == 3:
            items[cut[1] :] = V  # an item that is new on test
        parts.append(tuple(each.tolist() for each in np.split(items, cut)))
        times.append(when)
    return dataset_of(parts, V, np.concatenate(times) * DAY)


def rows(data):
    """(user, item, time, position) of every event."""
    return [
        (user, int(data.items[at]), int(data.times[at]), at)
        for user in range(data.users)
        for at in range(data.offsets[user], data.offsets[user + 1])
    ]


def slow_shares(before, half_life, now):
    seen = {item: max(sum(each == item for _, each, _, _ in before), 1) for item in range(1, V + 1)}
    p = {item: seen[item] / sum(seen.values()) for item in seen}
    if math.isinf(half_life):
        return p
    count = {
        item: sum(2 ** (-(now - time) / DAY / half_life) for _, each, time, _ in before if each == item)
        for item in seen
    }
    return {item: (count[item] + 10 * p[item]) / (sum(count.values()) + 10) for item in seen}


def known(data, part, history, query):
    """What is known of all users when a query is asked, and its moment."""
    ends = data.train_ends if part == "valid" else data.valid_ends
    if history == "frozen":
        return [row for row in rows(data) if row[3] < ends[row[0]]], cut_time(data, part)
    now = int(data.times[query])
    return [row for row in rows(data) if row[2] < now], now


def asked_of(data, part, history):
    found = queries(data, part, history=history, max_length=1)
    times = None if history == "frozen" else data.times[found.known_until]
    return found, Asked(found.windows.users, found.known_until, times)


CASES = [(part, history) for part in ("valid", "test") for history in ("frozen", "rolling")]


@pytest.mark.parametrize(("part", "history"), CASES)
@pytest.mark.parametrize("half_life", [math.inf, 3.0])
def test_recent_pop_is_the_share_as_of_the_moment(data, part, history, half_life):
    _, asked = asked_of(data, part, history)
    found = np.broadcast_to(RecentPop(data).scorer(part, half_life)(asked), (len(asked.users_Q), V))
    for row, until in zip(found, asked.until_Q, strict=True):
        expected = slow_shares(*known(data, part, history, until)[:1], half_life, known(data, part, history, until)[1])
        np.testing.assert_allclose(row, list(expected.values()), rtol=1e-10)


@pytest.mark.parametrize(("part", "history"), CASES)
@pytest.mark.parametrize("rule", [Repeat, RepeatRecent])
def test_own_items_come_first(data, part, history, rule):
    _, asked = asked_of(data, part, history)
    found = rule(data).scorer(part, 3.0)(asked)
    for row, user, until in zip(found, asked.users_Q, asked.until_Q, strict=True):
        own = data.items[data.offsets[user] : until].tolist()
        last = {item: place for place, item in enumerate(own)}
        keys = {item: (own.count(item) if rule is Repeat else 0, last[item]) for item in set(own)}
        shares = slow_shares(*known(data, part, history, until)[:1], 3.0, known(data, part, history, until)[1])
        others = sorted(set(range(1, V + 1)) - set(own), key=lambda item: -shares[item])
        expected = [*sorted(keys, key=keys.get, reverse=True), *others]
        ranked = (np.argsort(-row, kind="stable") + 1).tolist()
        assert ranked[: len(keys)] == expected[: len(keys)]
        assert [shares[item] for item in ranked[len(keys) :]] == pytest.approx([shares[item] for item in others])


def users_who_have(data, part):
    ends = data.train_ends if part == "valid" else data.valid_ends
    return {item: {user for user, each, _, at in rows(data) if each == item and at < ends[user]}
            for item in range(1, V + 1)}  # fmt: skip


@pytest.mark.parametrize(("part", "history"), CASES)
@pytest.mark.parametrize(("pairs", "cached"), [(0, V), (100, V), (10**8, V), (10**8, 0)])
def test_item_knn_by_its_formula(monkeypatch, data, part, history, pairs, cached):
    monkeypatch.setattr(item_knn, "PAIRS", pairs)
    monkeypatch.setattr(item_knn, "CACHED", cached)
    monkeypatch.setattr(item_knn, "AT_ONCE", 40)
    _, asked = asked_of(data, part, history)
    having = users_who_have(data, part)
    found = ItemKNN(data).scorer(part, 0.0)(asked)
    for row, user, until in zip(found, asked.users_Q, asked.until_Q, strict=True):
        last = data.items[max(data.offsets[user], until - 10) : until].tolist()[::-1]
        expected = [
            sum(
                0.8**age * len(having[i] & having[j]) / math.sqrt((len(having[i]) + 1) * (len(having[j]) + 1))
                for age, i in enumerate(last)
                if i != j
            )
            for j in range(1, V + 1)
        ]
        np.testing.assert_allclose(row, expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(("part", "history"), CASES)
def test_ease_by_its_formula(data, part, history):
    _, asked = asked_of(data, part, history)
    having = users_who_have(data, part)
    x = np.array([[float(user in having[item]) for item in range(1, V + 1)] for user in range(data.users)])
    p = np.linalg.inv(x.T @ x + 10 * np.eye(V))
    b = np.eye(V) - p / np.diag(p)
    found = EASE(data).scorer(part, 10.0)(asked)
    for row, user, until in zip(found, asked.users_Q, asked.until_Q, strict=True):
        own = np.isin(np.arange(1, V + 1), data.items[data.offsets[user] : until]).astype(float)
        cold = x.sum(0) == 0
        expected = np.where(cold, 0, np.where(cold, 0, own) @ b)
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-5)


def test_ease_is_the_nearest_matrix_in_blocks(monkeypatch, data):
    monkeypatch.setattr(ease_module, "_COLUMNS", 3)
    x = binary_users(data, "test")[:, 1:V]
    found = ease_matrix(x, 2.0)
    assert (np.diag(found) == 0).all()
    dense = x.toarray().astype(float)
    gradient = dense.T @ (dense @ found - dense) + 2.0 * found
    np.testing.assert_allclose(gradient - np.diag(np.diag(gradient)), 0, atol=1e-4)


def test_ease_is_inverted_in_its_place_with_the_threads_of_torch(monkeypatch):
    chance = np.random.default_rng(0)
    x = chance.random((300, 200)).astype(np.float32)
    matrix = np.asfortranarray(x.T @ x + np.eye(200, dtype=np.float32))
    expected, threads, factor_of = np.linalg.inv(matrix.astype(float)), [], ease_module.lapack.spotrf

    def watched(*arguments, **options):
        threads.extend(each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas")
        return factor_of(*arguments, **options)

    monkeypatch.setattr(ease_module.lapack, "spotrf", watched)
    monkeypatch.setattr(ease_module.torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(ease_module, "_COLUMNS", 64)
    found = inverted(matrix)
    assert found.flags.c_contiguous
    assert np.shares_memory(found, matrix)
    assert set(threads) == {2}
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (found == found.T).all()


def test_a_lambda_that_float32_cannot_have_is_never_chosen(monkeypatch, data):
    with pytest.raises(np.linalg.LinAlgError, match="not positive definite"):
        inverted(np.asfortranarray(np.ones((3, 3), np.float32)))
    usual = ease_module.inverted

    def failing(matrix):
        if matrix.diagonal().min() < 1000:
            raise np.linalg.LinAlgError("the matrix is not positive definite")
        return usual(matrix)

    monkeypatch.setattr(ease_module, "inverted", failing)
    with pytest.raises(np.linalg.LinAlgError, match="EASE cannot be computed in float32 with lambda 100: "):
        EASE(data).scorer("valid", 100.0)
    rule = EASE(data)
    found = choose(rule, data, run_settings())
    assert found.choice == rule.choice.item() >= 1000
    assert found.tried[100.0] == found.tried[10.0] == -math.inf


def test_ease_takes_one_square_matrix(monkeypatch, data):
    """Scores, too: a matrix that lies by columns would be copied for every block of queries."""
    monkeypatch.setattr(ease_module, "_COLUMNS", 32)
    items, users = 1500, 400
    chance = np.random.default_rng(0)
    x = sp.csr_matrix((chance.random((users, items)) < 0.02).astype(np.float32))
    square = 4 * items**2
    tracemalloc.start()
    matrix = ease_matrix(x, 100.0)
    _, peak = tracemalloc.get_traced_memory()
    assert square < peak < 1.3 * square
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    x[:16] @ matrix
    assert tracemalloc.get_traced_memory()[1] - before < 0.1 * square
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("best", "tried", "at_end"),
    [
        (100, [100, 10, 1000], False),
        (10, [100, 10, 1000, 1], False),
        (1000, [100, 10, 1000, 10_000], False),
        (20_000, [100, 10, 1000, 10_000, 100_000], False),
        (0, [100, 10, 1000, 1], True),
        (10**9, [100, 10, 1000, 10_000, 100_000], True),
    ],
)
def test_lambdas_are_tried_until_the_best_is_no_end(monkeypatch, data, best, tried, at_end):
    def reached(rule, choice, *_):
        return 1 / (1 + abs(math.log10(choice) - math.log10(best or 0.01)))

    monkeypatch.setattr(by_rule, "_reached", reached)
    rule = EASE(data)
    found = choose(rule, data, run_settings())
    assert list(found.tried) == tried
    assert found.choice == rule.choice.item() == max(tried, key=lambda each: reached(rule, each))
    assert found.at_end is at_end
    assert choose(rule, data, run_settings()) is None


def test_of_equal_choices_the_first_is_taken_and_an_infinite_half_life_is_no_end(monkeypatch, data):
    monkeypatch.setattr(by_rule, "_reached", lambda *_: 0.25)
    for model, expected in ((EASE, 100.0), (RecentPop, math.inf)):
        found = choose(model(data), data, run_settings())
        assert (found.choice, found.at_end) == (expected, False)
    monkeypatch.setattr(by_rule, "_reached", lambda rule, choice, *_: -choice)
    shortest = choose(RecentPop(data), data, run_settings())
    assert (shortest.choice, shortest.at_end) == (half_lives(data)[-1], True)
    assert choose(ItemKNN(data), data, run_settings()) == Chosen(0.0, {}, 0.0)


def test_ease_says_from_which_size_on_it_is_left_out(monkeypatch, data):
    monkeypatch.setattr(ease_module, "LARGEST", 10)
    with pytest.raises(InputError, match="EASE is for up to 10 items, by hand has 11"):
        EASE(data)


def slow_rank(row, target, left_out):
    scores = [-math.inf if item in left_out else row[item - 1] for item in range(1, V + 1)]
    if target in left_out:
        return math.inf
    own = scores[target - 1]
    finite = [abs(each) for each in scores if each > -math.inf]
    error = 2 * np.finfo(np.float32).eps * max(finite) if row.dtype == np.float32 else 0.0
    above = sum(each > own + error for each in scores)
    return above + (sum(own - error <= each <= own + error for each in scores) - 1) / 2


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("filter_seen", [False, True])
@pytest.mark.parametrize("history", ["frozen", "rolling", "rolling-basket"])
def test_every_event_is_ranked_over_the_catalogue(data, rule, history, filter_seen):
    model, settings = rule(data), run_settings(history=history, filter_seen=filter_seen)
    found = evaluate(model, data, "test", settings)
    asked, of_rule = asked_of(data, "test", history)
    scores = model.scorer("test", model.choice.item())(of_rule)
    scores = np.broadcast_to(scores, (len(of_rule.users_Q), V))
    for rank, query, target in zip(found.ranks_E, asked.query_E, asked.targets_E, strict=True):
        user, until = of_rule.users_Q[query], of_rule.until_Q[query]
        own = set(data.items[data.offsets[user] : until].tolist()) if filter_seen else set()
        assert rank == slow_rank(scores[query], target, own)
    assert {"coverage@10", "arp@10", "ndcg@10"} <= set(found.figures)


def test_many_events_of_a_query_are_looked_up(data):
    asked = Asked(np.array([0]), data.valid_ends[:1], None)
    scores = np.round(np.random.default_rng(0).random((1, V)), 1)
    targets = np.tile(np.arange(1, V + 1), 3)
    found = rank_by_rule(lambda _: scores, asked, np.zeros(len(targets), np.int64), targets, top_k=4)
    assert found.ranks_E.tolist() == [slow_rank(scores[0], target, ()) for target in targets]
    assert scores[0, found.top_QK[0] - 1].tolist() == sorted(scores[0], reverse=True)[:4]


def test_items_with_events_at_the_same_times_tie_whoever_had_them(dataset_of):
    chance = np.random.default_rng(0)
    events = [(day, item) for item in range(1, 41, 2) for day in chance.integers(0, 20, 5)]
    events += [(day, item + 1) for day, item in events]  # of items 2 k + 1 and 2 k + 2, by other users
    users = [sorted(events[at] for at in some) for some in np.array_split(chance.permutation(len(events)), 30)]
    parts = [([int(item) for _, item in user], [], [1]) for user in users]
    times = [time for user in users for time in (*(int(day) for day, _ in user), 21)]
    data = dataset_of(parts, 40, np.array(times) * DAY)
    for days in (math.inf, 7.0, 2.0):
        model = RecentPop(data)
        shares = model.scorer("test", days)(Asked(np.array([0]), data.valid_ends[:1], None))[0]
        assert (shares[::2] == shares[1::2]).all()
    assert len(np.unique(shares)) > 15


def test_items_of_the_same_users_tie_though_their_products_round_differently(dataset_of):
    chance = np.random.default_rng(0)
    parts = []
    for _ in range(60):
        pairs = chance.choice(30, 6, replace=False)  # items 2 k + 1 and 2 k + 2 are had together
        parts.append(([item for pair in pairs for item in (2 * pair + 1, 2 * pair + 2)], [], list(range(1, 61))))
    data = dataset_of(parts, 60)
    model = EASE(data)
    model.choice.fill_(10.0)
    ranks_UV = evaluate(model, data, "test", run_settings()).ranks_E.reshape(60, 60)
    for (known, _, _), ranks in zip(parts, ranks_UV, strict=True):
        others = np.setdiff1d(np.arange(1, 61), known).reshape(-1, 2) - 1
        assert (ranks[others[:, 0]] == ranks[others[:, 1]]).all()
        assert (ranks[others] % 1 == 0.5).all()


def test_the_best_of_validation_is_chosen(data):
    rule, settings = RecentPop(data), run_settings()
    choose(rule, data, settings)
    figures = {}
    for each in rule.choices:
        other = RecentPop(data)
        other.choice.fill_(each)
        figures[each] = evaluate(other, data, "valid", settings).figures["ndcg@10"]
    assert figures[rule.choice.item()] == max(figures.values())
    assert rule.choices[0] == math.inf
    steps = np.divide(rule.choices[1:-1], rule.choices[2:])
    assert steps.tolist() == pytest.approx([2] * 12)


def test_what_was_chosen_is_kept(data):
    rule = RecentPop(data)
    choose(rule, data, run_settings())
    other = RecentPop(data)
    other.load_state_dict(rule.state_dict())
    assert torch.equal(other.choice, rule.choice)
