"""The events before a time as a dataset of their own, all of them train: what a model to take home knows."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negsample.data.dataset import Dataset
from negsample.data.known import Ints, Known
from negsample.data.manifest import Manifest
from negsample.data.moments import microseconds
from negsample.data.prepare.order import stable_order
from negsample.errors import InputError


def known_until(data: Dataset, time: int | None) -> Dataset:
    """The events of ``data`` before ``time``, microseconds since 1970, in memory; None: all.

    Users and items keep their numbers.

    Raises:
        InputError: there is no event before it.
    """
    users = np.repeat(np.arange(data.users), np.diff(data.offsets))
    items, times = np.asarray(data.items), np.asarray(data.times)
    weights = None if data.weights is None else np.asarray(data.weights)
    if time is not None:
        kept = times < time
        if not kept.any():
            first = (data.manifest.first_time or "").replace("T", " ")
            raise InputError(f"no event of {data.name} is before the time that was asked for; the first is at {first}")
        users, items, times = users[kept], items[kept], times[kept]
        weights = None if weights is None else weights[kept]
    else:
        time = int(times.max()) + 1
    events = (users, items, times)
    return in_memory(data.manifest, data.folder, events, data.users, data.catalogue_size, time, weights)


def in_memory(
    manifest: Manifest,
    folder: Path,
    events: tuple[Ints, Ints, Ints],
    users: int,
    catalogue_size: int,
    until: int,
    weights: NDArray[np.int32] | None = None,
) -> Dataset:
    """A dataset of so many ``users`` and items whose ``events`` (user, item and time), by user, then by time, are all
    train; test would begin at ``until``. ``manifest``: of the log that they are of. ``weights``: of the events,
    which it has where its manifest says so."""
    assert (weights is None) == (manifest.weight is None), "a manifest says whether its events have weights"
    user_N, items, times = events
    offsets = np.append(0, np.cumsum(np.bincount(user_N, minlength=users))).astype(np.int64)
    counts = np.bincount(items, minlength=catalogue_size + 1).astype(np.int64)
    weighed = np.zeros_like(counts)
    np.add.at(weighed, items, 1 if weights is None else weights)
    by_time = stable_order(times)
    by_item = by_time[stable_order(items[by_time])]
    starts = manifest.valid_start, manifest.test_start
    window = microseconds(starts[1]) - microseconds(starts[0]) if starts[0] and starts[1] else 0
    about: dict[str, Any] = {"users": users, "items": catalogue_size, "events": len(times), "train_events": len(times)}
    about |= {"valid_events": 0, "test_events": 0, "last_time": _iso(int(times.max()))}
    digest = hashlib.sha256(f"{manifest.fingerprint} {until}".encode())
    for column in events if weights is None else (*events, weights):
        digest.update(np.ascontiguousarray(column, np.int64).data)
    about["fingerprint"] = digest.hexdigest()[:12]
    about |= {"valid_start": _iso(until - window), "test_start": _iso(until), "not_in_time": None}
    train_ends: NDArray[np.int64] = offsets[1:]
    return Dataset(
        folder,
        manifest.model_copy(update=about),
        items.astype(np.int32),
        times.astype(np.int64),
        offsets,
        train_ends,
        train_ends,
        weighed,
        Known(
            np.append(0, np.cumsum(counts)).astype(np.int64),
            times[by_item].astype(np.int64),
            items[by_time].astype(np.int32),
            times[by_time].astype(np.int64),
        ),
        weights,
    )


def _iso(time: int) -> str:
    return str(np.datetime64(time, "us").astype("datetime64[s]"))
