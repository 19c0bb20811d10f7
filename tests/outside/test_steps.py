"""One step of every method on real batches: the product's draws are data, all that follows is done again, slowly."""

from __future__ import annotations

import math
from itertools import product
from typing import get_args

import pytest
import torch
from one_step import USERS, third_step
from slow import laws, losses, split, steps

from negsample import METHODS

RANDOM_SELECTION = {"dns-mn", "batch-mix", "xir"}


@pytest.mark.parametrize("name", list(steps.LOSS))
def test_a_step(log, world_of, name):
    done = third_step(world_of(log), name)
    done.agrees_with(steps.LOSS[name](done.positions(), done.settings, done.world.data.catalogue_size))


def test_no_method_is_left_out():
    assert {*steps.LOSS, *RANDOM_SELECTION, "corrected-log-q"} == set(METHODS)


@pytest.mark.parametrize("name", ["adaptive", "adaptive-mixed", "adaptive-in-batch"])
def test_what_is_not_kept_may_count_as_zero(world_of, name):
    """The paper's form: its score becomes 0 and stays in the mean."""
    done = third_step(world_of("online-retail"), name, not_kept="zero")
    done.agrees_with(steps.LOSS[name](done.positions(), done.settings, done.world.data.catalogue_size))


@pytest.mark.parametrize("name", ["random", "popularity", "in-batch", "mixed", "adaptive-in-batch"])
def test_a_step_whose_means_count_padding(world_of, name):
    """The reference's quirk: of the B x L places of a batch those without an item count, too (FIELD, section 3)."""
    done = third_step(world_of("online-retail"), name, longest=30, options={"padded_to": 30}, not_kept="zero")
    at, table, beta = done.positions(), done.weights["table.weight"], done.weights["norm.bias"]
    empty, drawn = USERS * done.longest - len(at), done.proposed.ids
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
    done = third_step(world_of("online-retail"), name, options={"score_memory": 3000})
    done.agrees_with(steps.LOSS[name](done.positions(), done.settings, done.world.data.catalogue_size))


def ways():
    """Each method by all that it can exclude and all who can share its draws; the pairs go round, so that some methods
    have each of them."""
    for number, name in enumerate(steps.LOSS):
        fields = METHODS[name].settings.model_fields
        pers = get_args(fields["draws_per"].annotation) if "draws_per" in fields else (None,)
        for turn, policy in enumerate(("none", "target", "history")):
            per = pers[(number + turn) % len(pers)]
            yield name, {"exclude": policy} | ({"draws_per": per} if per else {})


@pytest.mark.parametrize(("name", "changes"), [*ways()], ids=str)
def test_a_step_by_who_shares_a_draw_and_what_is_excluded(world_of, name, changes):
    done = third_step(world_of("online-retail"), name, **changes)
    done.agrees_with(steps.LOSS[name](done.positions(), done.settings, done.world.data.catalogue_size))


def test_every_pair_of_the_two_comes_up():
    found = {tuple(changes.values()) for _, changes in ways() if len(changes) == 2}
    assert found == set(product(("none", "target", "history"), ("batch", "sequence", "position")))


SHORT = [
    ("in-batch", {"in_batch_negatives": 200}),
    ("in-batch", {"in_batch_negatives": "all", "draws_per": "batch"}),
    ("mixed-log-q", {"in_batch_negatives": 200, "draws_per": "sequence"}),
    ("mixed-log-q", {"in_batch_negatives": "all"}),
    ("in-batch-log-q", {"in_batch_negatives": 200, "draws_per": "position"}),
    ("cross-batch", {"bank_size": 200}),
]


@pytest.mark.parametrize(("name", "changes"), SHORT, ids=str)
def test_a_step_that_asks_for_more_than_the_batch_has(world_of, name, changes):
    done = third_step(world_of("online-retail"), name, **changes)
    done.agrees_with(steps.LOSS[name](done.positions(), done.settings, done.world.data.catalogue_size))


@pytest.mark.parametrize("policy", ["target", "history"])
@pytest.mark.parametrize("per", ["batch", "sequence", "position"])
def test_corrected_log_q(world_of, per, policy):
    """``q'`` is the law of what may be a negative, written out; m is how many of the draws are."""
    done = third_step(world_of("online-retail"), "corrected-log-q", draws_per=per, exclude=policy)
    strength, tau, at = done.settings["log_q_strength"], done.settings["temperature"], done.positions()
    trained = {user: split.training(events, done.longest) for user, events in enumerate(done.world.events)}
    targets = {user: each[1] for user, each in trained.items() if each}
    everywhere = laws.occurrences(targets.values(), done.world.data.catalogue_size)
    whose = [(user, target) for user in done.batch.users_B.tolist() for target in targets[user]]
    negatives = []
    for position, (user, target) in zip(at, whose, strict=True):
        barred = {target} if policy == "target" else set(done.world.train[user])
        q = torch.from_numpy(laws.given(laws.in_batch(everywhere, targets[user]), barred))[position.ids]
        assert (q > 0).all()
        negatives.append(position.scores / tau - strength * torch.log(len(position.ids) * q))
    done.agrees_with(losses.corrected_log_q([position.target / tau for position in at], negatives))


def test_one_of_the_hardest(log, world_of):
    """The one that was picked is among the N highest, and counts as BPR has it."""
    done = third_step(world_of(log), "dns-mn")
    at, picked = done.positions(), []
    for position, given in zip(at, done.watched.gave.neg_TK[:, 0].tolist(), strict=True):
        top = steps.hardest(position.scores, done.settings["picked_from"])
        mine = min(top, key=lambda score, given=given: abs(float(score.detach()) - given))
        assert float(mine.detach()) == pytest.approx(given, abs=1e-4)
        picked.append(mine.reshape(1))
    done.agrees_with(losses.bpr([position.target for position in at], picked))


def test_resampling(log, world_of):
    """What was picked is what was proposed; the loss is that of the estimate, whatever was picked."""
    done = third_step(world_of(log), "xir", log_q_strength=1.0)
    at = [steps.tempered(position, done.settings["temperature"]) for position in done.positions()]
    estimate = [torch.log(steps.estimate(position)).reshape(1) for position in at]
    expected = losses.softmax([position.target for position in at], estimate)
    assert float(done.loss) == pytest.approx(float(expected.detach()), rel=2e-5)
    picked = done.watched.gave.ids_TK.tolist()
    negatives = [steps.resampled(position, each) for position, each in zip(at, picked, strict=True)]
    done.agrees_with(losses.softmax([position.target for position in at], negatives))


def test_mixed_negatives(log, world_of):
    """Each synthetic column is one mixture of two proposed ones at every position where both count."""
    done = third_step(world_of(log), "batch-mix")
    at = [steps.tempered(position, done.settings["temperature"]) for position in done.positions()]
    corrected = [dict(zip(p.columns, steps.log_q(p, done.settings["log_q_strength"]), strict=True)) for p in at]
    synthetic = done.watched.gave.neg_TK[:, -done.settings["mixed_negatives"] :].detach().double()
    columns = range(len(done.proposed.ids))
    negatives = [list(scores.values()) for scores in corrected]
    for number in range(synthetic.shape[1]):
        i, j, share = steps.mixture(synthetic[:, number].tolist(), corrected, columns)
        for place, scores in enumerate(corrected):
            both = i in scores and j in scores
            assert both == math.isfinite(synthetic[place, number])
            if both:
                negatives[place].append(share * scores[i] + (1 - share) * scores[j])
    done.agrees_with(losses.softmax([p.target for p in at], [torch.stack(each) for each in negatives]))
