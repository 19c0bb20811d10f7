"""Some steps of training, all of it again: draws are the product's, gradients and Adam are the slow side's own."""

from __future__ import annotations

import pytest
import torch
from one_step import LONGEST, Steps
from slow import adam, steps

from negsample import generator, run_settings
from negsample.batches.epochs import batches_of
from negsample.models.item_table import ItemTable
from negsample.optim import RowAdam, optimizer_for

RATE = 0.02


@pytest.mark.parametrize("table", ["dense", "rows"])
@pytest.mark.parametrize("name", ["mixed", "sampled-softmax-log-q"])
def test_what_training_learns(log, world_of, name, table):
    """Dense Adam over the whole table, whether the product moves every row at every step or catches up with rows."""
    settings = run_settings(learning_rate=RATE, table=table)
    run = Steps(world_of(log), name, table=table, optimizer=lambda model: optimizer_for(model, settings))
    first = {key: value.detach().clone() for key, value in run.weights.items()}
    learner = adam.Adam(run.weights, RATE)
    for _ in range(6):
        run.advance()
        loss = steps.LOSS[name](run.positions(), run.settings, run.world.data.catalogue_size)
        assert float(run.loss) == pytest.approx(float(loss.detach()), rel=1e-3)
        gradients = dict(zip(run.weights, torch.autograd.grad(loss, list(run.weights.values())), strict=True))
        gradients["table.weight"][0] = 0
        learned = learner.step(run.weights, gradients)
        run.weights = {key: value.requires_grad_() for key, value in learned.items()}
    run.optimizer.apply_deferred()
    found = {key: value.double() for key, value in run.model.state_dict().items()}
    for key in set(found) - {"blocks.0.key.bias"}:  # whose gradient is zero but for rounding: it shifts all alike
        moved = (run.weights[key].detach() - first[key]).abs()
        assert moved.max() > 2 * RATE
        miss = (found[key] - run.weights[key].detach()).abs()
        assert miss.max() < 0.02 * moved.max(), key
        assert miss.mean() < 1e-3 * moved.mean(), key


@pytest.mark.parametrize("lookups", [1, 3])
def test_rows_that_rest_for_long_move_as_in_dense_adam(log, world_of, lookups):
    """A table alone, over as many steps as real users give: most rows are touched a few times, far apart.

    However many lookups a step has, all of them learn.
    """
    world, chance = world_of(log), torch.Generator().manual_seed(5)
    table = ItemTable(world.data.catalogue_size, 3, rng=generator(1, "init"), by_rows=True)
    rule = RowAdam(table, lr=RATE)
    weights = {"table": table.weight.double()}
    first, learner = weights["table"], adam.Adam(weights, RATE)
    settings, rng = run_settings(max_length=LONGEST, batch_size=2), generator(1, "order")
    touched = torch.zeros(len(first))
    for _, batch in zip(range(70), batches_of(world.data, settings, "none", rng=rng), strict=False):
        ids = batch.targets_T
        given = torch.randn(len(ids), 3, generator=chance)
        rows = torch.cat([table.lookup(some)[0] for some in ids.chunk(lookups)])
        torch.testing.assert_close(rows.detach().double(), weights["table"][ids], rtol=1e-3, atol=1e-5)
        (rows * given).sum().backward()
        rule.step()
        gradient = torch.zeros_like(first)
        for item, row in zip(ids.tolist(), given.double(), strict=True):
            gradient[item] += row  # an item may come twice
            touched[item] += 1
        weights = learner.step(weights, {"table": gradient})
    rule.apply_deferred()
    assert (touched == 1).sum() > 50
    torch.testing.assert_close(table.weight.double(), weights["table"], rtol=1e-3, atol=2e-5)
    assert (table.weight.double() - first).abs().max() > 5 * RATE
