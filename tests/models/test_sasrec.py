"""Packed SASRec against one sequence at a time, written from the words of FIELD, section 3."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from negsample.batches.from_windows import pack
from negsample.batches.windows import Windows
from negsample.models import SASRec

V, D, L = 30, 12, 60

LENGTHS = {
    "one item": [1],
    "one sequence": [7],
    "equal": [5, 5, 5, 5],
    "short": [9, 7, 4, 4, 3, 2, 1, 1, 1],  # together in bins of the least width
    "more than one bin": [31, 30, 20, 13, 9, 9, 2, 1],
    "filled to the last place": [32, 16, 16, 8, 8, 8, 8],
    "long": [60, 59, 41, 40, 20, 20, 19, 2, 1, 1],
}
of_lengths = pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS)
of_heads = pytest.mark.parametrize(("blocks", "heads"), [(0, 1), (1, 1), (2, 1), (2, 3), (1, 12)])


def model_of(rng, *, blocks=2, heads=1, dropout=0.0):
    """A model with nothing left at a special value: biases and norms are random too."""
    model = SASRec(V, dim=D, max_length=L, blocks=blocks, heads=heads, dropout=dropout, rng=rng(0))
    draws = rng(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1 if name.endswith("norm.weight") else 0, 0.4, generator=draws)
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


def slow_sasrec(model, sequence, blocks, heads):
    """The states of one sequence, in double precision, a position and a head at a time."""
    p = {name: value.double().numpy() for name, value in model.state_dict().items()}

    def norm(x, name):
        mean, variance = x.mean(), ((x - x.mean()) ** 2).mean()
        return (x - mean) / math.sqrt(variance + 1e-8) * p[f"{name}.weight"] + p[f"{name}.bias"]

    def layer(x, name):
        return p[f"{name}.weight"] @ x + p[f"{name}.bias"]

    n = len(sequence)
    x = [p["table.weight"][item] * math.sqrt(D) + p["positions"][L - n + i] for i, item in enumerate(sequence)]
    width = D // heads
    for b in range(blocks):
        name = f"blocks.{b}"
        normalised = [norm(each, f"{name}.attention_norm") for each in x]
        query = [layer(each, f"{name}.query") for each in normalised]
        key, value = ([layer(each, f"{name}.{what}") for each in x] for what in ("key", "value"))
        after = []
        for i in range(n):
            attended = np.zeros(D)
            for head in range(heads):
                cut = slice(head * width, (head + 1) * width)
                logits = np.array([query[i][cut] @ key[j][cut] / math.sqrt(width) for j in range(i + 1)])
                weights = np.exp(logits - logits.max())
                weights /= weights.sum()
                attended[cut] = sum(weights[j] * value[j][cut] for j in range(i + 1))
            fed = norm(attended + normalised[i], f"{name}.feed_norm")
            inner = np.maximum(layer(fed, f"{name}.inner"), 0)
            after.append(fed + layer(inner, f"{name}.outer"))
        x = after
    return np.stack([norm(each, "norm") for each in x])


@of_lengths
@of_heads
def test_states_are_those_of_the_slow_version(lengths, blocks, heads, rng):
    model = model_of(rng, blocks=blocks, heads=heads)
    sequences = sequences_of(lengths, rng)
    with torch.no_grad():
        found = states_of(model, sequences)
    for states, sequence in zip(found, sequences, strict=True):
        expected = slow_sasrec(model, sequence, blocks, heads)
        np.testing.assert_allclose(states.numpy(), expected, atol=2e-5, rtol=2e-5)


def test_the_slow_version_is_about_the_order_of_the_items(rng):
    model = model_of(rng)
    forth, back = slow_sasrec(model, [3, 9, 4], 2, 1), slow_sasrec(model, [9, 3, 4], 2, 1)
    assert np.abs(forth[-1] - back[-1]).max() > 0.01


@of_lengths
def test_a_later_item_changes_no_earlier_state(lengths, rng):
    model = model_of(rng, heads=3)
    sequences = sequences_of(lengths, rng)
    with torch.no_grad():
        before = states_of(model, sequences)
        for place in {0, lengths[0] // 2, lengths[0] - 1}:
            changed = [list(each) for each in sequences]
            changed[0][place] = changed[0][place] % V + 1
            after = states_of(model, changed)
            assert torch.equal(after[0][:place], before[0][:place])
            assert ((after[0][place:] - before[0][place:]).abs().amax(1) > 1e-6).all()
            assert all(torch.equal(a, b) for a, b in zip(after[1:], before[1:], strict=True))


@of_lengths
def test_a_sequence_is_the_same_alone_and_in_company(lengths, rng):
    model = model_of(rng, heads=2)
    sequences = sequences_of(lengths, rng)
    with torch.no_grad():
        for together, sequence in zip(states_of(model, sequences), sequences, strict=True):
            (alone,) = states_of(model, [sequence])
            torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


@of_lengths
def test_no_gradient_crosses_to_another_sequence_or_back_in_time(lengths, rng):
    model = model_of(rng)
    packed = packed_of(sequences_of(lengths, rng))
    for at in {0, len(packed.items_T) // 2, len(packed.items_T) - 1}:
        inputs = model.table.lookup(packed.items_T)[0].detach().requires_grad_()
        (model(inputs, packed)[at] * torch.arange(D)).sum().backward()
        reached = inputs.grad.abs().sum(1) > 0
        row, slot = packed.rows_T[at], packed.positions_T[at]
        assert torch.equal(reached, (packed.rows_T == row) & (packed.positions_T <= slot))


def test_gradients_agree_with_those_of_single_sequences(rng):
    model = model_of(rng, heads=2)
    sequences = sequences_of([40, 21, 20, 3, 1], rng)

    def gradients(parts):
        model.zero_grad()
        for part in parts:
            for states in states_of(model, part):
                (states * torch.cos(torch.arange(states.numel())).view(states.shape)).sum().backward(retain_graph=True)
        return {name: each.grad.clone() for name, each in model.named_parameters()}

    together, alone = gradients([sequences]), gradients([[each] for each in sequences])
    for name, gradient in together.items():
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(gradient, alone[name], atol=1e-3, rtol=1e-3)


def test_without_a_generator_nothing_is_dropped(rng):
    sequences = sequences_of([9, 4], rng)
    with torch.no_grad():
        kept, none = (states_of(model_of(rng, dropout=share), sequences) for share in (0.5, 0.0))
    assert all(torch.equal(a, b) for a, b in zip(kept, none, strict=True))


def test_dropout_is_chance_from_the_generator_alone(rng):
    model, sequences = model_of(rng, dropout=0.3), sequences_of([9, 4], rng)
    with torch.no_grad():
        one = rng(5)
        first, second = states_of(model, sequences, one), states_of(model, sequences, one)
        again = states_of(model, sequences, rng(5))
        plain = states_of(model, sequences)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], second[0])
    assert not torch.equal(first[0], plain[0])


def test_training_and_evaluation_mode_make_no_difference(rng):
    model, sequences = model_of(rng, dropout=0.3), sequences_of([9, 4], rng)
    with torch.no_grad():
        training = states_of(model.train(), sequences)
        evaluating = states_of(model.eval(), sequences)
    assert torch.equal(training[0], evaluating[0])


def test_initial_values_come_from_the_generator(rng):
    first, again, other = (SASRec(V, dim=D, max_length=L, rng=rng(seed)).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(first[name], again[name]) for name in first)
    drawn = [name for name in first if not torch.equal(first[name], other[name])]
    assert set(first) - set(drawn) == {name for name in first if "norm" in name or name.endswith("bias")}


def test_initial_biases_are_zero_and_norms_are_one(rng):
    for name, value in SASRec(V, dim=D, max_length=L, rng=rng(0)).state_dict().items():
        if name.endswith("bias"):
            assert not value.any(), name
        if name.endswith("norm.weight"):
            assert (value == 1).all(), name


def test_shapes_and_what_is_learned(rng):
    model = SASRec(V, dim=D, max_length=L, blocks=2, rng=rng(0))
    assert model.max_length == L
    assert model.table.items == V
    per_block = 5 * (D * D + D) + 2 * 2 * D  # query, key, value, two pointwise layers; two norms
    assert sum(each.numel() for each in model.parameters()) == (V + 1) * D + L * D + 2 * per_block + 2 * D


def test_heads_must_divide_dim(rng):
    with pytest.raises(ValueError, match="heads must divide dim, got dim 12 and heads 5"):
        SASRec(V, dim=12, heads=5, rng=rng(0))


def test_a_model_in_double_precision_is_exact(rng):
    model, sequences = model_of(rng, heads=3).double(), sequences_of([9, 5], rng)
    with torch.no_grad():
        found = states_of(model, sequences)
    for states, sequence in zip(found, sequences, strict=True):
        np.testing.assert_allclose(states.numpy(), slow_sasrec(model, sequence, 2, 3), atol=1e-10)
