"""Packed GRU4Rec against one sequence and one step at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from negsample.batches.from_windows import pack
from negsample.batches.windows import Windows
from negsample.models import GRU4Rec

V, D, L = 30, 12, 60

LENGTHS = {
    "one item": [1],
    "one sequence": [7],
    "equal": [5, 5, 5, 5],
    "short": [9, 7, 4, 4, 3, 2, 1, 1, 1],
    "long": [60, 59, 41, 40, 20, 20, 19, 2, 1, 1],
}
of_lengths = pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
of_blocks = pytest.mark.parametrize("blocks", [1, 2])


def model_of(rng, *, blocks=2, dropout=0.0):
    """A model with nothing left at a special value: biases are random too."""
    model = GRU4Rec(V, dim=D, max_length=L, blocks=blocks, dropout=dropout, rng=rng(0))
    draws = rng(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.4, generator=draws)
        model.table.weight[0] = 0
    return model


def packed_of(sequences):
    """Packed, longest first as given."""
    lengths = np.array([len(each) for each in sequences])
    stops = np.cumsum(lengths)
    items = np.array([item for each in sequences for item in each], np.int32)
    return pack(items, Windows(np.arange(len(sequences)), stops - lengths, stops), L)


def sequences_of(lengths, rng):
    draws = rng(2)
    return [torch.randint(1, V + 1, (length,), generator=draws).tolist() for length in lengths]


def states_of(model, sequences, rng=None):
    packed = packed_of(sequences)
    return torch.split(model(model.table.lookup(packed.items_T)[0], packed, rng), [len(each) for each in sequences])


def slow_gru4rec(model, sequence, blocks):
    """The states of one sequence, in double precision, a step at a time; gates in PyTorch's order, r, z, n."""
    p = {name: value.double().numpy() for name, value in model.state_dict().items()}

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    x = [p["table.weight"][item] * math.sqrt(D) for item in sequence]
    for b in range(blocks):
        w_ir, w_iz, w_in = np.split(p[f"blocks.{b}.weight_ih_l0"], 3)
        w_hr, w_hz, w_hn = np.split(p[f"blocks.{b}.weight_hh_l0"], 3)
        b_ir, b_iz, b_in = np.split(p[f"blocks.{b}.bias_ih_l0"], 3)
        b_hr, b_hz, b_hn = np.split(p[f"blocks.{b}.bias_hh_l0"], 3)
        h, after = np.zeros(D), []
        for each in x:
            r = sigmoid(w_ir @ each + b_ir + w_hr @ h + b_hr)
            z = sigmoid(w_iz @ each + b_iz + w_hz @ h + b_hz)
            n = np.tanh(w_in @ each + b_in + r * (w_hn @ h + b_hn))
            h = (1 - z) * n + z * h
            after.append(h)
        x = after
    return np.stack(x)


@of_lengths
@of_blocks
def test_states_are_those_of_the_slow_version(lengths, blocks, rng):
    model = model_of(rng, blocks=blocks)
    sequences = sequences_of(lengths, rng)
    with torch.no_grad():
        found = states_of(model, sequences)
    for states, sequence in zip(found, sequences, strict=True):
        np.testing.assert_allclose(states.numpy(), slow_gru4rec(model, sequence, blocks), atol=2e-5, rtol=2e-5)


def test_a_model_in_double_precision_is_exact(rng):
    model, sequences = model_of(rng).double(), sequences_of([9, 5], rng)
    with torch.no_grad():
        found = states_of(model, sequences)
    for states, sequence in zip(found, sequences, strict=True):
        np.testing.assert_allclose(states.numpy(), slow_gru4rec(model, sequence, 2), atol=1e-12)


@of_lengths
def test_a_sequence_is_the_same_alone_and_in_company(lengths, rng):
    model, sequences = model_of(rng), sequences_of(lengths, rng)
    with torch.no_grad():
        for together, sequence in zip(states_of(model, sequences), sequences, strict=True):
            (alone,) = states_of(model, [sequence])
            torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@of_lengths
