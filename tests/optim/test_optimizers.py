"""How rows learn: a table of which a step touches its batch alone, against dense Adam and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from negsample.models import SASRec
from negsample.models.item_table import ItemTable
from negsample.optim import (
    BETAS,
    EPS,
    DenseAdam,
    ModelOptimizer,
    RowAdagrad,
    RowAdam,
    optimizer_for,
    release,
    row_adagrad,
    row_adam,
)
from negsample.optim import dense as dense_adam
from negsample.optim.rows import RowWriter
from negsample.settings import run_settings

V, D = 300, 6
LR = 0.01


def both(rng, items=V, dim=D):
    """A dense table with Adam of PyTorch, and one of rows with its rule, of the same initial values."""
    dense, rows = ItemTable(items, dim, rng=rng(0)), ItemTable(items, dim, rng=rng(0), by_rows=True)
    adam = torch.optim.Adam(dense.parameters(), lr=LR, betas=row_adam.BETAS, eps=EPS)
    return dense, adam, rows, RowAdam(rows, lr=LR)


def with_betas(monkeypatch, betas):
    """Other decays than the reference's: what is deferred is right for any."""
    for module in (dense_adam, row_adam):
        monkeypatch.setattr(module, "BETAS", betas)


def learn(table, optimizer, ids, pulls):
    """One step of the loss ``sum(pulls * rows)``: the gradient of a row is the sum of its pulls."""
    (found,) = table.lookup(ids)
    if isinstance(optimizer, torch.optim.Adam):
        optimizer.zero_grad()
    (found * pulls).sum().backward()
    optimizer.step()
    return found.detach()


def some_ids(rng, steps, items=V):
    """Ids of steps: some items often, most seldom, item V in steps 1, 2, 201 and the last alone."""
    draws = rng(5)
    for step in range(steps):
        often, seldom = torch.randint(1, 10, (5,), generator=draws), torch.randint(1, items, (3,), generator=draws)
        rare = [items] if step in (0, 1, 200, steps - 1) else []
        yield torch.cat([often, seldom, torch.tensor([*rare, 0], dtype=torch.int64)])


def pulls_for(ids, draws, dim=D):
    """Gradients far above eps, of either sign and of sizes from 0.05 to 1; none for id 0."""
    sizes = 0.05 ** torch.rand(len(ids), dim, generator=draws)
    return sizes * torch.randn(len(ids), dim, generator=draws).sign() * (ids > 0).unsqueeze(1)


@torch.no_grad()
def far_off(rows, dense, start):
    """Largest difference of two tables, relative to how far a row has come; a step is the least that counts."""
    moved = (dense - start).abs().amax(1, keepdim=True).clamp(min=LR)
    return float(((rows - dense).abs() / moved)[1:].max())


@pytest.mark.parametrize("betas", [BETAS, (0.0, 0.9), (0.9, 0.999)])
def test_rows_are_where_dense_adam_has_them(betas, rng, monkeypatch):
    with_betas(monkeypatch, betas)
    dense, adam, rows, rule = both(rng)
    start, one, two = dense.weight.detach().clone(), rng(1), rng(1)
    for step, ids in enumerate(some_ids(rng, 400)):
        expected = learn(dense, adam, ids, pulls_for(ids, one))
        found = learn(rows, rule, ids, pulls_for(ids, two))
        assert far_off(found, expected, start[ids]) < 1e-5
        if step in (3, 57, 58, 199, 320):
            rule.apply_deferred()
            assert far_off(rows.weight, dense.weight, start) < 1e-5
    rule.apply_deferred()
    assert float((dense.weight.detach() - start).abs()[1:10].max()) > 10 * LR, "hardly moved: the test would be weak"
    assert far_off(rows.weight, dense.weight, start) < 1e-5
    assert not rows.weight[0].any()


def test_a_row_that_rests_moves_on_and_slows_down(rng):
    """The trap: lazy Adam, which lets a row lie, misses most of the way that one gradient sends it."""
    dense, adam, rows, rule = both(rng)
    start = dense.weight.detach()[1].clone()
    for step in range(60):
        ids = torch.tensor([1 if step == 0 else 2])
        learn(dense, adam, ids, torch.ones(1, D))
        learn(rows, rule, ids, torch.ones(1, D))
    lazy = rows.weight[1].clone()
    rule.apply_deferred()
    assert (start - rows.weight[1] > 1.5 * (start - lazy)).all()
    torch.testing.assert_close(rows.weight[1], dense.weight.detach()[1], atol=1e-7, rtol=0)


