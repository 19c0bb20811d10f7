"""What both sides are told of a log."""

from __future__ import annotations

from typing import NamedTuple

from slow import split

from negsample import Dataset


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