def test_a_later_item_changes_no_earlier_state(lengths, rng):
    model, sequences = model_of(rng), sequences_of(lengths, rng)
    with torch.no_grad():
        before = states_of(model, sequences)
        for place in {0, lengths[0] // 2, lengths[0] - 1}:
            changed = [list(each) for each in sequences]
            changed[0][place] = changed[0][place] % V + 1
            after = states_of(model, changed)
            assert torch.equal(after[0][:place], before[0][:place])
            assert (after[0][place] - before[0][place]).abs().max() > 1e-3  # those after it forget
            assert all(torch.equal(a, b) for a, b in zip(after[1:], before[1:], strict=True))


@of_lengths
@of_blocks
def test_no_gradient_crosses_to_another_sequence_or_back_in_time(lengths, blocks, rng):
    model = model_of(rng, blocks=blocks).double()
    packed = packed_of(sequences_of(lengths, rng))
    for at in {0, len(packed.items_T) // 2, len(packed.items_T) - 1}:
        inputs = model.table.lookup(packed.items_T)[0].detach().requires_grad_()
        (model(inputs, packed)[at] * torch.arange(D)).sum().backward()
        reached = inputs.grad.abs().sum(1) > 0
        row, slot = packed.rows_T[at], packed.positions_T[at]
        assert torch.equal(reached, (packed.rows_T == row) & (packed.positions_T <= slot))


def test_sequences_must_be_longest_first(rng):
    with pytest.raises(AssertionError, match="longest first"):
        states_of(model_of(rng), sequences_of([3, 5], rng))


def test_without_a_generator_nothing_is_dropped_in_either_mode(rng):
    sequences = sequences_of([9, 4], rng)
    model, none = model_of(rng, dropout=0.5), model_of(rng, dropout=0.0)
    with torch.no_grad():
        for mode in (model.train(), model.eval()):
            found = zip(states_of(mode, sequences), states_of(none, sequences), strict=True)
            assert all(torch.equal(a, b) for a, b in found)


def test_dropout_is_chance_from_the_generator_alone(rng):
    model, sequences = model_of(rng, dropout=0.3), sequences_of([9, 4], rng)
    with torch.no_grad():
        one = rng(5)
        first, second = states_of(model, sequences, one), states_of(model, sequences, one)
        again = states_of(model, sequences, rng(5))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], second[0])


def test_dropout_is_on_what_each_layer_is_given_and_on_what_comes_out(rng):
    model, sequences, seen = model_of(rng, blocks=2, dropout=0.3), sequences_of([30] * 20, rng), []
    for block in model.blocks:
        block.register_forward_pre_hook(lambda _, given: seen.append(given[0].data))
    with torch.no_grad():
        seen.append(torch.cat(states_of(model, sequences, rng(5))))
    assert [(each == 0).float().mean().item() for each in seen] == pytest.approx([0.3] * 3, abs=0.03)


def test_initial_values_come_from_the_generator(rng):
    first, again, other = (GRU4Rec(V, dim=D, blocks=2, rng=rng(seed)).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert {name for name in first if torch.equal(first[name], other[name])} == {n for n in first if "bias" in n}
    for name, value in first.items():
        if "bias" in name:
            assert not value.any(), name
        elif "weight_" in name:
            assert 0.95 / math.sqrt(D) < value.abs().max() <= 1 / math.sqrt(D), name


@of_blocks
def test_shapes_and_what_is_learned(blocks, rng):
    model = GRU4Rec(V, dim=D, max_length=L, blocks=blocks, rng=rng(0))
    assert (model.max_length, model.table.items) == (L, V)
    per_block = 2 * 3 * (D * D + D)  # from the input and from the state, three gates each
    assert sum(each.numel() for each in model.parameters()) == (V + 1) * D + blocks * per_block


def test_it_learns_what_comes_next(rng, batch_of):
    batch = batch_of([[(start + step) % V + 1 for step in range(8)] for start in range(V)], V)
    model, dropout = GRU4Rec(V, dim=D, rng=rng(0)), rng(1)
    optimizer, losses = torch.optim.Adam(model.parameters(), lr=0.02), []
    for _ in range(60):
        states = model(model.table.lookup(batch.inputs.items_T)[0], batch.inputs, dropout)
        losses.append(torch.nn.functional.cross_entropy(states @ model.table.weight[1:].T, batch.targets_T - 1))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[0].item() == pytest.approx(math.log(V), abs=0.01)
    assert losses[-1].item() < 0.5 * losses[0].item()
