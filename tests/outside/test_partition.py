"""What is estimated with log q: the sum over all that may be a negative, on batches of real users."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from one_step import Still, Watched
from real_batches import LONGEST, Taste, real_batch, targets_of
from slow import laws

from negsample import build_method, catalogue_of, generator, negative_settings, run_settings
from negsample.batches.epochs import batches_of
from negsample.training.inputs import propose
from negsample.training.step import step


def corrected(world, settings, warmth=0.0, **how):
    """What corrected-log-q makes of a real batch: the batch, the proposal and the corrected scores."""
    method = build_method("corrected-log-q", catalogue_of(world.data, LONGEST), settings)
    watched, rng = Watched(method.miner), generator(2, "negatives")
    batch = replace(real_batch(world), exclude=method.exclude)
    proposed = propose(method, batch, rng=rng)
    model = Taste(world.data.catalogue_size, warmth)
    step(
        model,
        method._replace(miner=watched),
        batch,
        Still(),
        negatives_rng=rng,
        dropout_rng=rng,
        negatives=proposed,
    )
    return batch, proposed, watched.gave.neg_TK


@pytest.mark.parametrize("policy", ["none", "target", "history"])
@pytest.mark.parametrize("per", ["batch", "sequence", "position"])
def test_corrected_negatives_count_the_allowed_items(world_of, per, policy):
    """With all scores 0 each is ``-log(m q')``, ``q'`` the law of what may be a negative, m how many there are."""
    world = world_of("online-retail")
    settings = negative_settings("corrected-log-q", {"draws_per": per, "exclude": policy, "in_batch_negatives": 30})
    batch, proposed, scores = corrected(world, settings)
    targets, train, place = targets_of(world), world.train, 0
    everywhere = laws.occurrences(targets.values(), world.data.catalogue_size)
    for sequence, user in enumerate(batch.users_B.tolist()):
        weights = laws.in_batch(everywhere, targets[user])
        for target in targets[user]:
            barred = {"none": set(), "target": {target}, "history": set(train[user])}[policy]
            law = laws.given(weights, barred)
            ids = proposed.ids
            ids = ids if ids.dim() == 1 else ids[{"sequence": sequence, "position": place}[per]]
            mine = scores[place]
            there = torch.isfinite(mine)
            q = law[ids[there].numpy()]
            assert (q > 0).all()
            expected = -np.log(int(there.sum()) * q)
            np.testing.assert_allclose(mine[there].detach().numpy(), expected, atol=2e-5)
            place += 1


EVERYTHING = {"sampled-softmax-log-q", "log-uniform", "mixed-log-q", "xir"}
"""Whose proposals can give any item."""
IN_BATCH = {"in-batch-log-q", "corrected-log-q", "cross-batch"}


def partition_ratios(world, names, batches, *, warmth=3.0, size=64, every=8, **changes):
    """By method and batch, the mean over some of its positions of the estimated over the true sum of negatives."""
    data, items, targets, train = world.data, world.data.catalogue_size, targets_of(world), world.train
    model, rng = Taste(items, warmth), generator(2, "negatives")
    everywhere, table = laws.occurrences(targets.values(), items), model.table.weight.detach().double().numpy()
    methods, order = {}, generator(3, "order")
    for name in names:
        settings = negative_settings(name, {"warm_up": 1, "cache_size": 60_000, **changes})
        method = build_method(name, catalogue_of(data, LONGEST), settings)
        methods[name] = method._replace(miner=Watched(method.miner))
    policy = next(iter(methods.values())).exclude
    settings, found = run_settings(max_length=LONGEST, batch_size=size), {name: [] for name in names}
    epochs = (batch for _ in range(1000) for batch in batches_of(data, settings, policy, rng=order))
    for number, batch in zip(range(batches + 3), epochs, strict=False):
        for method in methods.values():
            chance = {"negatives_rng": rng, "dropout_rng": rng, "negatives": propose(method, batch, rng=rng)}
            step(model, method, batch, Still(), **chance)
        if number < 3:
            continue  # banks are filled
        with torch.no_grad():
            states = model(model.table.lookup(batch.inputs.items_T)[0], batch.inputs).double().numpy()
        ratios, place = {name: [] for name in names}, 0
        estimates = {
            name: torch.exp(method.miner.gave.neg_TK.detach().double()).sum(1).numpy()
            for name, method in methods.items()
        }
        for user in batch.users_B.tolist():
            laws_of = {True: np.ones(items + 1), False: laws.in_batch(everywhere, targets[user])}
            laws_of[True][0] = 0
            for target in targets[user]:
                if place % every == 0:
                    barred = {"none": set(), "target": {target}, "history": set(train[user])}[policy]
                    scores = table @ states[place]
                    true = {kind: laws.partition(scores, law, barred) for kind, law in laws_of.items()}
                    for name in names:
                        ratios[name].append(estimates[name][place] / true[name in EVERYTHING])
                place += 1
        for name in names:
            found[name].append(np.mean(ratios[name]))
    return found


def test_estimates_add_up_to_the_partition(log, world_of):
    """For every method that corrects by log q, within 5 % in the mean over real batches."""
    found = partition_ratios(world_of(log), sorted(EVERYTHING | IN_BATCH), 24)
    means = {name: float(np.mean(ratios)) for name, ratios in found.items()}
    assert all(0.95 < mean < 1.05 for mean in means.values()), means


@pytest.mark.parametrize("policy", ["target", "history"])
@pytest.mark.parametrize("per", ["sequence", "position"])
def test_estimates_by_who_shares_a_draw(world_of, per, policy):
    names = ["sampled-softmax-log-q", "log-uniform", "in-batch-log-q", "corrected-log-q", "mixed-log-q"]
    draws = dict.fromkeys(("in_batch_negatives", "random_negatives", "log_uniform_negatives"), 64)
    world = world_of("online-retail")
    found = partition_ratios(world, names, 16, draws_per=per, exclude=policy, size=24, warmth=2.5, **draws)
    means = {name: float(np.mean(ratios)) for name, ratios in found.items()}
    assert all(0.95 < mean < 1.05 for mean in means.values()), means


def test_what_a_wrong_law_would_give(world_of):
    """The share of all targets as the law of a batch that holds the user's own: what the tests above would not take."""
    world = world_of("online-retail")
    targets, table = targets_of(world), Taste(world.data.catalogue_size, 1.0).table.weight.detach().double().numpy()
    everywhere = laws.occurrences(targets.values(), world.data.catalogue_size)
    chance, ratios = np.random.default_rng(1), []
    for user in sorted(targets)[:20]:
        others = chance.choice([each for each in targets if each != user], 15, replace=False)
        pool = [item for each in [user, *others] for item in targets[each]]
        state = 3.0 * table[targets[user][-10:]].sum(0)
        scores, law = table @ state, laws.given(everywhere, set())
        target = targets[user][-1]
        estimate = np.mean([np.exp(scores[item]) / law[item] if item != target else 0.0 for item in pool])
        ratios.append(estimate / laws.partition(scores, everywhere, {target}))
    assert np.mean(ratios) > 1.2
