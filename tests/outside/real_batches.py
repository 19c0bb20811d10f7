"""Batches of whole sequences of real users, and a model with taste to score them."""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from slow import split
from torch import nn

from negsample import generator, run_settings
from negsample.batches.epochs import batches_of
from negsample.models.item_table import ItemTable

LONGEST, DIM = 20, 64


def targets_of(world, longest=LONGEST):
    """Training targets of each user who has any."""
    trained = {user: split.training(events, longest) for user, events in enumerate(world.events)}
    return {user: each[1] for user, each in trained.items() if each}


def real_batch(world, size=8, policy="target"):
    settings = run_settings(max_length=LONGEST, batch_size=size)
    return next(iter(batches_of(world.data, settings, policy, rng=generator(5, "order"))))


class Taste(nn.Module):
    """A model that likes what is like the latest ten items: own items score high, as in one that has learned."""

    def __init__(self, items, warmth):
        super().__init__()
        self.table, self.max_length, self.warmth = ItemTable(items, DIM, rng=generator(1, "init")), LONGEST, warmth
        with torch.no_grad():
            self.table.weight *= 50 / math.sqrt(DIM)  # of length one, about

    def forward(self, vectors_TD, packed, rng=None):
        states = []
        for first, last in pairwise(packed.offsets.tolist()):
            latest_ten = torch.ones(last - first, last - first).tril().triu(-9)
            states.append(self.warmth * latest_ten @ vectors_TD[first:last])
        return torch.cat(states)
