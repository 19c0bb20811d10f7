"""A batch from padded tensors: what training_batch makes of the same sequences, in the order of its rows."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from negsample.batches.from_windows import training_batch
from negsample.batches.padded import padded_batch
from negsample.batches.windows import TrainEvents, training_windows
from negsample.samplers import InBatch, Mixture, Popularity, Uniform

V, L = 30, 6
LENGTHS = [3, 12, 2, 7, 7, 20, 2, 5]  # events of each user; the last L + 1 are trained on
COUNTS = torch.tensor([0] + [1] * V)


@pytest.fixture
def histories(rng):
    return [torch.randint(1, V + 1, (length,), generator=rng(length + i)).tolist() for i, length in enumerate(LENGTHS)]


def padded(rows, side, width):
    return torch.tensor(
        [row + [0] * (width - len(row)) if side == "right" else [0] * (width - len(row)) + row for row in rows]
    )


def packed(histories, exclude="history"):
    offsets = np.cumsum([0, *map(len, histories)])
    flat = np.concatenate(histories).astype(np.int32)
    events = TrainEvents(flat, offsets, offsets[1:], V)
    return training_batch(events, training_windows(events, L), max_length=L, exclude=exclude)


def inputs_and_targets(histories, side, width=L):
    windows = [had[-(L + 1) :] for had in histories]
    return padded([had[:-1] for had in windows], side, width), padded([had[1:] for had in windows], side, width)


def by_user(batch):
    """Each user's (inputs, targets, what he has), whatever the order of the rows."""
    found = {}
    for row, user in enumerate(batch.users_B.tolist()):
        own = slice(batch.inputs.offsets[row], batch.inputs.offsets[row + 1])
        assert (batch.inputs.rows_T[own] == row).all()
        keys = batch.history_keys[torch.div(batch.history_keys, V + 1, rounding_mode="floor") == row]
        had = (keys - row * (V + 1)).tolist()
        found[user] = batch.inputs.items_T[own].tolist(), batch.targets_T[own].tolist(), had
    return found


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("width", [L, L + 3])
def test_same_positions_and_history_as_the_packed_batch(side, width, histories):
    history = padded(histories, side, max(LENGTHS))
    users = torch.arange(len(histories))
    batch = padded_batch(
        *inputs_and_targets(histories, side, width), catalogue_size=V, history_BH=history, users_B=users
    )
    assert by_user(batch) == by_user(packed(histories))
    assert batch.inputs.offsets.tolist() == np.cumsum([0, *(min(n - 1, L) for n in LENGTHS)]).tolist()
    assert (batch.history_keys.diff() > 0).all(), "ascending, each once"
    assert (batch.catalogue_size, batch.sequences) == (V, len(LENGTHS))


def test_left_padded_and_longest_first_it_is_the_packed_batch(histories):
    histories = sorted(histories, key=len, reverse=True)
    history = padded(histories, "right", max(LENGTHS))
    batch, expected = (
        padded_batch(
            *inputs_and_targets(histories, "left"),
            catalogue_size=V,
            history_BH=history,
            users_B=torch.arange(len(histories)),
        ),
        packed(histories),
    )
    for name in ("items_T", "positions_T", "rows_T"):
        assert torch.equal(getattr(batch.inputs, name), getattr(expected.inputs, name)), name
    assert batch.inputs.offsets.tolist() == expected.inputs.offsets.tolist()
    for name in ("targets_T", "users_B", "history_keys"):
        assert torch.equal(getattr(batch, name), getattr(expected, name)), name


def test_without_a_history_it_is_the_inputs_and_targets(histories):
    users = torch.arange(len(histories))
    batch = padded_batch(*inputs_and_targets(histories, "right"), catalogue_size=V, users_B=users)
    assert {user: had for user, (_, _, had) in by_user(batch).items()} == {
        user: sorted(set(had[-(L + 1) :])) for user, had in enumerate(histories)
    }


def test_inputs_and_targets_are_had_even_where_the_history_lacks_them():
    batch = padded_batch(
        torch.tensor([[1, 2]]), torch.tensor([[2, 3]]), catalogue_size=V, history_BH=torch.tensor([[9]])
    )
    assert batch.history_keys.tolist() == [1, 2, 3, 9]


def test_states_that_go_with_it_are_those_with_a_target(rng):
    inputs = torch.tensor([[0, 1, 2, 3], [4, 5, 6, 0]])
    targets = torch.tensor([[0, 7, 0, 9], [0, 6, 0, 0]])  # any places where there is an input: others are masked
    batch = padded_batch(inputs, targets, catalogue_size=9)
    assert batch.inputs.items_T.tolist() == [1, 3, 5]
    assert batch.targets_T.tolist() == [7, 9, 6]
    assert batch.inputs.positions_T.tolist() == [1, 3, 1]
    states = torch.randn(2, 4, 3, generator=rng(0))
    assert torch.equal(states[targets > 0], torch.stack([states[0, 1], states[0, 3], states[1, 1]]))
    batch = padded_batch(inputs, targets, catalogue_size=V, users_B=torch.arange(2))
    assert by_user(batch)[0][2] == [1, 2, 3, 7, 9]


@pytest.mark.parametrize("exclude", ["none", "target", "history"])
def test_collisions_are_kept(exclude, histories):
    batch = padded_batch(*inputs_and_targets(histories, "left"), catalogue_size=V, exclude=exclude)
    assert batch.exclude == batch.to(torch.device("cpu")).exclude == exclude


