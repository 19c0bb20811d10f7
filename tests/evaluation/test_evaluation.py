"""Ranks against slow float64 arithmetic, ties to the last bit, and which events are asked of which history."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from benchmarks.memory import peak_bytes
from negsample.batches.windows import Windows
from negsample.errors import InputError
from negsample.evaluation import ranks as ranking
from negsample.evaluation.encode import encode
from negsample.evaluation.evaluate import evaluate, evaluate_by_dial
from negsample.evaluation.queries import queries
from negsample.evaluation.ranks import rank
from negsample.evaluation.seen import Seen
from negsample.models import PopRec, SASRec
from negsample.models.item_table import ItemTable
from negsample.scoring.dial import dials
from negsample.settings import run_settings

BLOCKS = [(1, 1), (1, 1000), (3, 2), (4, 7), (7, 23), (512, 8192)]


def table_of(rows: torch.Tensor) -> ItemTable:
    """A table whose items 1..V have ``rows``."""
    table = ItemTable(len(rows), rows.shape[1], rng=torch.Generator().manual_seed(0))
    with torch.no_grad():
        table.weight[1:] = rows
    return table


def slow_ranks(states, rows, query, targets, seen=()):
    """FIELD section 2 by two loops; an item that is left out has no rank: it is infinite."""
    result = []
    for q, target in zip(query, targets, strict=True):
        scores = [float(np.dot(states[q], row)) for row in rows]
        for owner, item in seen:
            if owner == q:
                scores[item - 1] = -math.inf
        own = scores[target - 1]
        if own == -math.inf:
            result.append(math.inf)
            continue
        higher = sum(score > own for score in scores)
        same = sum(score == own for score in scores)
        result.append(higher + (same - 1) / 2)
    return result


@pytest.fixture(params=[1, 4, None], ids=["all sorted", "some sorted", "as it is"])
def looked_up(request, monkeypatch):
    """From how many events a query's scores are sorted and its events looked up in them."""
    if request.param is not None:
        monkeypatch.setattr(ranking, "SORTED_FROM", request.param)


@pytest.fixture
def small_world():
    """Whole numbers, so that products are exact and ties are many."""
    chance = np.random.default_rng(1)
    states = chance.integers(-2, 3, (9, 3)).astype(np.float64)
    rows = chance.integers(-2, 3, (23, 3)).astype(np.float64)
    query = np.sort(np.concatenate([np.arange(9), chance.integers(0, 9, 31)]))
    targets = chance.integers(1, 24, 40)
    return states, rows, query, targets


def ranked(states, rows, query, targets, **options):
    states_QD, table = torch.tensor(states, dtype=torch.float32), table_of(torch.tensor(rows, dtype=torch.float32))
    (found,) = rank(states_QD, table, np.asarray(query), np.asarray(targets), **options)
    return found


@pytest.mark.usefixtures("looked_up")
@pytest.mark.parametrize(("query_block", "item_block"), BLOCKS)
def test_ranks_are_the_slow_ones_whatever_the_blocks(small_world, query_block, item_block):
    expected = slow_ranks(*small_world)
    assert any(each % 1 for each in expected), "no tie: the test would be weak"
    found = ranked(*small_world, query_block=query_block, item_block=item_block)
    assert found.ranks_E.dtype == np.float64
    assert found.ranks_E.tolist() == expected
    assert found.top_QK is None


def test_a_hand_made_ranking():
    # Scores of items 1..5 for the state 1: 3, 1, 3, 2, 3.
    found = ranked([[1.0]], [[3.0], [1.0], [3.0], [2.0], [3.0]], [0] * 5, [1, 2, 3, 4, 5], top_k=4)
    assert found.ranks_E.tolist() == [1, 4, 1, 3, 1]
    assert found.top_QK is not None
    assert set(found.top_QK[0, :3].tolist()) == {1, 3, 5}
    assert found.top_QK[0, 3] == 4


