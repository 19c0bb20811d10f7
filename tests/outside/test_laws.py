"""The law of every proposal, on batches of whole sequences of real users."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from real_batches import LONGEST, real_batch, targets_of
from scipy import stats as known
from slow import cohorts, laws

from negsample import Cohort, InBatch, LogUniform, Popularity, Uniform, catalogue_of, generator, run_settings
from negsample.batches.epochs import batches_of

SHARES = (0.5, 0.2, 0.3)
PER, POLICIES = ("batch", "sequence", "position"), ("none", "target", "history")


def at_the_draw(per, policy, target, history):
    """What a draw leaves out, by who shares it."""
    if per == "batch" or policy == "none" or (per == "sequence" and policy == "target"):
        return set()
    return set(history) if policy == "history" else {target}


SAMPLERS = {
    "uniform": lambda c, k, per: Uniform(c.items, k, per=per),
    "popularity": lambda c, k, per: Popularity(c.counts, k, exponent=0.75, per=per),
    "inverse": lambda c, k, per: Popularity(c.counts, k, exponent=-1.0, per=per),
    "log-uniform": lambda c, k, per: LogUniform(c.counts, k, per=per),
    "cohort": lambda c, k, per: Cohort(torch.tensor(cohorts.cohorts(c.counts.tolist())), SHARES, k, per=per),
    "in-batch": lambda c, k, per: InBatch(k, counts=c.target_counts, per=per),
}


def weights_of(name, world, own, everywhere):
    """The law for a user before anything is left out."""
    count_of = cohorts.counts(world.train, world.data.catalogue_size)
    return {
        "uniform": lambda: laws.uniform(world.data.catalogue_size),
        "popularity": lambda: laws.popularity(count_of, 0.75),
        "inverse": lambda: laws.popularity(count_of, -1.0),
        "log-uniform": lambda: laws.log_uniform(count_of),
        "cohort": lambda: laws.by_cohort(cohorts.cohorts(count_of), SHARES),
        "in-batch": lambda: laws.in_batch(everywhere, own),
    }[name]()


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("per", PER)
@pytest.mark.parametrize("name", list(SAMPLERS))
def test_log_q_is_the_law_of_the_draw(world_of, name, per, policy):
    """Of every id that was drawn, for every user and position of a real batch."""
    world = world_of("online-retail")
    batch, targets, train = real_batch(world, policy=policy), targets_of(world), world.train
    everywhere = laws.occurrences(targets.values(), world.data.catalogue_size)
    drawn = SAMPLERS[name](catalogue_of(world.data, LONGEST), 25, per).sample(batch, rng=generator(1, "negatives"))
    place, compared = 0, 0
    for sequence, user in enumerate(batch.users_B.tolist()):
        weights = weights_of(name, world, targets[user], everywhere)
        for target in targets[user]:
            law = laws.given(weights, at_the_draw(per, policy, target, train[user]))
            row = {"batch": sequence if drawn.log_q.dim() == 2 else None, "sequence": sequence, "position": place}[per]
            ids = drawn.ids if drawn.ids.dim() == 1 else drawn.ids[row]
            log_q = drawn.log_q if row is None else drawn.log_q[row]
            for column, (item, mine) in enumerate(zip(ids.tolist(), log_q.tolist(), strict=True)):
                own = drawn.owner is not None and int(drawn.owner[column]) == user
                if item == 0 or own:
                    assert mine == -math.inf
                else:
                    assert mine == pytest.approx(math.log(law[item]), abs=1e-5)
                    compared += 1
            place += 1
    assert compared > 20 * place


@pytest.mark.parametrize("name", [name for name in SAMPLERS if name != "in-batch"])
def test_draws_follow_the_law(log, world_of, name):
    """A chi-square of many draws for one real user, whose train items are left out."""
    world = world_of(log)
    batch = real_batch(world, size=3, policy="history")
    user, targets = int(batch.users_B[0]), targets_of(world)
    drawn = SAMPLERS[name](catalogue_of(world.data, LONGEST), 40_000, "sequence").draw(
        batch, rng=generator(2, "negatives")
    )
    weights = weights_of(name, world, targets[user], np.zeros(1))
    law = laws.given(weights, set(world.train[user]))
    found = np.bincount(drawn.ids[0].numpy(), minlength=len(law))
    assert found[law == 0].sum() == 0
    order = np.argsort(-law)
    bins = np.array_split(order[law[order] > 0], 60)
    expected = [40_000 * law[each].sum() for each in bins]
    assert known.chisquare([found[each].sum() for each in bins], expected).pvalue > 1e-4


def test_in_batch_draws_follow_the_law_over_all_batches_that_a_user_is_in(log, world_of):
    """Which users come along is chance: the mean share of items, from the most to the least popular, is the law's."""
    world, size = world_of(log), 40
    targets = targets_of(world)
    everywhere = laws.occurrences(targets.values(), world.data.catalogue_size)
    sampler = InBatch(200, counts=catalogue_of(world.data, LONGEST).target_counts, per="batch")
    settings, order, rng = (
        run_settings(max_length=LONGEST, batch_size=size),
        generator(1, "order"),
        generator(1, "init"),
    )
    user = sorted(targets, key=lambda user: len(targets[user]))[-1]
    law = laws.given(laws.in_batch(everywhere, targets[user]), set())
    bins, shares = np.array_split(np.argsort(-law), 8), []
    own = set(targets[user])
    groups = [*bins, np.array(sorted(own))]  # among what others have: never more likely than they make it
    for _ in range(60):
        for batch in batches_of(world.data, settings, "target", rng=order):
            if user in batch.users_B.tolist():
                drawn = sampler.draw(batch, rng=rng)
                ids = drawn.ids[drawn.owner != user].numpy()
                shares.append([np.isin(ids, group).mean() for group in groups])
    mean, error = np.mean(shares, 0), np.std(shares, 0) / math.sqrt(len(shares))
    for found, wide, group in zip(mean, error, groups, strict=True):
        assert abs(found - law[group].sum()) <= 4.5 * wide + 0.02 * law[group].sum()


@pytest.mark.parametrize("per", PER)
def test_log_q_where_a_user_comes_in_several_windows(world_of, per):
    """All windows of a user are their own: none of their targets is drawn for them, and the law is without them all."""
    world, longest = world_of("online-retail"), 5
    settings = run_settings(max_length=longest, batch_size=60, windows="all")
    batch = next(iter(batches_of(world.data, settings, "none", rng=generator(5, "order"))))
    assert len(set(batch.users_B.tolist())) < batch.sequences - 10
    targets = {user: items[1:] for user, items in world.train.items()}
    everywhere = laws.occurrences(targets.values(), world.data.catalogue_size)
    counts = catalogue_of(world.data, longest, windows="all").target_counts
    assert counts.tolist() == everywhere.tolist()
    drawn, place = InBatch(25, counts=counts, per=per).sample(batch, rng=generator(1, "negatives")), 0
    ends = batch.inputs.offsets.tolist()
    for sequence, user in enumerate(batch.users_B.tolist()):
        law = laws.given(laws.in_batch(everywhere, targets[user]), set())
        for _ in range(ends[sequence], ends[sequence + 1]):
            ids = drawn.ids if per == "batch" else drawn.ids[sequence if per == "sequence" else place]
            log_q = drawn.log_q[place if per == "position" else sequence]
            for column, (item, mine) in enumerate(zip(ids.tolist(), log_q.tolist(), strict=True)):
                own = drawn.owner is not None and int(drawn.owner[column]) == user
                assert mine == (-math.inf if own or not item else pytest.approx(math.log(law[item]), abs=1e-5))
            place += 1