@pytest.mark.parametrize("per", ["sequence", "position"])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_samplers_leave_out_what_each_row_has(per, dtype, histories, rng):
    history = padded(histories, "right", max(LENGTHS)).to(dtype)
    inputs, targets = (each.to(dtype) for each in inputs_and_targets(histories, "right"))
    batch = padded_batch(inputs, targets, catalogue_size=V, history_BH=history)
    wide = padded_batch(inputs.long(), targets.long(), catalogue_size=V, history_BH=history.long())
    for sampler in (Uniform(V, 40, per=per), Mixture(InBatch(9, per=per), Popularity(COUNTS, 40, per=per))):
        ids, log_q, *_ = sampler.sample(batch, rng=rng(0))
        rows = batch.inputs.rows_T.tolist() if per == "position" else range(len(histories))
        assert all(not set(own) & set(histories[row]) for own, row in zip(ids.tolist(), rows, strict=True))
        assert torch.equal(log_q, sampler.sample(wide, rng=rng(0)).log_q)


IDS = torch.tensor([[1, 2], [3, 0]])
NEXT = torch.tensor([[2, 4], [5, 0]])
REFUSED = {
    "(B, L), got (2, 2) and (2, 1)": (IDS, NEXT[:, :1], None),
    "(B, L), got (2,) and (2,)": (IDS[0], NEXT[0], None),
    "every row needs a target": (IDS, NEXT * torch.tensor([[1], [0]]), None),
    "whose targets are all 0": (IDS[:0], NEXT[:0], None),
    "are all 0": (IDS[:, :0], NEXT[:, :0], None),
    "0..5 (0 is padding), got 0..6": (IDS + 3 * (IDS == 3), NEXT, None),
    "0..5 (0 is padding), got 0..7": (IDS, NEXT + 3 * (NEXT == 4), None),
    "0..5 (0 is padding), got -1..3 in inputs": (IDS - 2 * (IDS == 1), NEXT, None),
    "0..5 (0 is padding), got 1..8 in history": (IDS, NEXT, torch.tensor([[8], [1]])),
    "got 0..9 in inputs": (IDS + 6 * (IDS == 3), NEXT, torch.tensor([[1], [3]])),
    "history must be (B, H), B = 2 rows, got (1, 2)": (IDS, NEXT, IDS[:1]),
    "history must be (B, H), B = 2 rows, got (2,)": (IDS, NEXT, IDS[0]),
    "inputs must be ids, whole numbers, got torch.float32; .long() makes them such": (IDS.float(), NEXT, None),
    "targets must be ids, whole numbers, got torch.bool": (IDS, NEXT > 0, None),
    "history must be ids, whole numbers, got torch.float64": (IDS, NEXT, NEXT.double()),
    "inputs must be a tensor of ids, got list": (IDS.tolist(), NEXT, None),
    "targets must be a tensor of ids, got ndarray": (IDS, NEXT.numpy(), None),
    "targets must be a tensor of ids, got NoneType": (IDS, None, None),
    "history must be a tensor of ids, got list": (IDS, NEXT, [[1], [2]]),
    "(B, L), got () and ()": (IDS[0, 0], NEXT[0, 0], None),
    "all must be on one device, got inputs on cpu, targets on meta": (IDS, NEXT.to("meta"), None),
    "row 1 has none; leave out rows whose targets are all 0": (IDS, NEXT * torch.tensor([[1], [0]]), None),
    "row 1 has a target and no input at position 1": (IDS, torch.tensor([[2, 4], [0, 5]]), None),
    "row 0 has a 0 between two inputs": (torch.tensor([[1, 0, 2]]), torch.tensor([[0, 0, 3]]), None),
}


@pytest.mark.parametrize("says", REFUSED)
def test_what_is_no_batch_is_refused(says):
    inputs, targets, history = REFUSED[says]
    with pytest.raises(ValueError, match=re.escape(says)):
        padded_batch(inputs, targets, catalogue_size=5, history_BH=history)


@pytest.mark.parametrize("word", ["targets", "History", "", None])
def test_no_other_word_is_taken_for_a_policy(word, histories):
    inputs, targets = inputs_and_targets(histories, "right")
    with pytest.raises(ValueError, match="exclude must be 'none' or 'target' or 'history', got"):
        padded_batch(inputs, targets, catalogue_size=V, exclude=word)
    with pytest.raises(ValueError, match="exclude must be"):
        packed(histories, word)


@pytest.mark.parametrize("size", [0, -1, 5.0, "5", None, True])
def test_a_catalogue_of_no_size_is_refused(size):
    with pytest.raises(ValueError, match="catalogue_size must be V, a whole number from 1 on, got"):
        padded_batch(IDS, NEXT, catalogue_size=size)


def test_rows_may_be_padded_on_either_side():
    inputs = torch.tensor([[0, 0, 1], [2, 0, 0], [0, 3, 0], [4, 5, 1]])
    places = torch.tensor([[0, 0, 1], [1, 0, 0], [0, 1, 0], [1, 0, 1]])
    batch = padded_batch(inputs, 2 * places, catalogue_size=5)
    assert batch.inputs.items_T.tolist() == [1, 2, 3, 4, 1]


@pytest.mark.parametrize(
    ("users", "told"),
    [
        ([1, 2], "must be a tensor of whole numbers, got list"),
        (torch.tensor([1.0, 2.0]), "whole numbers, got torch.float32"),
        (torch.tensor([1]), "must be \\(B,\\) numbers >= 0, B = 2"),
        (torch.tensor([1, -2]), "numbers >= 0"),
    ],
)
def test_users_that_are_none_are_refused(users, told):
    with pytest.raises(ValueError, match=told):
        padded_batch(torch.tensor([[1], [2]]), torch.tensor([[2], [1]]), catalogue_size=5, users_B=users)
