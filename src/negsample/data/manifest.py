"""What a prepared dataset says of itself: its fingerprint and the counts of its events."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.config import InputError, PrepareSettings
from negsample.data import blocks
from negsample.data.popularity import COHORTS, cohorts, median_percent, users_of_items
from negsample.data.split import TEST, TRAIN, VALID

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
    """The counts of a dataset, from its arrays (see :class:`~negsample.data.sequences.Dataset`).

    ``trained_users`` have two train events or more. ``cold_*``: items in no train event, and the events on
    them. ``*_without_history``: events of users with none in an earlier part. ``tie_share``: share of the
    events that share user and time with another. Per cohort: ``item_share`` is a fraction, ``mpu`` in %,
    ``test_events`` counts all of them.
    """
    times, offsets, counts = arrays["times"], arrays["offsets"], arrays["train_counts"]
    train_ends, valid_ends = arrays["train_ends"], arrays["valid_ends"]
    train, valid, test = train_ends - offsets[:-1], valid_ends - train_ends, offsets[1:] - valid_ends
    sizes_UP = np.stack([train, valid, test], 1)
    tied, cold_valid, cold_test = 0, 0, 0
    having, tested = np.zeros(len(counts), np.int64), np.zeros(len(counts), np.int64)
    for first, last in blocks.user_blocks(offsets, blocks.BLOCK):
        items, moments = (arrays[name][offsets[first] : offsets[last]] for name in ("items", "times"))
        sizes = sizes_UP[first:last]
        users = np.repeat(np.arange(last - first), sizes.sum(1))
        part = np.repeat(np.tile(np.array([TRAIN, VALID, TEST], np.int8), last - first), sizes.ravel())
        same = (np.diff(moments) == 0) & (np.diff(users) == 0)
        tied += int((np.append(same, False) | np.append(False, same)).sum())
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
        "tie_share": tied / len(times),
        "first_time": iso(int(times.min())),
        "last_time": iso(int(times.max())),
        "cohorts": _cohort_facts(counts, tested, having, int((train > 0).sum())),
    }


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
