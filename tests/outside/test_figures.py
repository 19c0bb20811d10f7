"""Exact ranks and all figures of a real model on the test events of real logs, at every setting of the dial."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from slow import figures, split
from world import World, all_figures, counts_of_targets, ranked

from negsample import SASRec, catalogue_of, dials, evaluate, evaluate_by_dial, generator, log_shares, run_settings

LONGEST, DIM = 6, 4
SETTINGS = run_settings(max_length=LONGEST, dim=DIM, blocks=1)


def model_of(world, *, twins=False):
    """A SASRec in double precision, so that both sides have the same order; with ``twins`` items come in threes."""
    model = SASRec(world.data.catalogue_size, dim=DIM, max_length=LONGEST, blocks=1, rng=generator(4, "init")).double()
    chance = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for value in model.parameters():
            value += 0.5 * torch.randn(value.shape, generator=chance, dtype=value.dtype)
        if twins:
            model.table.weight[:] = model.table.weight[(torch.arange(len(model.table.weight)) - 1) // 3 * 3 + 1]
        model.table.weight[0] = 0
    return model


def slow(world, model, part, rule="frozen", **how):
    weights = {name: value.double() for name, value in model.state_dict().items()}
    return ranked(world, weights, part, LONGEST, rule, **how)


def same(found, expected, but=()):
    for name in set(expected) - set(but):
        assert found[name] == pytest.approx(expected[name], abs=1e-12, nan_ok=True), name


@pytest.mark.parametrize("part", ["valid", "test"])
def test_ranks_and_figures(log, world_of, part):
    world = world_of(log)
    model = model_of(world)
    events, orders = slow(world, model, part)
    found = evaluate(model, world.data, part, SETTINGS)
    assert found.ranks_E.tolist() == [event.rank for event in events]
    same(found.figures, all_figures(world, part, events, orders))
    if part == "test":
        assert found.figures["repeat_events"] == world.data.manifest.repeat_test_events["frozen"]


def test_ranks_of_items_that_tie(log, world_of):
    """Each vector is that of three items: a rank is a mean over its ties. Who is shown among equals is open."""
    world = world_of(log)
    model = model_of(world, twins=True)
    events, orders = slow(world, model, "test")
    found = evaluate(model, world.data, "test", SETTINGS)
    assert found.ranks_E.tolist() == [event.rank for event in events]
    assert sum(event.rank % 3 == 1 for event in events) > 0.5 * len(events)
    shown = [name for name in all_figures(world, "test", events, orders) if name.startswith(("coverage", "arp"))]
    same(found.figures, all_figures(world, "test", events, orders), but=shown)


@pytest.mark.parametrize("history", ["rolling", "rolling-basket"])
def test_rolling_histories(world_of, history):
    """What is strictly earlier than the event, or what stands before it in the file."""
    world = world_of("online-retail")
    model, settings = model_of(world), SETTINGS.replaced(history=history)
    events, orders = slow(world, model, "valid", history)
    found = evaluate(model, world.data, "valid", settings)
    assert found.ranks_E.tolist() == [event.rank for event in events]
    same(found.figures, all_figures(world, "valid", events, orders))


def test_seen_items_are_left_out_and_never_hit(log, world_of):
    world = world_of(log)
    model, settings = model_of(world), SETTINGS.replaced(filter_seen=True)
    events, orders = slow(world, model, "test", filter_seen=True)
    found = evaluate(model, world.data, "test", settings)
    for rank, event in zip(found.ranks_E.tolist(), events, strict=True):
        assert rank == event.rank or (math.isinf(event.rank) and rank > max(figures.CUTOFFS))
    same(found.figures, all_figures(world, "test", events, orders))


def test_the_dial(log, world_of):
    """Ranks by ``s + beta log p``, ``p`` an item's share of the training targets."""
    world = world_of(log)
    target_counts = counts_of_targets(world, LONGEST)
    product_counts = catalogue_of(world.data, LONGEST).target_counts
    assert product_counts.tolist() == target_counts
    log_p = figures.log_shares(target_counts)
    assert log_shares(product_counts)[1:].tolist() == pytest.approx(log_p[1:].tolist(), abs=1e-12)
    model, betas = model_of(world), (-0.75, 0.0, 1.0)
    found = evaluate_by_dial(model, world.data, "test", SETTINGS, dials(product_counts, betas))
    for beta, each in zip(betas, found, strict=True):
        events, orders = slow(world, model, "test", shift=beta * log_p)
        assert each.ranks_E.tolist() == [event.rank for event in events]
        same(each.figures, all_figures(world, "test", events, orders))


@pytest.mark.parametrize("history", ["frozen", "rolling"])
def test_a_repeat_is_no_hit_where_the_catalogue_is_hardly_larger_than_k(dataset_of, history):
    """Twelve items, of which up to eight are seen: whoever ranks the others is left with four."""
    chance = np.random.default_rng(3)
    users = []
    for _ in range(40):
        mine = (chance.integers(1, 13, 9)).tolist()
        users.append((mine[:6], mine[6:7], mine[7:] + mine[:2]))  # half of the test events are repeats for sure
    events, clock = [], 0
    for parts in users:
        rows = [(item, part) for part, items in enumerate(parts) for item in items]
        events.append([split.Event(item, clock + place, part) for place, (item, part) in enumerate(rows)])
        clock += len(rows)
    world = World("twelve items", dataset_of(users, 12), events)
    settings = SETTINGS.replaced(filter_seen=True, history=history)
    model = model_of(world)
    events, orders = slow(world, model, "test", history, filter_seen=True)
    assert sum(math.isinf(event.rank) for event in events) > 80
    same(evaluate(model, world.data, "test", settings).figures, all_figures(world, "test", events, orders))


def test_the_dial_where_seen_items_are_left_out_and_histories_grow(world_of):
    """All three at once: each event has its own history, its own seen items, and every setting its own order."""
    world = world_of("online-retail")
    settings = SETTINGS.replaced(filter_seen=True, history="rolling")
    grid = dials(catalogue_of(world.data, LONGEST).target_counts, (-0.5, 0.5))
    log_p = figures.log_shares(counts_of_targets(world, LONGEST))
    model = model_of(world)
    for beta, each in zip((-0.5, 0.5), evaluate_by_dial(model, world.data, "test", settings, grid), strict=True):
        events, orders = slow(world, model, "test", "rolling", filter_seen=True, shift=beta * log_p)
        assert any(math.isinf(event.rank) for event in events)
        same(each.figures, all_figures(world, "test", events, orders))
