"""The item table: one row an item, and row 0 for nothing."""

from __future__ import annotations

import torch

from negsample.table import DenseTable


def test_rows_are_looked_up_in_any_shape(rng):
    table = DenseTable(9, 4, rng=rng(0))
    ids = torch.tensor([3, 3, 9]), torch.tensor([[1, 0], [2, 9]])
    found = table.lookup(*ids)
    assert [tuple(each.shape) for each in found] == [(3, 4), (2, 2, 4)]
    for rows, each in zip(found, ids, strict=True):
        assert torch.equal(rows, table.weight[each])


def test_a_row_that_is_looked_up_twice_has_both_gradients(rng):
    table = DenseTable(5, 2, rng=rng(0))
    once, twice = table.lookup(torch.tensor([2]), torch.tensor([2, 4]))
    (once.sum() + 10 * twice.sum()).backward()
    assert table.weight.grad.tolist() == [[0, 0], [0, 0], [11, 11], [0, 0], [10, 10], [0, 0]]


def test_a_block_is_a_stretch_of_rows_without_gradient(rng):
    table = DenseTable(9, 4, rng=rng(0))
    block = table.block(3, 7)
    assert torch.equal(block, table.weight[3:7])
    assert not block.requires_grad
    assert table.items == 9


def test_initial_values_are_normal_with_deviation_0_02_and_row_0_is_zero(rng):
    weight = DenseTable(2000, 50, rng=rng(0)).weight.detach()
    assert not weight[0].any()
    rest = weight[1:]
    assert abs(float(rest.mean())) < 5 * 0.02 / rest.numel() ** 0.5
    assert abs(float(rest.std()) / 0.02 - 1) < 0.01
    assert torch.equal(weight, DenseTable(2000, 50, rng=rng(0)).weight)
    assert not torch.equal(weight, DenseTable(2000, 50, rng=rng(1)).weight)