@pytest.mark.parametrize(("size", "tolerance"), [(1e-5, 1e-3), (1e-7, 0.1)])
def test_gradients_near_eps_are_followed_less_closely(size, tolerance, rng):
    """While a row rests, eps is taken as if it shrank with the root of the second moment: here that is a part of it."""
    dense, adam, rows, rule = both(rng)
    start, one, two = dense.weight.detach().clone(), rng(1), rng(1)
    for ids in some_ids(rng, 250):
        learn(dense, adam, ids, size * pulls_for(ids, one).sign())
        learn(rows, rule, ids, size * pulls_for(ids, two).sign())
    rule.apply_deferred()
    assert far_off(rows.weight, dense.weight, start) < tolerance


def test_more_steps_than_the_first_array_has_place_for(rng):
    dense, adam, rows, rule = both(rng, 40, 2)
    start, one, two = dense.weight.detach().clone(), rng(1), rng(1)
    for step, ids in enumerate(some_ids(rng, 1100, 40)):
        learn(dense, adam, ids, pulls_for(ids, one, 2))
        learn(rows, rule, ids, pulls_for(ids, two, 2))
        if step in (1020, 1023, 1024):
            rule.apply_deferred()
            assert far_off(rows.weight, dense.weight, start) < 1e-5
    rule.apply_deferred()
    assert far_off(rows.weight, dense.weight, start) < 1e-5


def test_settling_in_blocks_reaches_every_row(rng, monkeypatch):
    monkeypatch.setattr(row_adam, "_BLOCK", 7)
    dense, adam, rows, rule = both(rng, 40)
    start, one, two = dense.weight.detach().clone(), rng(1), rng(1)
    for ids in some_ids(rng, 30, 40):
        learn(dense, adam, ids, pulls_for(ids, one))
        learn(rows, rule, ids, pulls_for(ids, two))
    rule.apply_deferred()
    assert far_off(rows.weight, dense.weight, start) < 1e-5


def test_settling_twice_changes_nothing_more(rng):
    _, _, rows, rule = both(rng)
    draws = rng(1)
    for ids in some_ids(rng, 20):
        learn(rows, rule, ids, pulls_for(ids, draws))
    before = rows.weight.clone()
    rule.apply_deferred()
    settled = rows.weight.clone()
    assert not torch.equal(settled, before)
    rule.apply_deferred()
    assert torch.equal(rows.weight, settled)


def test_settling_does_not_change_what_is_learned(rng):
    tables = []
    for often in (True, False):
        _, _, rows, rule = both(rng)
        draws = rng(1)
        for ids in some_ids(rng, 60):
            learn(rows, rule, ids, pulls_for(ids, draws))
            if often:
                rule.apply_deferred()
        rule.apply_deferred()
        tables.append(rows.weight.clone())
    torch.testing.assert_close(*tables, atol=1e-6, rtol=0)


@pytest.mark.parametrize("rule_of", [RowAdam, RowAdagrad])
def test_looking_without_learning_changes_nothing(rule_of, rng):
    ends = []
    for looks in (False, True):
        rows = ItemTable(20, D, rng=rng(0), by_rows=True)
        rule, draws = rule_of(rows, lr=LR), rng(1)
        for ids in some_ids(rng, 30, 20):
            if looks:
                before = rows.weight.clone()
                with torch.no_grad():
                    assert not rows.lookup(torch.arange(21))[0].requires_grad
                rows.lookup(torch.arange(21))  # abandoned: no backward
                rule.step()
                assert torch.equal(rows.weight, before)
            learn(rows, rule, ids, pulls_for(ids, draws))
        rule.apply_deferred()
        ends.append(rows.weight.clone())
    assert torch.equal(*ends)


@pytest.mark.parametrize("rule_of", [RowAdam, RowAdagrad])
def test_a_step_learns_from_a_lookup_once(rule_of, rng):
    rows = ItemTable(9, D, rng=rng(0), by_rows=True)
    rule = rule_of(rows, lr=LR)
    learn(rows, rule, torch.tensor([3]), torch.ones(1, D))
    before = rows.weight.clone()
    rule.step()
    assert torch.equal(rows.weight, before)


