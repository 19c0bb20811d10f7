"""The counts of a dataset's events, for its manifest; what is remarkable about them, and what makes it useless."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.fingerprint import Arrays
from negsample.data.log.times import iso
from negsample.data.manifest import Cohort, Manifest
from negsample.data.popularity import COHORTS, cohorts, median_percent, users_of_items
from negsample.data.split import TEST, TRAIN, VALID
from negsample.errors import InputError
from negsample.settings import History

HISTORIES: tuple[str, ...] = get_args(History)
_MANY_USERS, _LARGE = 20, 0.1  # of so many users none should have such a share of the events
Counts = NDArray[np.signedinteger[Any]]


def count_events(arrays: Arrays) -> dict[str, Any]:
    """The counts of a :class:`~negsample.data.manifest.Manifest`, from the arrays of a dataset."""
    times, offsets, counts = arrays["times"], arrays["offsets"], arrays["train_counts"]
    train_ends, valid_ends = arrays["train_ends"], arrays["valid_ends"]
    train, valid, test = train_ends - offsets[:-1], valid_ends - train_ends, offsets[1:] - valid_ends
    sizes_UP = np.stack([train, valid, test], 1)
    tied, duplicates, cold_valid, cold_test = 0, 0, 0, 0
    repeats = np.zeros(len(HISTORIES), np.int64)
    having, tested = np.zeros(len(counts), np.int64), np.zeros(len(counts), np.int64)
    for first, last in blocks.user_blocks(offsets, blocks.BLOCK):
        items, moments = (arrays[name][offsets[first] : offsets[last]] for name in ("items", "times"))
        sizes = sizes_UP[first:last]
        users = np.repeat(np.arange(last - first), sizes.sum(1))
        part = np.repeat(np.tile(np.array([TRAIN, VALID, TEST], np.int8), last - first), sizes.ravel())
        same = (np.diff(moments) == 0) & (np.diff(users) == 0)
        ties = np.append(same, False) | np.append(False, same)
        tied += int(ties.sum())
        duplicates += _duplicates(users[ties], items[ties], moments[ties])
        repeats += _repeats(users, items, moments, part, len(counts))
        cold = (counts == 0)[items]
        cold_valid += int((cold & (part == VALID)).sum())
        cold_test += int((cold & (part == TEST)).sum())
        np.add.at(tested, items[part == TEST], 1)
        having += users_of_items(users[part == TRAIN], items[part == TRAIN], len(counts))
    return {
        "users": len(train),
        "items": len(counts) - 1,
        "events": len(times),
        "train_events": int(train.sum()),
        "valid_events": int(valid.sum()),
        "test_events": int(test.sum()),
        "trained_users": int((train >= 2).sum()),
        "cold_items": int((counts[1:] == 0).sum()),
        "cold_valid_events": cold_valid,
        "cold_test_events": cold_test,
        "valid_events_without_history": int(valid[train == 0].sum()),
        "test_events_without_history": int(test[train + valid == 0].sum()),
        "repeat_test_events": dict(zip(HISTORIES, repeats.tolist(), strict=True)),
        "tie_share": tied / len(times),
        "duplicate_events": duplicates,
        "first_time": iso(int(times.min())),
        "last_time": iso(int(times.max())),
        "cohorts": _cohorts(counts, tested, having, int((train > 0).sum())),
    }


def _duplicates(users: Counts, items: Counts, moments: Counts) -> int:
    """How many of these events are another one over again."""
    order = np.lexsort((items, moments, users))
    alike = [np.diff(column[order]) == 0 for column in (users, items, moments)]
    return int(np.logical_and.reduce(alike).sum())


def _repeats(users: Counts, items: Counts, moments: Counts, part: NDArray[np.int8], width: int) -> Counts:
    """(3,) measured test events on items that their user had before the test part, before the moment of the event,
    and before the event."""
    tested = np.isin(users, users[part == TEST])
    users, moments, test = users[tested], moments[tested], part[tested] == TEST
    keys = users.astype(np.int64) * width + items[tested]
    measured = np.isin(users[test], users[~test])  # of users without history nothing is
    _, first, of_first = np.unique(keys, return_index=True, return_inverse=True)
    first = first[of_first]
    found = [~test[first], moments[first] < moments, first < np.arange(len(keys))]
    return np.array([(each[test] & measured).sum() for each in found])


def _cohorts(counts: Counts, tested: Counts, having: Counts, everyone: int) -> dict[str, Cohort]:
    cohort = cohorts(counts)
    mpu = median_percent(having, everyone, cohort)
    return {
        name: Cohort(
            items=int((cohort == which).sum()),
            item_share=float((cohort[1:] == which).mean()),
            train_events=int(counts[cohort == which].sum()),
            mpu=mpu[name],
            test_events=int(tested[cohort == which].sum()),
        )
        for which, name in enumerate(COHORTS)
    }


def duplicates_note(duplicates: int, events: int) -> list[str]:
    """A note on exact duplicates, if there are any."""
    if not duplicates:
        return []
    share = f"{100 * duplicates / events:.2g}" if duplicates < events / 10 else f"{100 * duplicates / events:.0f}"
    return [
        f"{duplicates:,} of {events:,} events ({share} %) are exact duplicates of another (user, item, time) and count "
        f"as events of their own; where they are no true repeats, leave them out of the log."
    ]


def largest_user_note(offsets: Counts, user_ids: pl.Series) -> list[str]:
    """A note on a user with so many events that the id may stand for users who are not known."""
    sizes = np.diff(offsets)
    most = int(sizes.argmax())
    if len(sizes) < _MANY_USERS or sizes[most] < _LARGE * offsets[-1]:
        return []
    return [
        f"User {user_ids[most]!r} has {100 * sizes[most] / offsets[-1]:.0f} % of the events; if this id stands for "
        f"users who are not known, leave its rows out of the log."
    ]


def check_useful(made: Manifest) -> None:
    """Refuses a dataset that leaves nothing to train on, to select the best epoch by, or to measure on.

    Raises:
        InputError: which of them, in numbers, and what to change.
    """
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
