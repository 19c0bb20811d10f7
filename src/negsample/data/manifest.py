"""What a prepared dataset says of itself: its fingerprint and the counts of its events."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.popularity import COHORTS, cohorts, median_percent, users_of_items
from negsample.data.split import TEST, TRAIN, VALID
from negsample.errors import InputError
from negsample.settings import History, PrepareSettings

HISTORIES: tuple[str, ...] = get_args(History)
_MANY_USERS, _LARGE = 20, 0.1  # share of the events that no one user of so many has
Arrays = Mapping[str, NDArray[np.signedinteger[Any]]]
Counts = NDArray[np.signedinteger[Any]]


def content_fingerprint(arrays: Arrays, user_ids: pl.Series, item_ids: pl.Series) -> str:
    """12 hex digits of the SHA-256 over the arrays and the log's ids; the same wherever they lie."""
    digest = hashlib.sha256()
    for name, array in arrays.items():
        digest.update(f"{name}:{array.dtype.str}:{len(array)};".encode())
        digest.update(np.ascontiguousarray(array).data)
    for ids in (user_ids, item_ids):
        digest.update(f"{ids.dtype}:{len(ids)};".encode())
        if ids.dtype == pl.String:
            digest.update(ids.str.len_bytes().to_numpy().data)
            for some in ids.to_frame().iter_slices(blocks.BLOCK):
                digest.update(some.to_series().str.join("").item().encode())
        else:
            digest.update(ids.to_numpy().data)
    return digest.hexdigest()[:12]


def describe_events(arrays: Arrays) -> dict[str, Any]:
    """The counts of a dataset, from its arrays (see :class:`~negsample.data.dataset.Dataset`).

    ``trained_users`` have two train events or more. ``cold_*``: items in no train event, and the events on
    them. ``*_without_history``: events of users with none in an earlier part. ``tie_share``: share of the
    events that share user and time with another. ``duplicate_events``: those whose user, item and time another one
    before them has. ``repeat_test_events``: test events of users with a history that has the item already, by what a
    model knows of them: what was before the test part (``frozen``), before the moment of the event (``rolling``), or
    before it in the order of rows (``rolling-basket``). Per cohort: ``item_share`` is a fraction, ``mpu`` in %,
    ``test_events`` counts all of them.
    """
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
        "cohorts": _cohort_facts(counts, tested, having, int((train > 0).sum())),
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


def _cohort_facts(counts: Counts, tested: Counts, having: Counts, everyone: int) -> dict[str, dict[str, Any]]:
    cohort = cohorts(counts)
    mpu = median_percent(having, everyone, cohort)
    return {
        name: {
            "items": int((cohort == which).sum()),
            "item_share": float((cohort[1:] == which).mean()),
            "train_events": int(counts[cohort == which].sum()),
            "mpu": mpu[name],
            "test_events": int(tested[cohort == which].sum()),
        }
        for which, name in enumerate(COHORTS)
    }


def duplicates_note(manifest: Mapping[str, Any]) -> list[str]:
    """What is said of exact duplicates, if there are any."""
    count, events = manifest["duplicate_events"], manifest["events"]
    if not count:
        return []
    share = f"{100 * count / events:.2g}" if count < events / 10 else f"{100 * count / events:.0f}"
    return [
        f"{count:,} of {events:,} events ({share} %) are exact duplicates of another (user, item, time) and count as "
        f"events of their own; where they are no true repeats, leave them out of the log."
    ]


def largest_note(offsets: Counts, user_ids: pl.Series) -> list[str]:
    """What is said of a user with so many events that they may be what is written where nobody is known."""
    sizes = np.diff(offsets)
    most = int(sizes.argmax())
    if len(sizes) < _MANY_USERS or sizes[most] < _LARGE * offsets[-1]:
        return []
    return [
        f"User {user_ids[most]!r} has {100 * sizes[most] / offsets[-1]:.0f} % of the events; if it stands where nobody "
        f"is known, leave its rows out of the log."
    ]


def iso(microseconds: int) -> str:
    """The moment as ISO text, UTC, to the second."""
    return str(np.datetime64(microseconds, "us").astype("datetime64[s]"))


def refuse_useless(manifest: Mapping[str, Any], settings: PrepareSettings) -> None:
    """Refuses a dataset that leaves nothing to train on, to choose by or to measure on.

    Raises:
        InputError: which of them, in numbers, and what to change.
    """
    if not manifest["trained_users"]:
        raise InputError(
            f"nothing to train on: none of the {manifest['users']:,} users has two events before "
            f"{manifest['valid_start']}, where validation starts; use a longer log, or smaller fractions "
            f"than {settings.valid_fraction:g} for validation and {settings.test_fraction:g} for test"
        )
    _refuse_unmeasurable(manifest, settings.valid_fraction, "valid", "choose the best epoch by", "a train event")
    _refuse_unmeasurable(manifest, settings.test_fraction, "test", "measure on", "an earlier event")


def _refuse_unmeasurable(manifest: Mapping[str, Any], fraction: float, part: str, purpose: str, before: str) -> None:
    events, lost = manifest[f"{part}_events"], manifest[f"{part}_events_without_history"]
    if events == lost:
        dropped = manifest["dropped_cold_events"]
        cold = f" after {dropped:,} events on cold items were dropped" if dropped else ""
        raise InputError(
            f"nothing to {purpose}: none of the {events:,} {part} events "
            f"(from {manifest[f'{part}_start']}{cold}) is of a user with {before}; "
            f"use a longer log, or a larger {part}_fraction than {fraction:g}"
        )
