"""What is known at a time, against loops over all events."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from negsample.data import blocks
from negsample.data.arrays import INDEX
from negsample.data.dataset import open_dataset
from negsample.data.known import running_counts
from negsample.data.log.read import Log
from negsample.data.prepare.pipeline import prepare
from negsample.errors import InputError
from negsample.files.checksums import LIST, DamagedError, read_list, write_list
from negsample.settings import PrepareSettings

HALF_LIVES = (math.inf, 1e-3, 0.7, 30.0, 1e9)


@pytest.fixture
def log():
    """1,000 events of 12 items and 9 users, with many ties; item 12 has none."""
    chance = np.random.default_rng(3)
    users, items = np.sort(chance.integers(0, 9, 1000)), chance.integers(1, 12, 1000)
    times = chance.integers(0, 300, 1000)
    order = np.lexsort((times, users))
    return users[order], items[order], times[order]


@pytest.fixture
def data(log, dataset_of):
    users, items, times = log
    return dataset_of([([*items[users == user]], [], []) for user in range(9)], 12, times)


def slow_count(items, times, item, time, half_life):
    decayed = [2 ** (-(time - each) / half_life) for who, each in zip(items, times, strict=True)
               if who == item and each < time]  # fmt: skip
    return math.fsum(decayed)


@pytest.mark.parametrize("half_life", HALF_LIVES)
@pytest.mark.parametrize("block", [blocks.BLOCK, 64, 7])
def test_counts_are_sums_over_the_events_before(monkeypatch, data, log, half_life, block):
    monkeypatch.setattr(blocks, "BLOCK", block)
    _, items, times = log
    when = np.array([-5, 0, 1, 17, 150, 299, 300, 5000])
    found = data.known.counts(np.arange(13), when[:, None], half_life)
    expected = [[slow_count(items, times, item, time, half_life) for item in range(13)] for time in when]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(data.known.totals(when, half_life), found.sum(1), rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("half_life", HALF_LIVES)
def test_shares_by_the_formula_sum_to_one(data, log, half_life):
    _, items, times = log
    for time in (-5, 0, 1, 17, 300):
        found = data.known.shares(np.arange(1, 13), np.array(time), half_life)
        assert found.sum() == pytest.approx(1)
        seen = [max(slow_count(items, times, item, time, math.inf), 1) for item in range(1, 13)]
        counts = [slow_count(items, times, item, time, half_life) for item in range(1, 13)]
        if math.isinf(half_life):
            expected = [each / sum(seen) for each in seen]
        else:
            expected = [
                (count + 10 * each / sum(seen)) / (sum(counts) + 10) for count, each in zip(counts, seen, strict=True)
            ]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_an_event_sees_neither_itself_nor_its_ties(dataset_of):
    data = dataset_of([([1, 1, 2], [], []), ([1], [], [])], 2, [5, 5, 5, 5])
    assert data.known.counts(np.array([1, 2]), np.array(5)).tolist() == [0, 0]
    assert data.known.counts(np.array([1, 2]), np.array(6), 1e300).tolist() == [3, 1]


def test_no_overflow_over_a_long_span(dataset_of):
    """Twelve years in microseconds, with a half-life of a second: 2^(span / h) is no number."""
    span = 12 * 365 * 86_400_000_000
    data = dataset_of([([1] * 1001, [], [])], 1, np.linspace(0, span, 1001).astype(np.int64))
    with np.errstate(over="raise", invalid="raise"):
        found = data.known.counts(np.array([1]), data.times + 1, 1e6)
        shares = data.known.shares(np.array([1]), data.times, 1e6)
    np.testing.assert_allclose(found, 1, rtol=1e-6)
    assert np.isfinite(shares).all()


@pytest.mark.parametrize("block", [blocks.BLOCK, 64, 7])
def test_running_counts_are_the_same_bits_wherever_an_items_events_lie(monkeypatch, block):
    """Or the count of an item would depend on how many events others have later."""
    monkeypatch.setattr(blocks, "BLOCK", block)
    times = np.sort(np.random.default_rng(0).integers(0, 1000, 500))
    alone = running_counts(times, np.zeros(1, np.int64), 40.0)
    expected, last = [], 0.0
    for gap in np.diff(times, prepend=times[0]):
        last = 1 + last * 2 ** (-gap / 40.0)
        expected.append(last)
    np.testing.assert_allclose(alone, expected, rtol=1e-13)
    for before in (1, 3, 64, 101):
        starts = np.array([0, before])
        found = running_counts(np.append(np.arange(before), times), starts, 40.0)[before:]
        assert (found == alone).all()


def test_more_than_a_block_lies_in_a_file(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 10)
    times, starts = np.arange(35), np.array([0, 12, 20, 20])
    found = running_counts(times, starts, 1.0)
    assert isinstance(found, np.memmap)
    assert found[[0, 1, 12, 13, 20]].tolist() == [1, 1.5, 1, 1.5, 1]


def test_a_half_life_is_above_zero(data):
    with pytest.raises(ValueError, match="half_life must be above 0, got 0"):
        data.known.counts(np.array([1]), np.array(3), 0.0)


@pytest.fixture
def prepared(log, tmp_path):
    users, items, times = log
    frame = pl.LazyFrame({"user": users, "item": items.astype(np.int64), "time": times.astype(np.int64)})
    return prepare(Log(frame, "made", []), PrepareSettings(), tmp_path / "made")


@pytest.mark.parametrize("block", [blocks.BLOCK, 50, 3])
def test_prepare_writes_it_once(monkeypatch, log, tmp_path, block):
    monkeypatch.setattr(blocks, "BLOCK", block)
    users, items, times = log
    frame = pl.LazyFrame({"user": users, "item": items.astype(np.int64), "time": times.astype(np.int64)})
    data = prepare(Log(frame, "made", []), PrepareSettings(), tmp_path / "made")
    assert isinstance(data.known.by_item_times, np.memmap)
    assert (data.known.by_time_times == np.sort(times)).all()
    assert (data.known.by_time_items == items[np.argsort(times, kind="stable")]).all()
    by_item = sorted(zip(items.tolist(), times.tolist(), strict=True))
    assert data.known.by_item_times.tolist() == [time for _, time in by_item]
    assert np.diff(data.known.item_offsets).tolist() == np.bincount(data.items).tolist()


def test_a_dataset_with_validation_in_train_knows_the_same(prepared):
    assert prepared.with_validation().known is prepared.known


def test_a_folder_without_the_files_is_to_be_prepared_again(prepared):
    """As one of a version before them, were it not for the number of its format."""
    listed = read_list(prepared.folder / LIST, "dataset")
    for name in INDEX:
        (prepared.folder / f"{name}.npy").unlink()
    write_list(prepared.folder / LIST, "dataset", listed.of, set(listed.files) - {f"{name}.npy" for name in INDEX})
    with pytest.raises(DamagedError, match=r"item_offsets.npy is damaged .*delete .* and prepare it again"):
        open_dataset(prepared.folder)


@pytest.mark.parametrize(("name", "place", "value"), [("item_offsets", 3, 10**6), ("item_offsets", -1, 999)])
def test_offsets_that_cannot_be_are_refused(prepared, name, place, value):
    path = prepared.folder / f"{name}.npy"
    array = np.load(path)
    array[place] = value
    np.save(path, array)
    listed = read_list(prepared.folder / LIST, "dataset")
    write_list(prepared.folder / LIST, "dataset", listed.of, set(listed.files))
    with pytest.raises(DamagedError, match=rf"{name}.npy is damaged .they do not ascend from 0"):
        open_dataset(prepared.folder)


def test_a_damaged_file_is_refused(prepared):
    path = prepared.folder / "by_item_times.npy"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match="by_item_times"):
        open_dataset(prepared.folder, verify=False)
