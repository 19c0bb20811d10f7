"""What both sides are told of a log, and what the slow side makes of a model there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from slow import cohorts, figures, models, split
from torch import Tensor

from negsample import Dataset

PARTS = {"valid": split.VALID, "test": split.TEST}


class World(NamedTuple):
    """A log on both sides.

    ``data``: as the product prepared it. ``events``: of each of its users, by the number that the product gave him,
    with the product's ids for items, as the slow side splits them.
    """

    name: str
    data: Dataset
    events: list[list[split.Event]]

    @property
    def train(self) -> dict[int, list[int]]:
        """Train items of each user."""
        return {user: split.of_part(events, split.TRAIN) for user, events in enumerate(self.events)}


def ranked(
    world: World,
    weights: Mapping[str, Tensor],
    part: str,
    longest: int,
    rule: str = "frozen",
    *,
    filter_seen: bool = False,
    shift: Any = 0.0,
) -> tuple[list[figures.Event], list[list[int]]]:
    """Events with their ranks, and the orders of the catalogue, one a history that is asked for: SASRec, one block."""
    items = weights["table.weight"].numpy()
    score_of: dict[Any, figures.Floats] = {}
    events, orders = [], []
    for user, each in enumerate(world.events):
        for place, (seen, target, known) in enumerate(split.measured(each, PARTS[part], rule, longest)):
            moment = [event.time for event in each if event.part == PARTS[part]][place]
            query = {"frozen": user, "rolling": (user, moment), "rolling-basket": (user, place)}[rule]
            left_out = known if filter_seen else set()
            if query not in score_of:
                with torch.no_grad():
                    state = models.sasrec(weights, seen, longest, blocks=1, heads=1)[-1].numpy()
                score_of[query] = figures.scores(state, items) + shift
                orders.append(figures.order(score_of[query], left_out))
            rank = figures.rank(score_of[query], target, left_out)
            events.append(figures.Event(target, rank, user, target in known))
    return events, orders


def all_figures(world: World, part: str, events: list[figures.Event], orders: list[list[int]]) -> dict[str, float]:
    """Of these events of ``part``, by the world's own counts."""
    items = world.data.catalogue_size
    count_of = cohorts.counts(world.train, items)
    known = {
        user: [each.item for each in events if each.part < PARTS[part]] for user, events in enumerate(world.events)
    }
    by_known = cohorts.cohorts(cohorts.counts(known, items))
    return figures.figures(events, count_of, cohorts.cohorts(count_of), by_known, orders)


def counts_of_targets(world: World, longest: int) -> list[int]:
    """(V + 1,) how often each item is a target of training."""
    found = [0] * (world.data.catalogue_size + 1)
    for events in world.events:
        for item in (split.training(events, longest) or ([], []))[1]:
            found[item] += 1
    return found
