"""The item table: one row an item, and row 0 for nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from negsample.models import SASRec
from negsample.models.item_table import ItemTable, _distinct_by_sorting, distinct_ids
from negsample.optim import RowAdagrad, RowAdam


def test_rows_are_looked_up_in_any_shape(rng):
    table = ItemTable(9, 4, rng=rng(0))
    ids = torch.tensor([3, 3, 9]), torch.tensor([[1, 0], [2, 9]])
    found = table.lookup(*ids)
    assert [tuple(each.shape) for each in found] == [(3, 4), (2, 2, 4)]
    for rows, each in zip(found, ids, strict=True):
        assert torch.equal(rows, table.weight[each])


def test_a_row_that_is_looked_up_twice_has_both_gradients(rng):
    table = ItemTable(5, 2, rng=rng(0))
    once, twice = table.lookup(torch.tensor([2]), torch.tensor([2, 4]))
    (once.sum() + 10 * twice.sum()).backward()
    assert table.weight.grad.tolist() == [[0, 0], [0, 0], [11, 11], [0, 0], [10, 10], [0, 0]]


def test_a_block_is_a_stretch_of_rows_without_gradient(rng):
    table = ItemTable(9, 4, rng=rng(0))
    block = table.block(3, 7)
    assert torch.equal(block, table.weight[3:7])
    assert not block.requires_grad
    assert table.items == 9


@pytest.mark.parametrize(("kept", "read"), [("float64", "float64"), ("float32", "float32"), ("bfloat16", "float32")])
def test_a_block_loses_nothing_of_its_table(kept, read, rng):
    table = ItemTable(5, 3, rng=rng(0)).to(getattr(torch, kept))
    block = table.block(1, 4)
    assert block.dtype == getattr(torch, read)
    assert torch.equal(block.double(), table.weight.detach()[1:4].double())


def test_initial_values_are_normal_with_deviation_0_02_and_row_0_is_zero(rng):
    weight = ItemTable(2000, 50, rng=rng(0)).weight.detach()
    assert not weight[0].any()
    rest = weight[1:]
    assert abs(float(rest.mean())) < 5 * 0.02 / rest.numel() ** 0.5
    assert abs(float(rest.std()) / 0.02 - 1) < 0.01
    assert torch.equal(weight, ItemTable(2000, 50, rng=rng(0)).weight)
    assert not torch.equal(weight, ItemTable(2000, 50, rng=rng(1)).weight)


def test_a_table_of_rows_reads_as_a_dense_one(rng):
    dense, rows = ItemTable(9, 4, rng=rng(0)), ItemTable(9, 4, rng=rng(0), by_rows=True)
    assert torch.equal(dense.weight, rows.weight)
    assert rows.items == 9
    assert torch.equal(rows.block(3, 7), dense.block(3, 7))
    assert list(rows.parameters()) == []
    ids = torch.tensor([3, 3, 9]), torch.tensor([[1, 0], [2, 9]])
    for rule in (None, RowAdam, RowAdagrad):
        if rule is not None:
            rule(rows, lr=0.1)
        for found, expected in zip(rows.lookup(*ids), dense.lookup(*ids), strict=True):
            assert torch.equal(found, expected)
            assert found.requires_grad == (rule is not None)


def test_a_bfloat16_table_starts_as_a_dense_one_rounded(rng):
    dense, rows = ItemTable(70_000, 2, rng=rng(0)), ItemTable(70_000, 2, rng=rng(0), dtype=torch.bfloat16, by_rows=True)
    first = slice(0, 1 << 16)
    assert torch.equal(rows.weight[first], dense.weight.detach()[first].bfloat16())
    assert not rows.weight[0].any()
    assert abs(float(rows.weight[1 << 16 :].float().std()) / 0.02 - 1) < 0.05


def test_what_one_table_saved_the_other_reads(rng):
    sizes = {"dim": 4, "max_length": 5, "blocks": 1, "dropout": 0.0}
    dense = SASRec(9, **sizes, rng=rng(1))
    rows = SASRec(9, **sizes, rng=rng(2), table=ItemTable(9, 4, rng=rng(3), by_rows=True))
    assert dense.state_dict().keys() == rows.state_dict().keys()
    rows.load_state_dict(dense.state_dict())
    assert all(torch.equal(rows.state_dict()[name], value) for name, value in dense.state_dict().items())
    other = SASRec(9, **sizes, rng=rng(4))
    other.load_state_dict(rows.state_dict())
    assert torch.equal(other.table.weight, dense.table.weight)
    with pytest.raises(ValueError, match=r"must be \(10, 8\), items \+ 1 by dim, got \(10, 4\)"):
        SASRec(9, **(sizes | {"dim": 8}), rng=rng(2), table=ItemTable(9, 4, rng=rng(3), by_rows=True))


@pytest.mark.parametrize("number", [1, 2, 7, 500])
def test_distinct_ids_are_those_of_numpy(number, rng):
    flat = torch.randint(0, 60, (number,), generator=rng(number))
    expected, where = np.unique(flat.numpy(), return_inverse=True)
    distinct, positions = distinct_ids(flat)
    assert distinct.tolist() == expected.tolist()
    assert positions.tolist() == where.tolist()
    distinct, positions = _distinct_by_sorting(flat)  # as on a GPU, where their number is not waited for
    assert distinct.tolist() == expected.tolist() + [0] * (number - len(expected))
    assert positions.tolist() == where.tolist()


@pytest.mark.parametrize("rule_of", [RowAdam, RowAdagrad])
def test_ids_filled_up_with_0_learn_the_same(rule_of, rng, monkeypatch):
    ends = []
    for way in (distinct_ids, _distinct_by_sorting):
        monkeypatch.setattr("negsample.models.item_table.distinct_ids", way)
        table, draws = ItemTable(30, 4, rng=rng(0), by_rows=True), rng(1)
        rule = rule_of(table, lr=0.1)
        for _ in range(20):
            ids = torch.randint(0, 31, (40,), generator=draws)
            (found,) = table.lookup(ids)
            (found * torch.randn(4, generator=draws) * (ids > 0).unsqueeze(1)).sum().backward()
            rule.step()
        rule.apply_deferred()
        assert not table.weight[0].any()
        ends.append(table.weight.clone())
    torch.testing.assert_close(*ends, atol=1e-6, rtol=0)