def test_adam_by_hand(rng, monkeypatch):
    """The first step is one of ``lr`` against the sign; the second, at rest, ``lr r c(2)`` as the class has it."""
    rows = ItemTable(4, 2, rng=rng(0), by_rows=True)
    with_betas(monkeypatch, (0.5, 0.96))
    rule = RowAdam(rows, lr=LR)
    start = rows.weight.clone()
    learn(rows, rule, torch.tensor([1]), torch.tensor([[3.0, -0.5]]))
    sign = torch.tensor([1.0, -1.0])
    torch.testing.assert_close(rows.weight[1], start[1] - LR * sign)
    learn(rows, rule, torch.tensor([2]), torch.ones(1, 2))
    # m = 0.5 * 0.5 g, v = 0.96 * 0.04 g^2; corrected by 1 - 0.25 and 1 - 0.9216
    second = LR * (0.25 / 0.75) / math.sqrt(0.0384 / 0.0784)
    rule.apply_deferred()
    torch.testing.assert_close(rows.weight[1], start[1] - (LR + second) * sign)
    assert torch.equal(rows.weight[3:], start[3:])


def test_adagrad_is_the_loop_written_out(rng, monkeypatch):
    monkeypatch.setattr(row_adagrad, "EPS", 1e-3)
    rows = ItemTable(20, D, rng=rng(0), by_rows=True)
    rule, draws = RowAdagrad(rows, lr=0.1), rng(1)
    expected, sums = rows.weight.double().numpy().copy(), np.zeros(21)
    for ids in some_ids(rng, 50, 20):
        pulls = pulls_for(ids, draws)
        learn(rows, rule, ids, pulls)
        for item in set(ids.tolist()):
            gradient = pulls[ids == item].double().sum(0).numpy()
            sums[item] += (gradient**2).mean()
            expected[item] -= 0.1 * gradient / (math.sqrt(sums[item]) + 1e-3)
    np.testing.assert_allclose(rows.weight.numpy(), expected, atol=1e-6)
    before = rows.weight.clone()
    rule.apply_deferred()
    assert torch.equal(rows.weight, before)
    assert not rows.weight[0].any()


@pytest.mark.parametrize("rule_of", [RowAdam, RowAdagrad])
def test_an_id_twice_in_a_lookup_has_both_gradients(rule_of, rng):
    ends = []
    for ids, pulls in (([[3, 5], [3, 3]], [1.0, 2.0, 10.0, 100.0]), ([[5, 3]], [2.0, 111.0])):
        rows = ItemTable(9, D, rng=rng(0), by_rows=True)
        rule = rule_of(rows, lr=LR)
        learn(rows, rule, torch.tensor(ids), torch.tensor(pulls).view(*torch.tensor(ids).shape, 1))
        learn(rows, rule, torch.tensor([[3, 5]]), -torch.ones(1, 2, 1))  # what it remembers, too
        ends.append(rows.weight.clone())
    torch.testing.assert_close(*ends)


# bfloat16


@pytest.mark.parametrize("rule_of", [RowAdam, RowAdagrad])
def test_a_bfloat16_table_needs_chance(rule_of, rng):
    with pytest.raises(ValueError, match="rounded stochastically; hand a generator as rng"):
        rule_of(ItemTable(4, 2, rng=rng(0), dtype=torch.bfloat16, by_rows=True), lr=LR)


def test_rounding_is_up_or_down_to_a_neighbour_and_right_in_the_mean(rng):
    values = torch.tensor([0.1, -0.1, 1.0, 3.14159, -1e-5, 0.0, 1e-30, 255.9])
    number = 40_000
    table = ItemTable(number, len(values), rng=rng(0), dtype=torch.bfloat16, by_rows=True)
    RowWriter(table.weight, rng(1))(torch.arange(1, number + 1), values.repeat(number, 1))
    found = table.weight[1:].double()
    gap = (found.amax(0) - found.amin(0)).numpy()
    assert (gap <= values.abs().double().numpy() / 2**7).all()
    exact = values.bfloat16().float() == values
    assert (found[:, exact] == values[exact].double()).all()
    assert (gap[~exact.numpy()] > 0).all()
    error = (found.mean(0) - values.double()).abs().numpy()
    assert (error <= 4.5 * gap / 2 / math.sqrt(number)).all()


