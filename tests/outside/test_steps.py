"""One step of every method on real batches: the product's draws are data, all that follows is done again, slowly."""

from __future__ import annotations

import math

import pytest
import torch
from slow import losses, models, split, steps

from negsample import METHODS, SASRec, TrainSettings, build_method, catalogue_of, generator, negative_settings
from negsample.data.epochs import batches_of
from negsample.proposals import propose
from negsample.train import step

LONGEST, USERS = 5, 5
SMALL = {
    **dict.fromkeys(("random_negatives", "popularity_negatives", "log_uniform_negatives", "cohort_negatives"), 14),
    **{"in_batch_negatives": 12, "cache_negatives": 9, "cache_size": 40, "bank_size": 11, "warm_up": 1},
    **{"kept_hardest": 3, "picked_from": 4, "resampled": 6, "mixed_negatives": 5},
    **{"cohort_shares": [0.5, 0.2, 0.3], "own_cohort_share": 0.7, "temperature": 0.8, "log_q_strength": 0.9},
}
RANDOM_SELECTION = {"dns-mn", "batch-mix", "xir"}
LATER = {"corrected-log-q"}


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


def model_of(world, longest):
    model = SASRec(
        world.data.catalogue_size, dim=8, max_length=longest, blocks=1, dropout=0.0, rng=generator(6, "init")
    )
    chance = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for value in model.parameters():
            value += 0.4 * torch.randn(value.shape, generator=chance)
        model.table.weight[0] = 0
    return model


class Done:
    """A step of the product on a real batch (the second, so that what has a memory has something in it)."""

    def __init__(self, world, name, *, longest=LONGEST, count_padding=False, score_memory=None, **changes):
        self.world, self.longest, self.model = world, longest, model_of(world, longest)
        self.settings = negative_settings(name, {**SMALL, **changes})
        method = build_method(name, catalogue_of(world.data, longest), self.settings)
        self.watched = Watched(method.select)
        method, rng = method._replace(select=self.watched), generator(2, "negatives")
        settings = TrainSettings(max_length=longest, batch_size=USERS)
        order = batches_of(world.data, settings, method.collisions, rng=generator(3, "order"))
        for _, self.batch in zip(range(3), order, strict=False):
            self.proposed = propose(method, self.batch, rng=rng)
            for value in self.model.parameters():
                value.grad = None
            self.loss = step(
                self.model,
                method,
                self.batch,
                Still(),
                negatives_rng=rng,
                dropout_rng=rng,
                proposed=self.proposed,
                padded_to=longest if count_padding else None,
                score_memory=score_memory,
            )
        self.weights = {key: value.detach().double().requires_grad_() for key, value in self.model.state_dict().items()}

    def row(self, values, sequence, position):
        """What is drawn for a position, whoever shares it."""
        if values.dim() == 1:
            return values
        return values[sequence if len(values) == self.batch.sequences else position]

    def positions(self):
        """Scores of every position's target and negatives, from raw histories."""
        drawn, found, place = self.proposed.negatives, [], 0
        owner = getattr(drawn, "owner", None)
        table, policy = self.weights["table.weight"], self.settings["collisions"]
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
                if log_q is not None and log_q.numel():
                    log_q = self.row(log_q, sequence, place)[columns].double()
                else:
                    log_q = None
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


@pytest.mark.parametrize("name", list(steps.LOSS))
def test_a_step(log, world_of, name):
    done = Done(world_of(log), name)
    done.agrees_with(steps.LOSS[name](done.positions(), done.settings, done.world.data.catalogue_size))


def test_no_method_is_left_out():
    assert {*steps.LOSS, *RANDOM_SELECTION, *LATER} == set(METHODS)


@pytest.mark.parametrize("name", ["adaptive", "adaptive-mixed", "adaptive-in-batch"])
def test_what_is_not_kept_may_count_as_zero(world_of, name):
    """The paper's form: its score becomes 0 and stays in the mean."""
    done = Done(world_of("online-retail"), name, not_kept="zero")
    done.agrees_with(steps.LOSS[name](done.positions(), done.settings, done.world.data.catalogue_size))


@pytest.mark.parametrize("name", ["random", "popularity", "in-batch", "mixed", "adaptive-in-batch"])
def test_a_step_whose_means_count_padding(world_of, name):
    """The reference's quirk: of the B x L places of a batch those without an item count, too (FIELD, section 3)."""
    done = Done(world_of("online-retail"), name, longest=30, count_padding=True, not_kept="zero")
    at, table, beta = done.positions(), done.weights["table.weight"], done.weights["norm.bias"]
    empty, drawn = USERS * done.longest - len(at), done.proposed.negatives.ids
    assert empty > 20
    pos, neg = [position.target for position in at], [position.scores for position in at]
    for sequence, user in enumerate(done.batch.users_B.tolist()):
        inputs, _ = split.training(done.world.events[user], done.longest)
        blank = table[drawn[sequence]] @ beta
        pos += [torch.zeros((), dtype=torch.float64)] * (done.longest - len(inputs))  # the vector of no item is zero
        neg += [blank] * (done.longest - len(inputs))
    if "kept_hardest" in done.settings:
        kept = done.settings["kept_hardest"]
        neg = [torch.cat([steps.hardest(scores, kept), 0 * scores[kept:]]) for scores in neg]
    done.agrees_with(losses.bce(pos, neg))


