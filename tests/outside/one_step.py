"""One step of the product on a real batch, with all that the slow side needs to do it again."""

from __future__ import annotations

import pytest
import torch
from slow import models, split, steps

from negsample import SASRec, build_method, catalogue_of, generator, negative_settings, run_settings
from negsample.batches.epochs import batches_of
from negsample.models.item_table import ItemTable
from negsample.training.inputs import StepOptions, propose
from negsample.training.step import step

LONGEST, USERS = 5, 5
SMALL = {
    **dict.fromkeys(("random_negatives", "popularity_negatives", "log_uniform_negatives", "cohort_negatives"), 14),
    **{"in_batch_negatives": 12, "cache_negatives": 9, "cache_size": 40, "bank_size": 11, "warm_up": 1},
    **{"kept_hardest": 3, "picked_from": 4, "resampled": 6, "mixed_negatives": 5},
    **{"cohort_shares": [0.5, 0.2, 0.3], "own_cohort_share": 0.7, "temperature": 0.8, "log_q_strength": 0.9},
}


class Still:
    """An optimiser that leaves all as it is: what a step leaves behind are its gradients."""

    def zero_grad(self):
        pass

    def step(self):
        pass


class Watched:
    """A selector, and what it gave last."""

    def __init__(self, select):
        self.select, self.needs = select, select.needs

    def __call__(self, scored, *, rng):
        self.gave = self.select(scored, rng=rng)
        return self.gave


def model_of(world, longest, kind="dense"):
    """A SASRec none of whose weights has its first value, with a table that is trained whole or by rows."""
    items, rng = world.data.catalogue_size, generator(6, "init")
    table = ItemTable(items, 8, rng=rng, by_rows=kind == "rows")
    model = SASRec(items, dim=8, max_length=longest, blocks=1, dropout=0.0, rng=rng, table=table)
    chance = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for value in model.state_dict().values():
            value += 0.4 * torch.randn(value.shape, generator=chance)
        model.table.weight[0] = 0
    return model


class Steps:
    """Steps of the product on real batches. ``weights``: what the slow side computes with."""

    def __init__(self, world, name, *, longest=LONGEST, table="dense", optimizer=lambda model: Still(), **changes):
        self.world, self.longest, self.model = world, longest, model_of(world, longest, table)
        self.settings = negative_settings(name, {**SMALL, **changes})
        method = build_method(name, catalogue_of(world.data, longest), self.settings)
        self.watched = Watched(method.miner)
        self.method, self.rng = method._replace(miner=self.watched), generator(2, "negatives")
        order = run_settings(max_length=longest, batch_size=USERS)
        self.batches = batches_of(world.data, order, method.exclude, rng=generator(3, "order"))
        self.optimizer = optimizer(self.model)
        self.take_weights()

    def take_weights(self):
        """The product's, as they are."""
        self.weights = {key: value.detach().double().requires_grad_() for key, value in self.model.state_dict().items()}

    def advance(self, **options):
        """One more step."""
        self.batch = next(self.batches)
        self.proposed = propose(self.method, self.batch, rng=self.rng)
        for value in self.model.parameters():
            value.grad = None
        chance = {"negatives_rng": self.rng, "dropout_rng": self.rng}
        given = {"negatives": self.proposed, "options": StepOptions(**options)}
        self.loss = step(self.model, self.method, self.batch, self.optimizer, **given, **chance)

    def row(self, values, sequence, position):
        """What is drawn for a position, whoever shares it."""
        if values.dim() == 1:
            return values
        return values[sequence if len(values) == self.batch.sequences else position]

    def positions(self):
        """Scores of every position's target and negatives, from raw histories."""
        drawn, found, place = self.proposed, [], 0
        owner = drawn.owner
        table, policy = self.weights["table.weight"], self.settings["exclude"]
        for sequence, user in enumerate(self.batch.users_B.tolist()):
            inputs, targets = split.training(self.world.events[user], self.longest)
            states = models.sasrec(self.weights, inputs, self.longest, blocks=1, heads=1)
            history = set(self.world.train[user])
            for state, target in zip(states, targets, strict=True):
                ids = self.row(drawn.ids, sequence, place).tolist()
                own = [owner is not None and p < len(owner) and int(owner[p]) == user for p in range(len(ids))]
                columns = steps.negatives(ids, own, target, history, policy)
                if drawn.ids.dim() == 2 and policy == "history":
                    assert not history & set(ids), "what the user has is never drawn for them alone"
                kept = [ids[column] for column in columns]
                vectors = table[kept]
                frozen = torch.tensor([[column >= len(ids) - self.proposed.frozen] for column in columns])
                scores = torch.where(frozen, vectors.detach(), vectors) @ state
                log_q = drawn.log_q
                log_q = None if log_q is None else self.row(log_q, sequence, place)[columns].double()
                counted = sum(item > 0 and not mine for item, mine in zip(ids, own, strict=True))
                of_target = self.proposed.pos_log_q_T
                of_target = None if of_target is None else float(of_target[place])
                found.append(steps.Position(state @ table[target], kept, scores, log_q, counted, columns, of_target))
                place += 1
        return found

    def agrees_with(self, expected):
        """The loss, and the gradient of every weight, the item table's among them."""
        assert float(self.loss) == pytest.approx(float(expected.detach()), rel=2e-5)
        expected.backward()
        for name, value in self.model.named_parameters():
            slow = self.weights[name].grad
            assert slow is not None
            if name == "table.weight":
                slow[0] = 0  # padding learns nothing
                assert slow.abs().max() > 1e-3
            torch.testing.assert_close(
                value.grad.double(), slow, rtol=1e-3, atol=2e-5 * max(1.0, float(slow.abs().max()))
            )


def third_step(world, name, *, longest=LONGEST, options=None, **changes):
    """The third, so that what has a memory has something in it."""
    done = Steps(world, name, longest=longest, **changes)
    for _ in range(3):
        done.advance(**(options or {}))
    return done
