"""Any number of lookups between two steps: every gradient that came back is learned from, once."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch

from negsample.models import SASRec
from negsample.models.item_table import ItemTable
from negsample.optim import BETAS, EPS, RowAdagrad, RowAdam, optimizer_for
from negsample.settings import run_settings

V, D, LR = 12, 4, 0.05


class Adagrad:
    """Row-wise Adagrad over a dense table, row by row."""

    def __init__(self, table):
        self.table, self.sums = table, [0.0] * len(table.weight)

    def zero_grad(self):
        self.table.weight.grad = None

    @torch.no_grad()
    def step(self):
        if self.table.weight.grad is not None:
            for row, gradient in enumerate(self.table.weight.grad):
                self.sums[row] += float(gradient.square().mean())
                self.table.weight[row] -= LR * gradient / (self.sums[row] ** 0.5 + EPS)


@pytest.fixture(params=["adam", "adagrad"])
def pair(request, rng):
    """A dense table with its optimiser, and one of rows with its rule."""
    dense, rows = ItemTable(V, D, rng=rng(0)), ItemTable(V, D, rng=rng(0), by_rows=True)
    if request.param == "adam":
        return dense, torch.optim.Adam(dense.parameters(), lr=LR, betas=BETAS, eps=EPS), rows, RowAdam(rows, lr=LR)
    return dense, Adagrad(dense), rows, RowAdagrad(rows, lr=LR)


def ids_of(*ids):
    return torch.tensor(ids)


def pull(table, *ids, by=1.0):
    """A loss in which each of the ids has the gradient ``by``, by one lookup."""
    (found,) = table.lookup(ids_of(*ids))
    return by * found.sum()


def several(table):
    """Two lookups of one loss; an item may be in both."""
    (pull(table, 1, 2) + pull(table, 3, 4, 2, by=-2)).backward()


def as_rows(table):
    (first,), (second, third) = table.rows(ids_of(1, 2)), table.rows(ids_of(3, 4), ids_of([2, 2]))
    (first.vectors().sum() + 3 * second.vectors().sum() - third.vectors().sum()).backward()


def twice_backward(table):
    """Gradients of two losses, added up before one step."""
    pull(table, 1, 5).backward()
    pull(table, 5, 6, by=2).backward()


def one_graph_twice(table):
    loss = pull(table, 1, 5) ** 2
    loss.backward(retain_graph=True)
    loss.backward()


def looked_at_between(table):
    """What an evaluation does between a loss and its step changes nothing, with a gradient or without."""
    pull(table, 1, 7).backward()
    with torch.no_grad():
        pull(table, 8, 9)
    pull(table, 1, 8, 9)


def looked_at_before(table):
    loss = pull(table, 2, 7)
    pull(table, 7, 9)
    loss.backward()


def broken_off(table):
    with pytest.raises(ZeroDivisionError):
        pull(table, 3, 4) / (1 // 0)
    pull(table, 4, 5).backward()


def nothing(table):
    pull(table, 3, 4)


TURNS = (several, as_rows, twice_backward, one_graph_twice, looked_at_between, looked_at_before, broken_off, nothing)


@pytest.mark.parametrize("turn", TURNS)
def test_a_turn_moves_the_rows_that_it_moves_in_a_dense_table(turn, pair):
    dense, optimizer, rows, rule = pair
    for each in (several, turn, turn, twice_backward, turn):
        for table, learns in ((dense, optimizer), (rows, rule)):
            before = table.weight.detach().clone()
            learns.zero_grad()
            each(table)
            learns.step()
            assert (each is nothing) or not torch.equal(table.weight, before)
    rule.apply_deferred()
    torch.testing.assert_close(rows.weight, dense.weight.detach(), rtol=1e-4, atol=1e-5)
    assert not rows.weight[0].any()


def test_the_rows_of_an_earlier_lookup_move(rng):
    """The case that was found: rows 1 and 2 did not."""
    for rule_of in (RowAdam, RowAdagrad):
        table = ItemTable(V, D, rng=rng(0), by_rows=True)
        rule, before = rule_of(table, lr=LR), table.weight.clone()
        (pull(table, 1, 2) + pull(table, 3, 4)).backward()
        rule.step()
        assert [bool((table.weight[i] != before[i]).all()) for i in range(6)] == [False, True, True, True, True, False]


def test_gradients_are_forgotten_when_that_is_asked(pair):
    dense, optimizer, rows, rule = pair
    for table, learns in ((dense, optimizer), (rows, rule)):
        before = table.weight.detach().clone()
        several(table)
        learns.zero_grad()
        learns.step()
        assert torch.equal(table.weight, before)
        several(table)  # and whoever forgets them after the loss and before its gradient
        loss = pull(table, 5, 6)
        learns.zero_grad()
        loss.backward()
        learns.step()
        assert torch.equal(table.weight[1:5], before[1:5])
        assert not torch.equal(table.weight[5:7], before[5:7])


def test_a_gradient_is_learned_from_once(rng):
    table = ItemTable(V, D, rng=rng(0), by_rows=True)
    rule = RowAdagrad(table, lr=LR)
    several(table)
    rule.step()
    after = table.weight.clone()
    rule.step()
    assert torch.equal(table.weight, after)


def test_a_loss_of_before_a_step_is_learned_from_after_it(pair):
    """The rows have moved since: the gradient is applied to them as they are, as a dense table's would be."""
    dense, optimizer, rows, rule = pair
    for table, learns in ((dense, optimizer), (rows, rule)):
        early = pull(table, 1, 2, by=0.5)
        learns.zero_grad()
        pull(table, 2, 3).backward()
        learns.step()
        learns.zero_grad()
        early.backward()
        learns.step()
    rule.apply_deferred()
    torch.testing.assert_close(rows.weight, dense.weight.detach(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("rule_of", [RowAdam, RowAdagrad])
def test_lookups_that_nothing_comes_back_to_hold_no_memory(rule_of, rng):
    table = ItemTable(V, D, rng=rng(0), by_rows=True)
    rule_of(table, lr=LR)
    held = []
    for _ in range(3):
        (rows,) = table.rows(ids_of(1, 2))
        held.append(weakref.ref(rows.matrix_ND))
    del rows
    gc.collect()
    assert [each() for each in held] == [None] * 3


def test_a_table_forgets_with_the_rest_of_its_model(rng):
    """``zero_grad`` of what ``optimizer_for`` gives reaches the rows."""
    settings = run_settings(table="rows", dim=D)
    model = SASRec(V, dim=D, rng=rng(1), table=ItemTable(V, D, rng=rng(0), by_rows=True))
    optimizer, before = optimizer_for(model, settings), model.table.weight.clone()
    several(model.table)
    optimizer.zero_grad()
    optimizer.step()
    assert torch.equal(model.table.weight, before)