def test_queries_without_an_event_are_passed_over(small_world):
    states, rows, query, targets = small_world
    some = ~np.isin(query, [0, 4, 5, 8])
    expected = slow_ranks(states, rows, query[some], targets[some])
    for query_block in (1, 2, 5):
        found = ranked(states, rows, query[some], targets[some], query_block=query_block, item_block=4, top_k=2)
        assert found.ranks_E.tolist() == expected
        assert found.top_QK is not None
        assert len(found.top_QK) == 9


@pytest.mark.usefixtures("looked_up")
@pytest.mark.parametrize("items", [1, 2, 3, 5, 8, 17, 64, 100, 257, 1000, 4099, 8193])
@pytest.mark.parametrize("dim", [1, 7, 50, 64])
def test_a_collapsed_table_ranks_every_target_in_the_middle(items, dim):
    chance = torch.Generator().manual_seed(items * dim)
    row = torch.randn(1, dim, generator=chance)
    table = table_of(row.expand(items, -1))
    for sequences in (1, 2, 3, 13, 70):
        states = torch.randn(sequences, dim, generator=chance)
        query = np.sort(np.concatenate([np.arange(sequences)] * 3))
        targets = np.concatenate([np.full(sequences, 1), np.full(sequences, items), np.full(sequences, items // 2 + 1)])
        for query_block, item_block in [(512, 8192), (5, 16), (64, 100), (1, 33)]:
            if items / item_block * sequences / query_block > 60:
                continue
            (found,) = rank(states, table, query, targets, query_block=query_block, item_block=item_block)
            assert (found.ranks_E == (items - 1) / 2).all(), (sequences, query_block, item_block)


@pytest.mark.usefixtures("looked_up")
@pytest.mark.parametrize("item_block", [3, 16, 100, 8192])
def test_two_equal_items_tie_wherever_they_stand(item_block):
    chance = torch.Generator().manual_seed(3)
    rows = torch.randn(100, 50, generator=chance)
    rows[[4, 57, 99]] = rows[31].clone()
    states = torch.randn(40, 50, generator=chance)
    query = np.repeat(np.arange(40), 4)
    found = rank(states, table_of(rows), query, np.tile([5, 58, 100, 32], 40), item_block=item_block)[0].ranks_E
    found = found.reshape(40, 4)
    exact = (states.double() @ rows.double().T).numpy()
    expected = (np.delete(exact, [4, 57, 99], 1) > exact[:, [31]]).sum(1) + 1.5
    assert (found == found[:, :1]).all()
    assert np.abs(found[:, 0] - expected).max() <= 1  # a near tie of float32 may go either way
    assert (found[:, 0] == expected).mean() > 0.9


@pytest.mark.parametrize("asking", [True, False], ids=["", "as on a GPU"])
@pytest.mark.parametrize(("query_block", "item_block"), BLOCKS)
@pytest.mark.parametrize("top_k", [1, 5, 23, 40])
def test_top_ids_are_those_of_the_highest_scores(small_world, query_block, item_block, top_k, asking, monkeypatch):
    monkeypatch.setattr("negsample.evaluation.running_top_k.may_ask", lambda device: asking)
    states, rows, query, targets = small_world
    found = ranked(states, rows, query, targets, top_k=top_k, query_block=query_block, item_block=item_block)
    assert found.top_QK is not None
    assert found.top_QK.shape == (9, min(top_k, 23))
    scores = states @ rows.T
    for row, ids in enumerate(found.top_QK):
        assert len(set(ids.tolist())) == len(ids)
        assert scores[row, ids - 1].tolist() == sorted(scores[row], reverse=True)[:top_k]


@pytest.mark.usefixtures("looked_up")
@pytest.mark.parametrize(("query_block", "item_block"), BLOCKS)
def test_seen_items_leave_the_ranking_and_a_seen_target_has_no_rank(small_world, query_block, item_block):
    states, rows, query, targets = small_world
    chance = np.random.default_rng(2)
    owners = np.sort(chance.integers(0, 9, 30))
    items = chance.integers(1, 24, 30)
    pairs = set(zip(owners.tolist(), items.tolist(), strict=True))  # some stand there twice
    expected = slow_ranks(states, rows, query, targets, pairs)
    found = ranked(
        states,
        rows,
        query,
        targets,
        seen=Seen.of_pairs(owners, items, queries=9, items=23),
        top_k=23,
        query_block=query_block,
        item_block=item_block,
    )
    assert found.ranks_E.tolist() == expected
    assert 0 < np.isinf(found.ranks_E).sum() < len(query)
    assert found.top_QK is not None
    for q, ids in enumerate(found.top_QK.tolist()):
        left_out = {item for owner, item in pairs if owner == q}
        shown = [item for item in ids if item]
        assert sorted(shown) == sorted(set(range(1, 24)) - left_out)
        assert ids[len(shown) :] == [0] * len(left_out)


def test_states_that_are_no_numbers_are_refused():
    with pytest.raises(InputError, match="training diverged"):
        ranked([[math.nan]], [[1.0]], [0], [1])


@pytest.mark.parametrize("value", [math.nan, math.inf])
@pytest.mark.parametrize("target", [1, 7])
def test_items_that_are_no_numbers_are_refused(value, target):
    rows = np.ones((20, 3))
    rows[6] = value
    with pytest.raises(InputError, match="training diverged"):
        ranked([[1.0, 2.0, 3.0]], rows, [0], [target])


@pytest.mark.parametrize(
    "dim",
    [
        2,
        4,
        16,
        50,
    ],
)
def test_the_margin_of_ties_is_wide_enough(dim):
    chance = torch.Generator().manual_seed(dim)
    for _ in range(300):
        table = table_of(torch.randn(1, dim, generator=chance).expand(33, -1))
        states = torch.randn(31, dim, generator=chance)
        assert (rank(states, table, np.arange(31), np.arange(31) + 1)[0].ranks_E == 16).all()


def test_different_scores_hardly_ever_tie():
    chance = torch.Generator().manual_seed(4)
    table = table_of(torch.randn(5_000, 64, generator=chance))
    states = torch.randn(300, 64, generator=chance)
    targets = torch.randint(1, 5_001, (300,), generator=chance).numpy()
    exact = states.double() @ table.weight.detach()[1:].double().T
    expected = (exact > exact[torch.arange(300), targets - 1].unsqueeze(1)).sum(1).numpy()
    found = rank(states, table, np.arange(300), targets)[0].ranks_E
    assert np.abs(found - expected).max() <= 1
    assert (found == expected).mean() > 0.95


@pytest.mark.usefixtures("looked_up")
@pytest.mark.parametrize(("query_block", "item_block"), [*BLOCKS, (16, 5), (20, 23)])
def test_queries_with_many_events_and_with_few(small_world, query_block, item_block):
    states, rows, _, _ = small_world
    chance = np.random.default_rng(13)
    states = np.concatenate([states, chance.integers(-2, 3, (30, 3))]).astype(np.float64)
    query = np.sort(np.concatenate([np.full(90, 11), np.full(70, 4), np.full(9, 38), chance.integers(0, 39, 60)]))
    targets = chance.integers(1, 24, len(query))
    found = ranked(states, rows, query, targets, query_block=query_block, item_block=item_block)
    assert found.ranks_E.tolist() == slow_ranks(states, rows, query, targets)


@pytest.mark.parametrize(("query_block", "item_block"), [(1, 64), (5, 16), (64, 100), (128, 16384)])
@pytest.mark.parametrize("dim", [1, 50])
def test_states_of_zeros_rank_every_target_in_the_middle(dim, query_block, item_block):
    table = table_of(torch.randn(257, dim, generator=torch.Generator().manual_seed(dim)))
    targets = np.arange(1, 258)
    query = np.sort(targets % 6)
    (found,) = rank(torch.zeros(6, dim), table, query, targets, query_block=query_block, item_block=item_block)
    assert (found.ranks_E == 128).all()


@pytest.mark.parametrize("of_states", [1e-20, 1e-12, 1.0, 1e12, 1e25])
@pytest.mark.parametrize("of_items", [1e-12, 1.0, 1e12])
def test_scale_changes_no_rank(of_states, of_items):
    chance = torch.Generator().manual_seed(7)
    rows, states = torch.randn(300, 16, generator=chance), torch.randn(20, 16, generator=chance)
    rows[[3, 250, 299]] = rows[120].clone()
    query, targets = np.repeat(np.arange(20), 5), np.tile([4, 121, 300, 17, 200], 20)
    plain = rank(states, table_of(rows), query, targets)[0].ranks_E
    assert (plain.reshape(20, 5)[:, [1, 2]] == plain.reshape(20, 5)[:, :1]).all()
    scaled = rank(states * of_states, table_of(rows * of_items), query, targets, query_block=3, item_block=77)[
        0
    ].ranks_E
    assert np.abs(scaled - plain).max() <= 0.5  # a score on a margin may cross it
    assert (scaled == plain).mean() > 0.95


def test_scores_too_large_to_compare_are_refused():
    with pytest.raises(InputError, match="training diverged"):
        ranked([[1e30]], [[1.0], [1e30]], [0], [2])


class OfType:
    """A table whose blocks come in another type than its looked-up rows."""

    def __init__(self, rows, dtype):
        self.rows, self.dtype = torch.cat([torch.zeros(1, rows.shape[1]), rows]).to(dtype), dtype

    @property
    def items(self):
        return len(self.rows) - 1

    def lookup(self, *ids):
        return [self.rows[each].float() for each in ids]

    def block(self, start, stop):
        return self.rows[start:stop]


def test_a_table_in_half_the_width_is_ranked_in_the_type_of_the_states():
    chance = torch.Generator().manual_seed(8)
    table = OfType(torch.randn(900, 16, generator=chance), torch.bfloat16)
    states = torch.randn(30, 16, generator=chance)
    query, targets = np.arange(30), np.arange(30) * 7 + 1
    (wide,) = rank(states, table_of(table.rows[1:].float()), query, targets, top_k=5)
    (found,) = rank(states, table, query, targets, top_k=5, query_block=7, item_block=123)
    assert (found.ranks_E == wide.ranks_E).mean() > 0.9
    assert np.abs(found.ranks_E - wide.ranks_E).max() <= 0.5
    assert (np.sort(found.top_QK) == np.sort(wide.top_QK)).all()


@pytest.mark.parametrize("order", ["random", "ascending", "descending", "equal"])
@pytest.mark.parametrize("top_k", [1, 3, 20])
def test_top_ids_of_a_wide_catalogue(order, top_k):
    rows = torch.randn(9_973, 1, generator=torch.Generator().manual_seed(9))
    rows = {"random": rows, "ascending": rows.sort(0).values, "descending": -rows.sort(0).values}.get(order, rows * 0)
    states = torch.tensor([[1.0], [2.0], [-1.0], [0.5], [0.0]])
    for item_block in (16384, 5000, 700):
        (found,) = rank(
            states, table_of(rows), np.arange(5), np.arange(5) + 1, top_k=top_k, item_block=item_block, query_block=2
        )
        assert found.top_QK is not None
        scores = (states @ rows.T).numpy()
        for row, ids in enumerate(found.top_QK):
            assert len(set(ids.tolist())) == top_k
            assert scores[row, ids - 1].tolist() == sorted(scores[row], reverse=True)[:top_k]


@pytest.mark.parametrize(("top_k", "with_seen"), [(0, False), (20, True)])
def test_memory_is_bound_by_the_block_whatever_the_catalogue(top_k, with_seen):
    v, queries, events, dim, query_block, item_block = 90_000, 32, 100, 4, 16, 512
    chance = np.random.default_rng(10)
    table = table_of(torch.randn(v, dim, generator=torch.Generator().manual_seed(10)))
    states = torch.randn(queries, dim, generator=torch.Generator().manual_seed(11))
    query, targets = np.sort(chance.integers(0, queries, events)), chance.integers(1, v + 1, events)
    seen = None
    if with_seen:
        owners, items = chance.integers(0, queries, 500), chance.integers(1, v + 1, 500)
        seen = Seen.of_pairs(owners, items, queries=queries, items=v)
    tensors, arrays = peak_bytes(
        lambda: rank(
            states, table, query, targets, top_k=top_k, seen=seen, query_block=query_block, item_block=item_block
        )
    )
    bound = 4 * item_block * (6 * query_block + 3 * dim)
    assert tensors < bound + 100 * events + 50 * queries * top_k < 4 * v
    assert arrays < 4 * v


def test_memory_does_not_grow_with_events_times_vectors():
    table = table_of(torch.randn(100, 1024, generator=torch.Generator().manual_seed(12)))
    states, query = torch.ones(16, 1024), np.repeat(np.arange(16), 50)
    tensors, arrays = peak_bytes(
        lambda: rank(states, table, query, query + 3, query_block=8, item_block=64)  # 3 MB of vectors looked up
    )
    assert tensors < 4 * 64 * (6 * 8 + 3 * 1024) + 100 * len(query) < 4 * 1024 * len(query)
    assert arrays < 1000 * len(query)


def test_poprec_is_ranked_by_train_count():
    order = torch.tensor([3, 1, 4, 2])
    model = PopRec(order)
    (found,) = rank(torch.ones(2, 1, dtype=torch.float64), model.table, np.array([0, 0, 1, 1]), order.numpy(), top_k=4)
    assert found.ranks_E.tolist() == [0, 1, 2, 3]
    assert found.top_QK is not None
    assert found.top_QK.tolist() == [order.tolist()] * 2


# Users: (train, validation, test)
USERS = [
    ([1, 2, 3, 4], [5], [6, 7]),
    ([2], [], [3]),
    ([], [4, 5], [1]),  # no train event: not asked for validation
    ([], [], [2, 3]),  # nothing before test: not asked at all
    ([5, 6], [7, 1], []),  # no test event
]


def asked(dataset_of, part, history, max_length=3):
    data = dataset_of(USERS, 7)
    found = queries(data, part, history=history, max_length=max_length)
    windows = found.windows
    return [
        (int(windows.users[q]), data.items[windows.starts[q] : windows.stops[q]].tolist(), target)
        for q, target in zip(found.query_E.tolist(), found.targets_E.tolist(), strict=True)
    ], found


def test_frozen_histories_of_test_are_the_last_of_train_and_validation(dataset_of):
    events, found = asked(dataset_of, "test", "frozen")
    assert events == [(0, [3, 4, 5], 6), (0, [3, 4, 5], 7), (1, [2], 3), (2, [4, 5], 1)]
    assert found.query_E.tolist() == [0, 0, 1, 2]
    assert len(found.windows) == 3


def test_a_rolling_history_ends_before_the_moment_of_the_event_and_a_basket_has_its_own_rows(dataset_of):
    # One moment is rows 2 to 4 of user 0: a cut by rows goes through it. User 1 has nothing but one moment.
    users, times = [([1, 2, 3], [], [4, 5, 6]), ([1, 2], [], [3])], [1, 2, 2, 2, 2, 3, 5, 5, 5]
    data = dataset_of(users, 7, times)
    found = queries(data, "test", history="rolling", max_length=5)
    assert found.windows.stops.tolist() == [1, 5]
    assert found.query_E.tolist() == [0, 0, 1]
    assert found.targets_E.tolist() == [4, 5, 6]
    basket = queries(data, "test", history="rolling-basket", max_length=5)
    assert basket.windows.stops.tolist() == [3, 4, 5, 8]
    assert basket.targets_E.tolist() == [4, 5, 6, 3]
    with pytest.raises(InputError, match=r"no test event of .* is later than another of its user"):
        queries(dataset_of(users[1:], 7, [5, 5, 5]), "test", history="rolling", max_length=5)


def test_rolling_histories_of_test_are_all_before_the_event(dataset_of):
    events, found = asked(dataset_of, "test", "rolling")
    assert events == [(0, [3, 4, 5], 6), (0, [4, 5, 6], 7), (1, [2], 3), (2, [4, 5], 1)]
    assert found.query_E.tolist() == [0, 1, 2, 3]


def test_validation_asks_users_with_train_events_about_train_alone(dataset_of):
    events, _ = asked(dataset_of, "valid", "frozen")
    assert events == [(0, [2, 3, 4], 5), (4, [5, 6], 7), (4, [5, 6], 1)]
    events, _ = asked(dataset_of, "valid", "rolling")
    assert events == [(0, [2, 3, 4], 5), (4, [5, 6], 7), (4, [5, 6, 7], 1)]


@pytest.mark.parametrize("history", ["frozen", "rolling"])
@pytest.mark.parametrize("part", ["valid", "test"])
def test_what_a_query_knows_is_all_before_it_not_the_window_alone(dataset_of, part, history):
    data = dataset_of(USERS, 7)
    found = queries(data, part, history=history, max_length=2)
    for q, (user, stop) in enumerate(zip(found.windows.users, found.windows.stops, strict=True)):
        assert found.known_until[q] == stop
        assert 1 <= stop - found.windows.starts[q] <= 2
        assert data.offsets[user] <= found.windows.starts[q]
        before = data.train_ends if part == "valid" else data.valid_ends
        assert stop == before[user] or (history == "rolling" and stop > before[user])


def test_encode_gives_the_state_after_the_last_item_in_the_order_asked(rng):
    model = SASRec(9, dim=4, max_length=5, rng=rng(0))
    items = np.array([1, 2, 3, 4, 5, 6, 7, 8, 9], np.int32)
    starts, stops = np.array([0, 2, 1, 8, 3]), np.array([1, 7, 3, 9, 6])
    windows = Windows(np.arange(5), starts, stops)
    together = encode(model, items, windows, device=torch.device("cpu"))
    for row in range(5):
        alone = encode(model, items, windows.take(np.array([row])), device=torch.device("cpu"))
        torch.testing.assert_close(together[row], alone[0])
    assert not together.requires_grad


@pytest.mark.parametrize("history", ["frozen", "rolling"])
def test_seen_items_of_the_whole_history_are_left_out_when_asked(dataset_of, history):
    # Items 1 to 4 are the most popular and all of user 0's past, longer than L: his target 5 comes first.
    users = [([1, 2, 3, 4], [], [5, 1]), ([1, 2, 3, 4], [], [4]), ([5, 1, 2], [], [])]
    data = dataset_of(users, 6)
    order = torch.tensor([1, 2, 3, 4, 5, 6])
    model = PopRec(order, max_length=2)
    settings = run_settings(max_length=2, history=history)
    plain = evaluate(model, data, "test", settings)
    assert plain.ranks_E.tolist() == [4, 0, 3]
    filtered = evaluate(model, data, "test", settings.replaced(filter_seen=True))
    assert filtered.ranks_E.tolist() == [0, math.inf, math.inf]
    assert (filtered.figures["hr@20"], filtered.figures["left_out_events"]) == (1 / 3, 2)
    assert filtered.figures["coverage@1"] == 1 / 6 if history == "frozen" else 2 / 6  # rolling: 5 is known to the last


@pytest.mark.parametrize("history", ["frozen", "rolling"])
@pytest.mark.parametrize(("items", "known"), [(12, 8), (12, 11), (3, 2), (30, 1), (10, 4)])
def test_a_repeat_is_never_a_hit_where_seen_items_are_left_out(dataset_of, history, items, known):
    """Whatever V, S and k: also where the middle of what is left out would come before k, and where k is above V."""
    had = list(range(1, known + 1))
    data = dataset_of([(had, [1], [1, known + 1, known]), ([1, 2], [], [2])], items)
    settings = run_settings(history=history, filter_seen=True)
    counts = torch.from_numpy(np.array(data.train_counts))
    for model in (
        PopRec(torch.arange(1, items + 1), max_length=50),
        PopRec(torch.arange(items, 0, -1), max_length=50),
        SASRec(items, rng=torch.Generator().manual_seed(items)),
    ):
        for part, repeats in (("test", [True, False, True, True]), ("valid", [True])):
            found = evaluate_by_dial(model, data, part, settings, dials(counts, (-1.0, 0.0, 0.5)))
            for each in [*found, evaluate(model, data, part, settings)]:
                assert np.isinf(each.ranks_E).tolist() == repeats
                assert each.figures["left_out_events"] == sum(repeats)
                for k in (1, 5, 10, 20):
                    assert each.figures[f"hr@{k}"] <= 1 - sum(repeats) / len(repeats)
                    assert each.figures[f"ndcg@{k}"] <= 1 - sum(repeats) / len(repeats)


def test_an_item_left_out_is_below_every_score_that_a_model_can_give():
    seen = Seen.of_pairs(np.array([0]), np.array([1]), queries=1, items=3)
    found = ranked([[1.0]], [[3.0], [-1e31], [-2e31]], [0, 0], [2, 3], top_k=3, seen=seen)
    assert found.ranks_E.tolist() == [0, 1]
    assert found.top_QK is not None
    assert found.top_QK.tolist() == [[2, 3, 0]]


def test_figures_are_the_means_over_the_events(dataset_of):
    users = [([1, 1, 2], [], [2, 6]), ([1, 2, 3], [], [1]), ([1, 4], [2], [3, 9])]
    data = dataset_of(users, 12)  # train counts: 1: 4, 2: 2, 3: 1, 4: 1; PopRec ranks by id
    model = PopRec(torch.arange(1, 13), max_length=50)
    found = evaluate(model, data, "test", run_settings())
    assert found.ranks_E.tolist() == [1, 5, 0, 2, 8]
    assert found.figures["hr@1"] == 1 / 5
    assert found.figures["hr@5"] == 3 / 5
    assert found.figures["warm_hr@5"] == 1
    assert found.figures["cold_events"] == 2
    assert found.figures["coverage@5"] == 5 / 12
    assert "coverage@5" not in evaluate(model, data, "test", run_settings(), with_top=False).figures


@pytest.mark.parametrize("history", ["frozen", "rolling"])
@pytest.mark.parametrize("filter_seen", [False, True])
def test_figures_are_the_same_however_many_queries_are_asked_at_once(world, history, filter_seen, monkeypatch):
    data = world(users=90, items=50, name="some")
    model = SASRec(data.catalogue_size, dim=8, max_length=12, rng=torch.Generator().manual_seed(3))
    settings = run_settings(dim=8, max_length=12, history=history, filter_seen=filter_seen)
    whole = evaluate(model, data, "test", settings)
    asked = queries(data, "test", history=history, max_length=12)
    for at_once in (1, 7, len(asked.windows) - 1):
        monkeypatch.setattr("negsample.evaluation.evaluate.QUERIES_AT_ONCE", at_once)
        some = evaluate(model, data, "test", settings)
        assert np.array_equal(some.ranks_E, whole.ranks_E)
        assert some.figures == pytest.approx(whole.figures, nan_ok=True, rel=0, abs=0)