@pytest.mark.parametrize(
    "name", ["random", "in-batch", "adaptive-mixed", "own-cohort", "bpr-max", "mixed-log-q", "tron"]
)
def test_a_step_in_parts(world_of, name):
    """Scores that may not be held at once are computed some sequences at a time: the same loss, the same gradient."""
    done = Done(world_of("online-retail"), name, score_memory=3000)
    done.agrees_with(steps.LOSS[name](done.positions(), done.settings, done.world.data.catalogue_size))


CHANGES = [
    ("random", {"collisions": "target"}),
    ("random", {"draws_per": "batch"}),
    ("random", {"draws_per": "position", "collisions": "none"}),
    ("in-batch", {"collisions": "none"}),
    ("in-batch", {"draws_per": "position", "collisions": "target"}),
    ("in-batch", {"draws_per": "batch", "collisions": "history"}),
    ("mixed-log-q", {"draws_per": "sequence", "collisions": "history"}),
    ("mixed-log-q", {"draws_per": "position"}),
    ("log-uniform", {"draws_per": "sequence", "collisions": "none"}),
    ("sampled-softmax-log-q", {"collisions": "history"}),
    ("in-batch-log-q", {"draws_per": "sequence"}),
    ("tron", {"draws_per": "position"}),
    ("bpr-max", {"draws_per": "sequence", "collisions": "history", "regularization": 0.3}),
]


@pytest.mark.parametrize(("name", "changes"), CHANGES, ids=lambda value: str(value))
def test_a_step_with_other_settings(world_of, name, changes):
    """Who shares a draw, and what is never a negative."""
    done = Done(world_of("online-retail"), name, **changes)
    done.agrees_with(steps.LOSS[name](done.positions(), done.settings, done.world.data.catalogue_size))


def test_one_of_the_hardest(log, world_of):
    """The one that was picked is among the N highest, and counts as BPR has it."""
    done = Done(world_of(log), "dns-mn")
    at, picked = done.positions(), []
    for position, given in zip(at, done.watched.gave.neg_TK[:, 0].tolist(), strict=True):
        top = steps.hardest(position.scores, done.settings["picked_from"])
        mine = min(top, key=lambda score, given=given: abs(float(score.detach()) - given))
        assert float(mine.detach()) == pytest.approx(given, abs=1e-4)
        picked.append(mine.reshape(1))
    done.agrees_with(losses.bpr([position.target for position in at], picked))


def test_resampling(log, world_of):
    """What was picked is what was proposed; the loss is that of the estimate, whatever was picked."""
    done = Done(world_of(log), "xir", log_q_strength=1.0)
    at = [steps.tempered(position, done.settings["temperature"]) for position in done.positions()]
    estimate = [torch.log(steps.estimate(position)).reshape(1) for position in at]
    expected = losses.softmax([position.target for position in at], estimate)
    assert float(done.loss) == pytest.approx(float(expected.detach()), rel=2e-5)
    picked = done.watched.gave.ids_TK.tolist()
    negatives = [steps.resampled(position, each) for position, each in zip(at, picked, strict=True)]
    done.agrees_with(losses.softmax([position.target for position in at], negatives))


def test_mixed_negatives(log, world_of):
    """Each synthetic column is one mixture of two proposed ones at every position where both count."""
    done = Done(world_of(log), "batch-mix")
    at = [steps.tempered(position, done.settings["temperature"]) for position in done.positions()]
    corrected = [dict(zip(p.columns, steps.log_q(p, done.settings["log_q_strength"]), strict=True)) for p in at]
    synthetic = done.watched.gave.neg_TK[:, -done.settings["mixed_negatives"] :].detach().double()
    columns = range(len(done.proposed.negatives.ids))
    negatives = [list(scores.values()) for scores in corrected]
    for number in range(synthetic.shape[1]):
        i, j, share = steps.mixture(synthetic[:, number].tolist(), corrected, columns)
        for place, scores in enumerate(corrected):
            both = i in scores and j in scores
            assert both == math.isfinite(synthetic[place, number])
            if both:
                negatives[place].append(share * scores[i] + (1 - share) * scores[j])
    done.agrees_with(losses.softmax([p.target for p in at], [torch.stack(each) for each in negatives]))
