"""Windows and packed batches against what is written down by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from negsample.batches.epochs import epoch_batches
from negsample.batches.from_windows import pack, training_batch
from negsample.batches.windows import TrainEvents, Windows, longest_first, training_windows
from negsample.data.blocks import spans

# user 0: 1 2 3 | 9 (a later part)   user 1: 4 | 5   user 2: 6 7 8 6 7   user 3: nothing in train, 2 later
# user 4: 8 8
ITEMS = np.array([1, 2, 3, 9, 4, 5, 6, 7, 8, 6, 7, 1, 2, 8, 8], np.int32)
OFFSETS = np.array([0, 4, 6, 11, 13, 15])
TRAIN_ENDS = np.array([3, 5, 11, 11, 15])
V = 9
EVENTS = TrainEvents(ITEMS, OFFSETS, TRAIN_ENDS, V)


def train_items(user):
    return ITEMS[OFFSETS[user] : TRAIN_ENDS[user]].tolist()


def sequences_of(packed):
    """(items, slots) of each sequence, from the packed form."""
    bounds = packed.offsets
    return [(packed.items_T[a:b].tolist(), packed.positions_T[a:b].tolist()) for a, b in itertools.pairwise(bounds)]


def test_spans_are_the_indices_one_after_another():
    assert spans(np.array([5, 0, 9]), np.array([2, 3, 1])).tolist() == [5, 6, 0, 1, 2, 9]
    assert spans(np.array([5, 0, 9]), np.array([2, 0, 1])).tolist() == [5, 6, 9]
    assert spans(np.array([], np.int64), np.array([], np.int64)).tolist() == []


@pytest.mark.parametrize(
    ("max_length", "expected"),
    [
        (1, {0: [2], 2: [6], 4: [8]}),
        (2, {0: [1, 2], 2: [8, 6], 4: [8]}),
        (4, {0: [1, 2], 2: [6, 7, 8, 6], 4: [8]}),
        (50, {0: [1, 2], 2: [6, 7, 8, 6], 4: [8]}),
    ],
)
def test_training_windows_are_the_last_l_inputs(max_length, expected):
    windows = training_windows(EVENTS, max_length)
    found = {
        user: ITEMS[start:stop].tolist()
        for user, start, stop in zip(windows.users, windows.starts, windows.stops, strict=True)
    }
    assert found == expected  # users 1 (one train event) and 3 (none) are not trained on


def test_longest_first_keeps_the_order_of_ties():
    windows = Windows(np.arange(5), np.array([0, 10, 20, 30, 40]), np.array([2, 13, 22, 33, 41]))
    assert longest_first(windows).users.tolist() == [1, 3, 0, 2, 4]


def test_pack_puts_the_most_recent_item_in_the_last_slot():
    windows = Windows(np.array([2, 0]), np.array([6, 0]), np.array([11, 3]))
    packed = pack(ITEMS, windows, 7)
    assert packed.sequences == 2
    assert packed.offsets.tolist() == [0, 5, 8]
    assert packed.rows_T.tolist() == [0, 0, 0, 0, 0, 1, 1, 1]
    assert sequences_of(packed) == [([6, 7, 8, 6, 7], [2, 3, 4, 5, 6]), ([1, 2, 3], [4, 5, 6])]
    assert packed.items_T.dtype == packed.positions_T.dtype == packed.rows_T.dtype == torch.int64


def test_packing_round_trip():
    source = np.random.default_rng(0)
    lengths = -np.sort(-source.integers(1, 9, 30))
    starts = source.integers(0, 100, 30)
    items = source.integers(1, 1000, 200).astype(np.int32)
    packed = pack(items, Windows(np.arange(30), starts, starts + lengths), 8)
    for (found, slots), start, length in zip(sequences_of(packed), starts, lengths, strict=True):
        assert found == items[start : start + length].tolist()
        assert slots == list(range(8 - length, 8))


def test_a_batch_predicts_each_next_item():
    windows = training_windows(EVENTS, 50)
    batch = training_batch(EVENTS, windows, max_length=50)
    assert batch.users_B.tolist() == [2, 0, 4]
    assert sequences_of(batch.inputs) == [
        ([6, 7, 8, 6], [46, 47, 48, 49]),
        ([1, 2], [48, 49]),
        ([8], [49]),
    ]
    assert batch.targets_T.tolist() == [7, 8, 6, 7, 2, 3, 8]
    assert batch.sequences == 3
    assert batch.catalogue_size == V


@pytest.mark.parametrize("max_length", [1, 2, 3])
def test_a_short_window_is_cut_at_its_old_end(max_length):
    windows = training_windows(EVENTS, max_length)
    batch = training_batch(EVENTS, windows, max_length=max_length)
    for row, user in enumerate(batch.users_B.tolist()):
        own = train_items(user)
        of_row = batch.inputs.rows_T == row
        assert batch.inputs.items_T[of_row].tolist() == own[:-1][-max_length:]
        assert batch.targets_T[of_row].tolist() == own[1:][-max_length:]
        assert batch.inputs.positions_T[of_row].tolist()[-1] == max_length - 1


@pytest.mark.parametrize("max_length", [1, 50])
def test_history_is_every_distinct_train_item_whatever_the_window(max_length):
    windows = training_windows(EVENTS, max_length)
    batch = training_batch(EVENTS, windows, max_length=max_length)
    expected = [
        row * (V + 1) + item
        for row, user in enumerate(batch.users_B.tolist())
        for item in sorted(set(train_items(user)))
    ]
    assert batch.history_keys.tolist() == expected


def test_a_batch_takes_only_the_users_asked_for():
    windows = training_windows(EVENTS, 50).take(np.array([2, 0]))
    batch = training_batch(EVENTS, windows, max_length=50)
    assert batch.users_B.tolist() == [0, 4]
    assert batch.history_keys.tolist() == [1, 2, 3, 18]


def big_world(users=57):
    source = np.random.default_rng(3)
    lengths = source.integers(0, 12, users)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return source.integers(1, V + 1, offsets[-1]).astype(np.int32), offsets, offsets[:-1] + lengths * 2 // 3


def epoch(rng, batch_size=8):
    items, offsets, train_ends = big_world()
    return list(epoch_batches(TrainEvents(items, offsets, train_ends, V), batch_size=batch_size, max_length=4, rng=rng))


@pytest.mark.parametrize("batch_size", [1, 8, 1000])
def test_an_epoch_covers_each_trained_user_once(batch_size, rng):
    _, offsets, train_ends = big_world()
    trained = [user for user in range(57) if train_ends[user] - offsets[user] >= 2]
    batches = epoch(rng(0), batch_size)
    assert sorted(user for batch in batches for user in batch.users_B.tolist()) == trained
    assert all(batch.sequences == batch_size for batch in batches[:-1])
    assert 1 <= batches[-1].sequences <= batch_size


def test_sequences_of_a_batch_come_longest_first(rng):
    for batch in epoch(rng(0)):
        lengths = np.diff(batch.inputs.offsets)
        assert (np.diff(lengths) <= 0).all()
        assert len(batch.targets_T) == lengths.sum() == len(batch.inputs.items_T)


def test_the_order_of_an_epoch_is_chance_from_the_generator_alone(rng):
    def order(generator):
        return [batch.users_B.tolist() for batch in epoch(generator)]

    one = rng(1)
    first, second = order(one), order(one)
    assert first == order(rng(1))
    assert first != second
    assert first != order(rng(2))


def test_to_moves_every_tensor():
    batch = epoch(torch.Generator().manual_seed(0))[0]
    moved = batch.to(torch.device("meta"))
    assert moved.device == moved.inputs.device == torch.device("meta")
    assert moved.history_keys.device == moved.users_B.device == torch.device("meta")
    assert moved.inputs.positions_T.device == moved.inputs.rows_T.device == torch.device("meta")
    assert moved.sequences == batch.sequences
    assert moved.catalogue_size == batch.catalogue_size


def test_drawn_batches_are_users_over_batch_size_of_them_each_drawn_with_replacement(world, rng):
    data = world(users=60, items=30, name="drawn")
    sizes = {"max_length": 10, "with_replacement": True}
    batches = list(epoch_batches(data, batch_size=7, **sizes, rng=rng(0)))
    assert [batch.sequences for batch in batches] == [7] * (60 // 7)
    users = torch.cat([batch.users_B for batch in list(epoch_batches(data, batch_size=1, **sizes, rng=rng(1)))])
    trained = np.flatnonzero(np.asarray(data.train_ends) - np.asarray(data.offsets[:-1]) >= 2)
    assert set(users.tolist()) <= set(trained.tolist())
    assert len(set(users.tolist())) < len(users), "60 draws of at most 60 users without a repetition"
    (all_in_one,) = epoch_batches(data, batch_size=500, **sizes, rng=rng(2))
    counts = np.bincount(all_in_one.users_B.numpy(), minlength=60)[trained]
    chi_square = ((counts - 500 / len(trained)) ** 2 / (500 / len(trained))).sum()
    assert chi_square < 2 * len(trained)
    first = [batch.users_B.tolist() for batch in epoch_batches(data, batch_size=7, **sizes, rng=rng(0))]
    assert first == [batch.users_B.tolist() for batch in batches]


@pytest.mark.parametrize("with_replacement", [False, True])
def test_without_a_trained_user_there_is_no_batch(with_replacement, rng):
    nobody = TrainEvents(np.array([1], np.int32), np.array([0, 1]), np.array([1]), 1)
    sizes = {"batch_size": 2, "max_length": 3, "with_replacement": with_replacement}
    assert list(epoch_batches(nobody, **sizes, rng=rng(0))) == []
