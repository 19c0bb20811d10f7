"""Synthetic logs in the shapes of the paper's three datasets: as many items, histories as long, and few users.

What a step takes depends on the batch, on the lengths and on the catalogue, and not on how many users there are. So an
epoch has a dozen steps. Who has what is chance, and nothing is to be learned from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from negsample import Dataset, PrepareSettings, prepare

HOUR = 3_600


class Shape(NamedTuple):
    """A dataset: its users, items and events."""

    users: int
    items: int
    events: int

    @property
    def length(self) -> float:
        """Events of a user, on average."""
        return self.events / self.users


SHAPES = {
    "movielens-10m": Shape(69_878, 10_677, 10_000_054),
    "amazon-beauty": Shape(52_024, 57_289, 394_908),
    "retailrocket": Shape(150_000, 40_000, 700_000),
}
"""The first two as docs/datasets.md has them. How many sessions and items the paper's RetailRocket has was not
published: these are assumed."""


def made(name: str, users: int, folder: Path, *, smaller: int = 1) -> Dataset:
    """A dataset in the shape ``name`` with so many ``users``, prepared in ``folder``.

    One user more has every item once, before all others' events: so the catalogue is whole.

    Args:
        name: of :data:`SHAPES`.
        users: beside that one.
        folder: for prepared datasets.
        smaller: so many times fewer items.
    """
    shape, chance = SHAPES[name], np.random.default_rng(0)
    items = shape.items // smaller
    lengths = np.maximum(2, chance.lognormal(np.log(shape.length) - 0.5, 1.0, users).astype(int))
    user = np.concatenate([np.zeros(items, int), 1 + np.repeat(np.arange(users), lengths)])
    item = np.concatenate([np.arange(items), (items ** chance.random(lengths.sum())).astype(int)])
    hours = np.concatenate([np.sort(chance.integers(0, 1_000, items)), chance.integers(1_000, 20_000, lengths.sum())])
    frame = pl.DataFrame({"user": user, "item": item, "time": 1_500_000_000 + HOUR * hours})
    return prepare(frame, PrepareSettings(valid_fraction=0.05, test_fraction=0.05), folder / f"{name}-{users}")