@pytest.mark.parametrize("rule_of", [RowAdam, RowAdagrad])
def test_steps_far_below_the_resolution_are_not_lost(rule_of, rng):
    """Two hundred steps of about 1e-4 from 1, where bfloat16 has no value between 0.996 and 1."""
    table = ItemTable(2000, 2, rng=rng(0), dtype=torch.bfloat16, by_rows=True)
    table.weight[1:] = 1
    rule, ids = rule_of(table, lr=1e-4 if rule_of is RowAdam else 1e-3, rng=rng(1)), torch.arange(1, 2001)
    exact = ItemTable(1, 2, rng=rng(0), by_rows=True)
    exact.weight[1:] = 1
    exact_rule = rule_of(exact, lr=rule.lr)
    for _ in range(200):
        learn(table, rule, ids, torch.ones(2000, 2))
        learn(exact, exact_rule, torch.tensor([1]), torch.ones(1, 2))
    way = 1 - float(exact.weight[1, 0])
    assert 0.01 < way < 0.04
    assert abs((1 - float(table.weight[1:].double().mean())) / way - 1) < 0.02


def test_a_bfloat16_table_is_computed_with_in_float32(rng):
    table = ItemTable(9, 4, rng=rng(0), dtype=torch.bfloat16, by_rows=True)
    assert table.weight.dtype == torch.bfloat16
    assert table.block(1, 4).dtype == torch.float32
    (read,) = table.lookup(torch.tensor([1, 2]))
    RowAdam(table, lr=LR, rng=rng(1))
    (learned,) = table.lookup(torch.tensor([1, 2]))
    assert read.dtype == learned.dtype == torch.float32
    assert torch.equal(read, learned.detach())
    with pytest.raises(ValueError, match=r"float32 or bfloat16, got torch\.float16"):
        ItemTable(9, 4, rng=rng(0), dtype=torch.float16, by_rows=True)


# Which optimiser


def model_of(rng, table=None):
    return SASRec(20, dim=8, max_length=5, blocks=1, dropout=0.0, rng=rng(1), table=table)


def test_adam_over_all_parameters_is_that_of_pytorch(rng):
    models = [model_of(rng), model_of(rng)]
    ours = DenseAdam(models[0].parameters(), lr=0.01)
    theirs = torch.optim.Adam(models[1].parameters(), lr=0.01, betas=BETAS, eps=EPS)
    draws = rng(5)
    for turn in range(20):
        for optimizer in (ours, theirs):
            optimizer.zero_grad()
        for number, (one, other) in enumerate(zip(*(each.parameters() for each in models), strict=True)):
            if (number + turn) % 5:  # the others have no gradient this time
                one.grad = torch.randn(one.shape, generator=draws)
                other.grad = one.grad.clone()
        ours.step()
        theirs.step()
    for one, other in zip(*(each.parameters() for each in models), strict=True):
        torch.testing.assert_close(one, other)


def test_the_optimizer_is_what_the_settings_say(rng):
    made = optimizer_for(model_of(rng), run_settings(learning_rate=0.3))
    assert (made.tables, made.rest.lr) == ([], 0.3)
    for name, rule_of in (("adam", RowAdam), ("adagrad", RowAdagrad)):
        model = model_of(rng, ItemTable(20, 8, rng=rng(0), by_rows=True))
        settings = run_settings(table="rows", learning_rate=0.3, table_learning_rate=0.7, table_optimizer=name)
        made = optimizer_for(model, settings)
        assert isinstance(made, ModelOptimizer)
        (rule,) = made.tables
        assert type(rule) is rule_of
        assert (rule.lr, made.rest.lr) == (0.7, 0.3)
        assert optimizer_for(model, run_settings(table="rows", learning_rate=0.3)).tables[0].lr == 0.3


def test_settling_brings_rows_up_to_date_and_release_lets_go(rng):
    release(model_of(rng))
    model = model_of(rng, ItemTable(20, 8, rng=rng(0), by_rows=True))
    made = optimizer_for(model, run_settings(table="rows"))
    for step in range(3):
        learn(model.table, made, torch.tensor([1 + (step > 0)]), torch.ones(1, 8))
    before = model.table.weight.clone()
    made.apply_deferred()
    assert not torch.equal(model.table.weight[1], before[1])
    release(model)
    assert model.table.optimizer is None
    assert not model.table.lookup(torch.tensor([1]))[0].requires_grad
