"""States and scores of the packed models against one history at a time, with the product's own weights."""

from __future__ import annotations

import pytest
import torch
from slow import models, split

from negsample import GRU4Rec, SASRec, generator, run_settings
from negsample.batches.epochs import batches_of

LONGEST = 40


def shaken(model, seed=5):
    """Every weight moved off its first value, so that no bias is zero and no norm is one."""
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for value in model.parameters():
            value += 0.3 * torch.randn(value.shape, generator=chance, dtype=value.dtype)
        model.table.weight[0] = 0
    return model


def both(model, world, states_of):
    """The product's states and scores of one real batch with ragged histories, and the slow ones."""
    rng, settings = generator(3, "order"), run_settings(max_length=LONGEST, batch_size=10)
    batch = next(iter(batches_of(world.data, settings, "history", rng=rng)))
    with torch.no_grad():
        (vectors,) = model.table.lookup(batch.inputs.items_T)
        states = model(vectors, batch.inputs)
        weights = {name: value.double() for name, value in model.state_dict().items()}
        trained = [split.training(world.events[user], LONGEST) for user in batch.users_B.tolist()]
        histories = [each[0] for each in trained if each]
        expected = torch.cat([states_of(weights, history) for history in histories])
    lengths = {len(history) for history in histories}
    assert len(lengths) > 3, "histories of one length would prove little"
    return states.double(), expected, weights["table.weight"][1:]


@pytest.mark.parametrize(("blocks", "heads"), [(2, 1), (1, 2)])
def test_sasrec(log, world_of, blocks, heads):
    world = world_of(log)
    model = SASRec(
        world.data.catalogue_size, dim=16, max_length=LONGEST, blocks=blocks, heads=heads, rng=generator(1, "init")
    )
    found, expected, items = both(
        shaken(model), world, lambda w, history: models.sasrec(w, history, LONGEST, blocks=blocks, heads=heads)
    )
    assert expected.std() > 0.3
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found @ items.T, expected @ items.T, atol=1e-4, rtol=1e-4)


def test_gru4rec(log, world_of):
    world = world_of(log)
    model = GRU4Rec(world.data.catalogue_size, dim=16, max_length=LONGEST, blocks=2, rng=generator(1, "init"))
    found, expected, items = both(shaken(model), world, lambda w, history: models.gru4rec(w, history, blocks=2))
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found @ items.T, expected @ items.T, atol=1e-4, rtol=1e-4)


def test_in_double_precision_both_agree_to_the_last_digits(world_of):
    world = world_of("online-retail")
    model = SASRec(world.data.catalogue_size, dim=8, max_length=LONGEST, rng=generator(2, "init"))
    found, expected, _ = both(
        shaken(model).double(), world, lambda w, history: models.sasrec(w, history, LONGEST, blocks=2, heads=1)
    )
    torch.testing.assert_close(found, expected, atol=1e-11, rtol=1e-11)
