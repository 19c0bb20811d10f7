"""What may be wrong with a prepared dataset: notes on it, and a refusal where nothing can be trained or measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data.manifest import Manifest
from negsample.errors import InputError

_MANY_USERS, _LARGE = 20, 0.1  # of so many users none should have such a share of the events


def notes_on_events(duplicates: int, offsets: NDArray[np.signedinteger[Any]], user_ids: pl.Series) -> list[str]:
    """Notes on exact duplicates, and on a user with so many events that the id may stand for several."""
    notes, events, sizes = [], int(offsets[-1]), np.diff(offsets)
    if duplicates:
        share = f"{100 * duplicates / events:.2g}" if duplicates < events / 10 else f"{100 * duplicates / events:.0f}"
        notes.append(
            f"{duplicates:,} of {events:,} events ({share} %) are exact duplicates of another (user, item, time) and "
            f"count as events of their own; where they are no true repeats, leave them out of the log."
        )
    most = int(sizes.argmax())
    if len(sizes) >= _MANY_USERS and sizes[most] >= _LARGE * events:
        notes.append(
            f"User {user_ids[most]!r} has {100 * sizes[most] / events:.0f} % of the events; if this id stands for "
            f"users who are not known, leave its rows out of the log."
        )
    return notes


def check_useful(made: Manifest) -> None:
    """Refuses a dataset that leaves nothing to train on, to select the best epoch by, or to measure on."""
    shares = made.settings
    if not made.trained_users:
        raise InputError(
            f"nothing to train on: none of the {made.users:,} users has two events before "
            f"{made.valid_start}, where validation starts; use a longer log, or smaller fractions "
            f"than {shares.valid_fraction:g} for validation and {shares.test_fraction:g} for test"
        )
    for part, purpose, before in (
        ("valid", "select the best epoch by", "a train event"),
        ("test", "measure on", "an earlier event"),
    ):
        events = getattr(made, f"{part}_events")
        if events == getattr(made, f"{part}_events_without_history"):
            dropped = made.dropped_cold_events
            cold = f" after {dropped:,} events on cold items were dropped" if dropped else ""
            raise InputError(
                f"nothing to {purpose}: none of the {events:,} {part} events "
                f"(from {getattr(made, f'{part}_start')}{cold}) is of a user with {before}; "
                f"use a longer log, or a larger {part}_fraction than {getattr(shares, f'{part}_fraction'):g}"
            )
