"""A log becomes a prepared dataset: flat arrays and a manifest in a folder, written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.config import InputError, PrepareSettings
from negsample.data.log import Log
from negsample.data.manifest import content_fingerprint, describe_events, iso, refuse_useless
from negsample.data.parts import readable
from negsample.data.sequences import FORMAT, MANIFEST, Dataset, ids_path, is_prepared, open_dataset
from negsample.data.split import TEST, TRAIN, VALID, split_by_time
from negsample.runs import whole_folder, write_json

Ints = NDArray[np.int64]
_LARGEST = 2**31 - 1  # of an id


class Events(NamedTuple):
    """n rows in file order: ``users`` from 0, ``items`` from 1 (by sorted external id), and their part."""

    users: NDArray[np.int32]
    items: NDArray[np.int32]
    times: Ints
    part: NDArray[np.int8]
    user_ids: pl.Series
    item_ids: pl.Series


def prepare(log: Log, settings: PrepareSettings, folder: str | Path) -> Dataset:
    """Filters, splits, numbers and sorts the events of ``log``, and writes them to ``folder``.

    A folder that already holds this very dataset is opened as it is; any other folder that exists and holds
    something is left alone.

    Raises:
        InputError: the folder holds something else, or the log leaves nothing to train on or to measure on.
    """
    folder = Path(folder)
    if folder.exists() and not is_prepared(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f"{folder} exists and is no prepared dataset; choose another folder, or empty this one")
    events, notes, facts = _select(log, settings)
    arrays = _flatten(events)
    manifest = {
        "format": FORMAT,
        "name": log.name,
        "fingerprint": content_fingerprint(arrays, events.user_ids, events.item_ids),
        "source": log.source or log.name,
        "settings": settings.model_dump(mode="json"),
        "notes": [*log.notes, *notes],
        **describe_events(arrays),
        **facts,
    }
    refuse_useless(manifest, settings)
    if is_prepared(folder):
        return _same_or_refused(folder, manifest)
    try:
        with whole_folder(folder) as scratch:
            for name, array in arrays.items():
                np.save(scratch / f"{name}.npy", array)
            for role, ids in (("user", events.user_ids), ("item", events.item_ids)):
                ids.alias(role).to_frame().write_parquet(ids_path(scratch, role))
            write_json(scratch / MANIFEST, manifest)
    except OSError as error:
        if is_prepared(folder):  # another process was first
            return _same_or_refused(folder, manifest)
        raise InputError(
            f"cannot write {folder}: {error.strerror or error}; choose another folder (for the cache: $NEGSAMPLE_CACHE)"
        ) from None
    return open_dataset(folder)


def _same_or_refused(folder: Path, manifest: dict[str, Any]) -> Dataset:
    there = open_dataset(folder)

    def made_by(found: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in found["settings"].items() if key not in ("user", "item", "time")}

    if there.fingerprint == manifest["fingerprint"] and made_by(there.manifest) == made_by(manifest):
        return there
    raise InputError(
        f"{folder} holds another prepared dataset ({there.name}, {there.fingerprint}); "
        f"choose another folder, or delete this one"
    )


def _select(log: Log, settings: PrepareSettings) -> tuple[Events, list[str], dict[str, Any]]:
    """The rows that stay, numbered; notes on those that do not; what the manifest says of the selection."""
    users, items, times, user_ids, item_ids = _collect(log)
    notes = []
    n = len(times)
    frequent = np.bincount(users)[users] >= settings.min_user_events
    frequent &= np.bincount(items)[items] >= settings.min_item_events
    if not frequent.all():
        users, items, times = users[frequent], items[frequent], times[frequent]
        notes.append(
            f"{n - len(times):,} of {n:,} events left out: of users with fewer than "
            f"{settings.min_user_events} events or items with fewer than {settings.min_item_events}, "
            f"both counted once over the whole log."
        )
    if not len(times):
        raise InputError(
            f"no event of {log.name} is left: none of its {n:,} events has a user with at least "
            f"{settings.min_user_events} events (min_user_events) and an item with at least "
            f"{settings.min_item_events} (min_item_events); lower them"
        )
    part = split_by_time(
        times,
        rule=settings.split,
        valid_fraction=settings.valid_fraction,
        test_fraction=settings.test_fraction,
    )
    facts: dict[str, Any] = {
        "valid_start": iso(int(times[part == VALID].min())),
        "test_start": iso(int(times[part == TEST].min())),
        "dropped_cold_items": 0,
        "dropped_cold_events": 0,
    }
    if settings.cold == "drop":
        warm = (np.bincount(items[part == TRAIN], minlength=len(item_ids)) > 0)[items]
        facts["dropped_cold_items"] = len(np.unique(items[~warm]))
        facts["dropped_cold_events"] = int(len(warm) - warm.sum())
        users, items, times, part = users[warm], items[warm], times[warm], part[warm]
    users, user_ids = _renumbered(users, user_ids)
    items, item_ids = _renumbered(items, item_ids)
    items += 1
    return Events(users, items, times, part, user_ids, item_ids), notes, facts


def _collect(log: Log) -> tuple[NDArray[np.int32], NDArray[np.int32], Ints, pl.Series, pl.Series]:
    """The log in memory, its ids as numbers from 0 by sorted external id."""
    with readable(Path(log.source or log.name)):
        frame = log.frame.select("user", "item", "time").collect(engine="streaming")
    if any(frame[role].dtype not in (pl.Int64, pl.String) or frame[role].null_count() for role in ("user", "item")):
        raise InputError(f"log {log.name}: user and item must be Int64 or String without nulls, got {frame.schema}")
    if frame["time"].dtype != pl.Int64 or frame["time"].null_count():
        raise InputError(f"log {log.name}: time must be Int64 microseconds without nulls, got {frame['time'].dtype}")
    users, user_ids = _numbered(frame["user"])
    items, item_ids = _numbered(frame["item"])
    return users, items, frame["time"].to_numpy(), user_ids, item_ids


def _numbered(column: pl.Series) -> tuple[NDArray[np.int32], pl.Series]:
    """The place of each value among the sorted distinct ones (numbers by value, text by bytes), and those."""
    ids = column.unique().sort().alias("id")
    if len(ids) > _LARGEST:
        raise InputError(f"{len(ids):,} distinct {column.name}s; at most {_LARGEST:,} can be numbered")
    numbers = ids.to_frame().with_columns(number=pl.int_range(pl.len(), dtype=pl.Int32))
    places = column.alias("id").to_frame().join(numbers, on="id", how="left", maintain_order="left")
    return places["number"].to_numpy(), ids


def _renumbered(numbers: NDArray[np.int32], ids: pl.Series) -> tuple[NDArray[np.int32], pl.Series]:
    """The same without the numbers that no row has any more; the order stays."""
    used = np.bincount(numbers, minlength=len(ids)) > 0
    new = (np.cumsum(used) - 1).astype(np.int32)
    return new[numbers], ids.filter(pl.Series(used))


def _flatten(events: Events) -> dict[str, NDArray[np.signedinteger[Any]]]:
    """The arrays of a :class:`~negsample.data.sequences.Dataset`: sorted by user, time and file order."""
    order = np.lexsort((events.times, events.users))  # stable
    users, part = events.users[order], events.part[order]
    offsets = np.zeros(len(events.user_ids) + 1, np.int64)
    np.cumsum(np.bincount(users, minlength=len(events.user_ids)), out=offsets[1:])
    train = np.bincount(users[part == TRAIN], minlength=len(events.user_ids))
    valid = np.bincount(users[part == VALID], minlength=len(events.user_ids))
    items = events.items[order]
    assert (np.diff(part)[np.diff(users) == 0] >= 0).all(), "a user's parts interleave"
    return {
        "items": items,
        "times": events.times[order],
        "offsets": offsets,
        "train_ends": offsets[:-1] + train,
        "valid_ends": offsets[:-1] + train + valid,
        "train_counts": np.bincount(items[part == TRAIN], minlength=len(events.item_ids) + 1),
    }
