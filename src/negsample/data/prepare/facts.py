"""The counts of a dataset's events, for its manifest, and what they say against it: notes, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.arrays import Arrays
from negsample.data.each import Each, total
from negsample.data.log.times import iso
from negsample.data.manifest import CohortFacts, Manifest
from negsample.data.popularity import COHORTS, cohorts, median_percent, users_of_items
from negsample.data.prepare.writing import Place
from negsample.data.split import TEST, TRAIN, VALID
from negsample.errors import InputError
from negsample.settings import BY_SHARES, History

HISTORIES: tuple[str, ...] = get_args(History)
WITH_MUCH = "Users with much of"
"""How a note begins that names users."""
_MANY_USERS, _LARGE = 20, 0.05  # of so many users none should have such a share of the events
Counts = NDArray[np.signedinteger[Any]]
Users = list[tuple[int, Any]]


class Facts(NamedTuple):
    """``counts``: those of a :class:`~negsample.data.manifest.Manifest`. ``with_much``: users who have much of all
    events, with how many of them, by id. ``with_much_test``: the same of the test events."""

    counts: dict[str, Any]
    with_much: Users
    with_much_test: Users


def count_events(arrays: Arrays, places: Sequence[Place], folder: Path, has_times: bool, each: Each) -> Facts:
    """What the events of a dataset come to, whose ``arrays`` are in ``folder``, the users' in ``places``."""
    sums = total(each(partial(_sums_of, folder), places))
    counts, events = arrays["train_counts"], len(arrays["times"])
    by_time = np.load(folder / "by_time_times.npy", mmap_mode="r")
    large = each(partial(_large, folder, (events, sums["users"]), (sums["test"], sums["tested_users"])), places)
    return Facts(
        {
            "users": sums["users"],
            "items": len(counts) - 1,
            "events": events,
            "train_events": sums["train"],
            "valid_events": sums["valid"],
            "test_events": sums["test"],
            "trained_users": sums["trained_users"],
            "cold_items": int((counts[1:] == 0).sum()),
            "cold_valid_events": sums["cold_valid"],
            "cold_test_events": sums["cold_test"],
            "valid_events_without_history": sums["valid_alone"],
            "test_events_without_history": sums["test_alone"],
            "repeat_test_events": dict(zip(HISTORIES, sums["repeats"].tolist(), strict=True)),
            "tie_share": sums["tied"] / events,
            "duplicate_events": sums["duplicates"],
            "first_time": iso(int(by_time[0])) if has_times else None,
            "last_time": iso(int(by_time[-1])) if has_times else None,
            "cohorts": _cohorts(counts, sums, sums["users_in_train"]),
        },
        *total(large),
    )


def _sums_of(folder: Path, place: Place) -> dict[str, Any]:
    """What the events of a piece add to sums over all events."""
    names = ("items", "times", "offsets", "train_ends", "valid_ends", "train_counts")
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}
    offsets, sizes_UP = _sizes(arrays, place)
    train, valid, test = sizes_UP.T
    sums: dict[str, Any] = {
        "users": place.users,
        "train": int(train.sum()),
        "valid": int(valid.sum()),
        "test": int(test.sum()),
        "trained_users": int((train >= 2).sum()),
        "users_in_train": int((train > 0).sum()),
        "tested_users": int((test > 0).sum()),
        "valid_alone": int(valid[train == 0].sum()),
        "test_alone": int(test[train + valid == 0].sum()),
    }
    found = _sums(arrays["items"][:0], arrays["times"][:0], sizes_UP[:0], arrays["train_counts"])
    for first, last in blocks.user_blocks(offsets, blocks.BLOCK):
        items, moments = (arrays[name][offsets[first] : offsets[last]] for name in ("items", "times"))
        found = total([found, _sums(items, moments, sizes_UP[first:last], arrays["train_counts"])])
    return sums | found


def _sizes(arrays: Mapping[str, Any], place: Place) -> tuple[Counts, Counts]:
    """(users + 1,) where the events of the users of a piece begin, and (users, 3) how many of each part there are."""
    users = slice(place.first_user, place.first_user + place.users)
    offsets = arrays["offsets"][users.start : users.stop + 1]
    ends = (offsets[:-1], arrays["train_ends"][users], arrays["valid_ends"][users], offsets[1:])
    return offsets, np.diff(np.stack(ends, 1), axis=1)


def _sums(items: Counts, moments: Counts, sizes_UP: Counts, counts: Counts) -> dict[str, Any]:
    """Of some users' events: counts that add up over the users."""
    users = np.repeat(np.arange(len(sizes_UP)), sizes_UP.sum(1))
    part = np.repeat(np.tile(np.array([TRAIN, VALID, TEST], np.int8), len(sizes_UP)), sizes_UP.ravel())
    same = (np.diff(moments) == 0) & (np.diff(users) == 0)
    ties = np.append(same, False) | np.append(False, same)
    ties = ties[: len(users)]
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


def notes_on_events(facts: Facts) -> list[str]:
    """Notes on exact duplicates, and on users who have much of all events, or of those of the test part."""
    notes, duplicates, events = [], facts.counts["duplicate_events"], facts.counts["events"]
    if duplicates:
        share = f"{100 * duplicates / events:.2g}" if duplicates < events / 10 else f"{100 * duplicates / events:.0f}"
        notes.append(
            f"{duplicates:,} of {events:,} events ({share} %) are exact duplicates of another (user, item, time) and "
            f"count as events of their own; --drop-duplicates leaves them out."
        )
    if facts.with_much:
        notes.append(
            f"{WITH_MUCH} all events: {_told(facts.with_much, events)}; if an id stands for users who are not known, "
            f"or for a machine, leave its rows out (--where)."
        )
    if facts.with_much_test:
        told = _told(facts.with_much_test, facts.counts["test_events"])
        notes.append(f"{WITH_MUCH} the test events, and of every figure over events: {told}.")
    return notes


def _large(folder: Path, every: tuple[int, int], test: tuple[int, int], place: Place) -> tuple[Users, Users]:
    """Of a piece whose events are more than a twentieth of ``every`` event, and more than twice the mean of those who
    have any, with how many; and the same of ``test`` events. Nobody in a log of fewer than ``_MANY_USERS``.

    ``every``, ``test``: how many events there are, and users who have any.
    """
    names = ("offsets", "train_ends", "valid_ends")
    _, sizes_UP = _sizes({name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in names}, place)
    found: list[Users] = []
    for sizes, (events, users) in ((sizes_UP.sum(1), every), (sizes_UP[:, 2], test)):
        least = max(_LARGE, 2 / users) * events if users and every[1] >= _MANY_USERS else events
        large: list[int] = np.flatnonzero(sizes > least).tolist()
        ids: Any = place.user_ids() if large else []
        found.append([(int(sizes[user]), ids[user]) for user in large])
    return found[0], found[1]


def _told(users: Users, events: int) -> str:
    """Users with their shares, the largest first."""
    ordered = sorted(users, key=lambda user: -user[0])
    return ", ".join(f"{user!r} ({100 * size / events:.0f} %)" for size, user in ordered)


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
