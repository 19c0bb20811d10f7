"""The merge sort against numpy's stable sort: of one block and of many, with ties and keys far apart."""

from __future__ import annotations

import numpy as np
import pytest

from negsample.data import blocks
from negsample.data.prepare.events import DTYPES, EventColumns
from negsample.data.prepare.order import make_of_users, sort_by, stable_order, write_sorted

LARGEST = 2**63 - 1
TIMES = {
    "ties": lambda chance, n: chance.integers(0, 5, n),
    "one": lambda chance, n: np.full(n, 7),
    "far": lambda chance, n: chance.integers(-LARGEST - 1, LARGEST, n, endpoint=True),
    "farthest": lambda chance, n: chance.choice([-LARGEST - 1, 0, LARGEST], n),
    "seconds": lambda chance, n: 10**6 * chance.integers(1_600_000_000, 1_600_010_000, n),
    "ascending": lambda chance, n: np.sort(chance.integers(0, 10**12, n)),
    "descending": lambda chance, n: np.sort(chance.integers(0, 10**12, n))[::-1],
    "an outlier": lambda chance, n: np.where(np.arange(n) == n // 2, -(2**60), chance.integers(0, 10**6, n)),
}


@pytest.fixture(params=TIMES)
def events(request):
    """300 events; one user and one item have half of them, ids are up to the largest."""
    chance = np.random.default_rng(2)
    half = chance.random((2, 300)) < 0.5
    users, items = np.where(half, 2**31 - 2, chance.choice([0, 1, 5, 70_000, 2**31 - 1], (2, 300))).astype(np.uint32)
    parts = chance.integers(0, 3, 300).astype(np.int8)
    times = TIMES[request.param](chance, 300).astype(np.int64)
    weights, orders = chance.integers(1, 2**31, 300).astype(np.int32), chance.permutation(300)
    return EventColumns(users, items, times, parts, weights, orders)


@pytest.mark.parametrize("block", [1, 4, 9, 40, 299, 300, blocks.BLOCK])
@pytest.mark.parametrize("key", DTYPES)
def test_as_one_stable_sort(monkeypatch, tmp_path, events, key, block):
    monkeypatch.setattr(blocks, "BLOCK", block)
    made = list(sort_by(key, events.blocks(), 300, tmp_path))
    expected = events.take(np.argsort(getattr(events, key), kind="stable"))
    for column, sorted_ in zip(expected, zip(*made, strict=True), strict=True):
        assert np.concatenate(sorted_).tolist() == column.tolist()
    assert max(len(each.times) for each in made) <= max(block, 300 / block), "more than a block is in memory"
    assert list(tmp_path.iterdir()) == []


def test_blocks_of_any_size_with_empty_ones_between(monkeypatch, tmp_path, events):
    monkeypatch.setattr(blocks, "BLOCK", 64)
    parts = [events.take(slice(*each)) for each in ((0, 0), (0, 64), (64, 65), (65, 65), (65, 129), (129, 180))]
    made = sort_by("times", parts, 300, tmp_path)
    expected = np.sort(events.times[:180])
    assert np.concatenate([each.times for each in made]).tolist() == expected.tolist()


def test_many_stretches_that_follow_each_other_are_read_in_large_pieces(monkeypatch, tmp_path):
    monkeypatch.setattr(blocks, "BLOCK", 64)
    times = np.arange(64 * 50)
    zeros = np.zeros(len(times), np.uint32)
    made = list(
        sort_by("times", EventColumns(zeros, zeros, times, zeros.astype(np.int8)).blocks(), len(times), tmp_path)
    )
    assert len(made) < 1.1 * len(times) / 16


@pytest.mark.parametrize("block", [7, blocks.BLOCK])
def test_events_without_weights_stay_without(monkeypatch, tmp_path, events, block):
    monkeypatch.setattr(blocks, "BLOCK", block)
    made = list(sort_by("users", events._replace(weights=None).blocks(), 300, tmp_path))
    assert all(each.weights is None for each in made)
    whole = [each.items for each in sort_by("users", events.blocks(), 300, tmp_path)]
    assert np.concatenate([each.items for each in made]).tolist() == np.concatenate(whole).tolist()


@pytest.mark.parametrize("size", [1, 2, 70_000])
@pytest.mark.parametrize("span", [0, 2**15, 2**16 - 1, 2**16, 2**31, 2**32 - 1, 2**32, 2**62])
def test_stable_order(size, span):
    keys = np.random.default_rng(0).integers(-5, span - 5, size, endpoint=True)
    keys[-1] = keys[0]
    assert (stable_order(keys) == np.argsort(keys, kind="stable")).all()


@pytest.mark.parametrize("block", [7, blocks.BLOCK])
def test_three_orders(monkeypatch, tmp_path, events, block):
    monkeypatch.setattr(blocks, "BLOCK", block)
    (tmp_path / "scratch").mkdir()
    make_of_users(tmp_path, 300, weighted=True)
    scratch = tmp_path / "scratch"
    write_sorted(events.blocks(), 300, 300, tmp_path, scratch, names=events.names, of_users=tmp_path)
    found = {path.stem: np.load(path).tolist() for path in tmp_path.glob("*.npy")}
    by_user, by_item, by_time = (
        events.take(np.lexsort(keys))
        for keys in ((events.times, events.users), (events.times, events.items), (events.times,))
    )
    assert found == {
        "items": by_user.items.tolist(),
        "times": by_user.times.tolist(),
        "weights": by_user.weights.tolist(),
        "by_item_times": by_item.times.tolist(),
        "by_time_items": by_time.items.tolist(),
        "by_time_times": by_time.times.tolist(),
        "by_time_orders": by_time.orders.tolist(),
    }
