"""The counts of a dataset's events, for its manifest, and what they say against it: notes, or a refusal."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.arrays import Arrays
from negsample.data.log.times import iso
from negsample.data.manifest import CohortFacts, Manifest
from negsample.data.popularity import COHORTS, cohorts, median_percent, users_of_items
from negsample.data.split import TEST, TRAIN, VALID
from negsample.errors import InputError
from negsample.settings import BY_SHARES, History

HISTORIES: tuple[str, ...] = get_args(History)
WITH_MUCH = "Users with much of"
"""How a note begins that names users."""
_MANY_USERS, _LARGE = 20, 0.05  # of so many users none should have such a share of the events
Counts = NDArray[np.signedinteger[Any]]


def count_events(arrays: Arrays, has_times: bool) -> dict[str, Any]:
    """The counts of a :class:`~negsample.data.manifest.Manifest`, from the arrays of a dataset."""
    times, offsets, counts = arrays["times"], arrays["offsets"], arrays["train_counts"]
    ends = (offsets[:-1], arrays["train_ends"], arrays["valid_ends"], offsets[1:])
    sizes_UP = np.diff(np.stack(ends, 1), axis=1)
    train, valid, test = sizes_UP.T
    sums: dict[str, Any] = {}
    for first, last in blocks.user_blocks(offsets, blocks.BLOCK):
        items, moments = (arrays[name][offsets[first] : offsets[last]] for name in ("items", "times"))
        for name, count in _sums(items, moments, sizes_UP[first:last], counts).items():
            sums[name] = sums.get(name, 0) + count
    return {
        "users": len(train),
        "items": len(counts) - 1,
        "events": len(times),
        "train_events": int(train.sum()),
        "valid_events": int(valid.sum()),
        "test_events": int(test.sum()),
        "trained_users": int((train >= 2).sum()),
        "cold_items": int((counts[1:] == 0).sum()),
        "cold_valid_events": sums["cold_valid"],
        "cold_test_events": sums["cold_test"],
        "valid_events_without_history": int(valid[train == 0].sum()),
        "test_events_without_history": int(test[train + valid == 0].sum()),
        "repeat_test_events": dict(zip(HISTORIES, sums["repeats"].tolist(), strict=True)),
        "tie_share": sums["tied"] / len(times),
        "duplicate_events": sums["duplicates"],
        "first_time": iso(int(times.min())) if has_times else None,
        "last_time": iso(int(times.max())) if has_times else None,
        "cohorts": _cohorts(counts, sums, int((train > 0).sum())),
    }


def _sums(items: Counts, moments: Counts, sizes_UP: Counts, counts: Counts) -> dict[str, Any]:
    """Of some users' events: counts that add up over the users."""
    users = np.repeat(np.arange(len(sizes_UP)), sizes_UP.sum(1))
    part = np.repeat(np.tile(np.array([TRAIN, VALID, TEST], np.int8), len(sizes_UP)), sizes_UP.ravel())
    same = (np.diff(moments) == 0) & (np.diff(users) == 0)
    ties = np.append(same, False) | np.append(False, same)
    train, test = part == TRAIN, part == TEST
    cold = (counts == 0)[items]
    tied = pl.DataFrame([np.asarray(column[ties]) for column in (users, items, moments)])
    return {
        "tied": len(tied),
        "duplicates": len(tied) - tied.n_unique(),
        "repeats": _repeats(users, items, moments, part, len(counts)),
        "cold_valid": int((cold & (part == VALID)).sum()),
        "cold_test": int((cold & test).sum()),
        "train_of_item": np.bincount(items[train], minlength=len(counts)),
        "test_of_item": np.bincount(items[test], minlength=len(counts)),
        "users_of_item": users_of_items(users[train], items[train], len(counts)),
    }


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


def _cohorts(counts: Counts, sums: dict[str, Any], users: int) -> dict[str, CohortFacts]:
    cohort = cohorts(counts)
    mpu = median_percent(sums["users_of_item"], users, cohort)
    return {
        name: CohortFacts(
            items=int((cohort == which).sum()),
            item_share=float((cohort[1:] == which).mean()),
            train_events=int(sums["train_of_item"][cohort == which].sum()),
            mpu=mpu[name],
            test_events=int(sums["test_of_item"][cohort == which].sum()),
        )
        for which, name in enumerate(COHORTS)
    }


def notes_on_events(duplicates: int, arrays: Arrays, user_ids: pl.Series) -> list[str]:
    """Notes on exact duplicates, and on users who have much of all events, or of those of the test part."""
    offsets, valid_ends = np.asarray(arrays["offsets"]), np.asarray(arrays["valid_ends"])
    notes, events = [], int(offsets[-1])
    if duplicates:
        share = f"{100 * duplicates / events:.2g}" if duplicates < events / 10 else f"{100 * duplicates / events:.0f}"
        notes.append(
            f"{duplicates:,} of {events:,} events ({share} %) are exact duplicates of another (user, item, time) and "
            f"count as events of their own; --drop-duplicates leaves them out."
        )
    if large := _large(np.diff(offsets), user_ids):
        notes.append(
            f"{WITH_MUCH} all events: {large}; if an id stands for users who are not known, or for a machine, "
            f"leave its rows out (--where)."
        )
    if large := _large(offsets[1:] - valid_ends, user_ids):
        notes.append(f"{WITH_MUCH} the test events, and of every figure over events: {large}.")
    return notes


def _large(sizes: Counts, user_ids: pl.Series) -> str:
    """Whose events are more than a twentieth of all, and more than twice the mean of those who have any, with their
    shares, the largest first. Nobody in a log of fewer than ``_MANY_USERS``."""
    events, users = int(sizes.sum()), int((sizes > 0).sum())
    found = (
        np.flatnonzero(sizes > max(_LARGE, 2 / users) * events) if len(sizes) >= _MANY_USERS and users else sizes[:0]
    )
    found = found[np.argsort(-sizes[found], kind="stable")]
    return ", ".join(f"{user_ids[int(user)]!r} ({100 * sizes[user] / events:.0f} %)" for user in found)


def check_useful(made: Manifest) -> None:
    """Refuses a dataset that leaves nothing to train on, to select the best epoch by, or to measure on."""
    shares, by_shares = made.settings, made.settings.split in BY_SHARES
    if not made.trained_users:
        before = f" before {made.valid_start}, where validation starts" if made.valid_start else " in train"
        smaller = f"than {shares.valid_fraction:g} for validation and {shares.test_fraction:g} for test"
        raise InputError(
            f"nothing to train on: none of the {made.users:,} users has two events{before}; use a longer log"
            + (f", or smaller fractions {smaller}" if by_shares else "")
        )
    for part, purpose, before in (
        ("valid", "select the best epoch by", "a train event"),
        ("test", "measure on", "an earlier event"),
    ):
        events = getattr(made, f"{part}_events")
        if events == getattr(made, f"{part}_events_without_history"):
            dropped = made.dropped_cold_events
            start = getattr(made, f"{part}_start")
            said = [f"from {start}"] if start else []
            said += [f"after {dropped:,} events on cold items were dropped"] if dropped else []
            which = f" ({' '.join(said)})" if said else ""
            raise InputError(
                f"nothing to {purpose}: none of the {events:,} {part} events{which} is of a user with {before}; use a "
                f"longer log"
                + (f", or a larger {part}_fraction than {getattr(shares, f'{part}_fraction'):g}" if by_shares else "")
            )
