"""Several models as one: each model's states and gradients are those it has alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from negsample.batches.from_windows import pack
from negsample.batches.joined import joined_inputs
from negsample.batches.streams import Streams
from negsample.batches.windows import Windows
from negsample.models import SASRec, Together
from negsample.models.item_table import ItemTable

V, D, L = 40, 12, 60
BATCHES = {
    "alike": [[5, 4, 4, 1], [5, 4, 4, 1]],
    "one far longer": [[3, 2, 1], [60, 41, 40, 20, 7, 1]],
    "many short ones beside one": [[2] * 90, [7], [33, 33, 33]],
    "wide and narrow bins": [[31, 30, 20, 13, 9, 9, 2, 1], [50, 9], [1]],
}


def model_of(rng, seed, **options):
    model = SASRec(V, dim=D, max_length=L, rng=rng(seed), **{"heads": 1, "dropout": 0.3, **options})
    draws = rng(seed + 100)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.normal_(1 if name.endswith("norm.weight") else 0, 0.4, generator=draws)
        model.table.weight[0] = 0
    return model


def packed_of(lengths, rng, seed):
    lengths = np.array(lengths)
    stops = np.cumsum(lengths)
    items = torch.randint(1, V + 1, (int(stops[-1]),), generator=rng(seed)).numpy().astype(np.int32)
    return pack(items, Windows(np.arange(len(lengths)), stops - lengths, stops), L)


@pytest.mark.parametrize("lengths", BATCHES.values(), ids=BATCHES)
@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_together_is_each_alone(lengths, heads, dropout, rng):
    alone = [model_of(rng, seed, heads=heads, dropout=dropout) for seed in range(len(lengths))]
    models = copy.deepcopy(alone)
    packed = [packed_of(each, rng, seed) for seed, each in enumerate(lengths)]
    together = Together(models)
    chances = [rng(seed) for seed in range(len(models))]
    vectors = [m.table.lookup(p.items_T)[0] for m, p in zip(models, packed, strict=True)]
    of_all = together(torch.cat(vectors), joined_inputs(packed, V + 1), Streams(tuple(chances)))
    states = torch.split(of_all, [len(each) for each in vectors])
    weigh = [torch.randn(each.shape, generator=rng(7)) for each in states]
    sum((each * weight).sum() for each, weight in zip(states, weigh, strict=True)).backward()
    stacks = dict(together._stacks)
    for s, (model, one, weight) in enumerate(zip(alone, packed, weigh, strict=True)):
        draws = rng(s)
        expected = model(model.table.lookup(one.items_T)[0], one, draws)
        torch.testing.assert_close(states[s], expected, atol=1e-5, rtol=1e-5)
        (expected * weight).sum().backward()
        assert torch.equal(draws.get_state(), chances[s].get_state())
        torch.testing.assert_close(models[s].table.weight.grad, model.table.weight.grad, atol=1e-4, rtol=1e-4)
        for name, stack in stacks.items():
            torch.testing.assert_close(stack.grad[s], model.get_parameter(name).grad, atol=1e-4, rtol=1e-4)


def test_what_the_stacks_learn_the_models_have_learned(rng):
    models = [model_of(rng, seed) for seed in range(2)]
    before = [{name: value.clone() for name, value in model.state_dict().items()} for model in models]
    together = Together(models)
    for model, values in zip(models, before, strict=True):
        assert all(torch.equal(value, values[name]) for name, value in model.state_dict().items())
    with torch.no_grad():
        for parameter in together.parameters():
            parameter.add_(1)
    for model, values in zip(models, before, strict=True):
        assert all(torch.equal(value, values[name] + 1) for name, value in model.state_dict().items())
    models[1].load_state_dict(before[1])
    assert all((stack[1] == before[1][name]).all() for name, stack in together._stacks.items())
    assert all((stack[0] == before[0][name] + 1).all() for name, stack in together._stacks.items())


def test_models_of_another_shape_are_refused(rng):
    for other, said in (({"blocks": 1}, "one shape"), ({"heads": 3}, "one heads"), ({"dropout": 0.1}, "one dropout")):
        with pytest.raises(ValueError, match=said):
            Together([model_of(rng, 0), model_of(rng, 1, **other)])


@pytest.mark.parametrize("by_rows", [False, True])
def test_one_table_has_the_rows_of_all(by_rows, rng):
    tables = [ItemTable(V, D, rng=rng(seed), by_rows=by_rows) for seed in range(3)]
    before = [table.weight.detach().clone() for table in tables]
    stack = ItemTable.stacked(tables)
    assert (stack.items + 1, stack.by_rows) == (3 * (V + 1), by_rows)
    assert torch.equal(stack.weight, torch.cat(before))
    with torch.no_grad():
        stack.weight += 1
    assert all(torch.equal(table.weight, values + 1) for table, values in zip(tables, before, strict=True))
