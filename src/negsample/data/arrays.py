"""The arrays of a prepared dataset, mapped from its files and checked, and their fingerprint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.known import Known
from negsample.data.manifest import Manifest
from negsample.files.checksums import Checksums

Arrays = Mapping[str, NDArray[np.signedinteger[Any]]]
ARRAYS: dict[str, type[np.signedinteger[Any]]] = {
    "items": np.int32,
    "times": np.int64,
    "offsets": np.int64,
    "train_ends": np.int64,
    "valid_ends": np.int64,
    "train_counts": np.int64,
}
WEIGHTS: dict[str, type[np.signedinteger[Any]]] = {"weights": np.int32}
"""The array that a dataset has beside them where its events count by a column of the log."""
INDEX: dict[str, type[np.signedinteger[Any]]] = {
    "item_offsets": np.int64,
    "by_item_times": np.int64,
    "by_time_items": np.int32,
    "by_time_times": np.int64,
}
"""The arrays of a :class:`~negsample.data.known.Known`."""


def arrays_of(weighted: bool) -> dict[str, type[np.signedinteger[Any]]]:
    """The arrays of a dataset with weights, or without."""
    return ARRAYS | WEIGHTS if weighted else ARRAYS


def map_arrays(listed: Checksums, manifest: Manifest) -> dict[str, NDArray[Any]]:
    """The arrays of a dataset, from the files of ``listed``; sizes or values that cannot be are a ``DamagedError``."""
    events, users, items = manifest.events, manifest.users, manifest.items
    lengths = dict(zip(ARRAYS | WEIGHTS, (events, events, users + 1, users, users, items + 1, events), strict=True))
    weighted = manifest.weight is not None
    arrays = {name: _mapped(listed, name, dtype, lengths[name]) for name, dtype in arrays_of(weighted).items()}
    offsets, train_ends, valid_ends = arrays["offsets"], arrays["train_ends"], arrays["valid_ends"]
    _check_ascend(listed, "offsets.npy", offsets, events)
    if (train_ends < offsets[:-1]).any() or (train_ends > valid_ends).any():
        raise listed.damaged("train_ends.npy", "a user's train events end before they begin or after validation's")
    if (valid_ends > offsets[1:]).any():
        raise listed.damaged("valid_ends.npy", "a user's validation events end after all of the user's")
    counts = arrays["train_counts"]
    counted = int(counts.sum())
    right = counted >= manifest.train_events if weighted else counted == manifest.train_events
    if counts[0] != 0 or (counts < 0).any() or not right:
        raise listed.damaged("train_counts.npy", "they are no counts of the train events")
    return arrays


def map_known(listed: Checksums, manifest: Manifest) -> Known:
    """The events of a dataset by item and by time; errors as of :func:`map_arrays`."""
    events = manifest.events
    lengths = dict(zip(INDEX, (manifest.items + 2, events, events, events), strict=True))
    known = Known(**{name: _mapped(listed, name, dtype, lengths[name]) for name, dtype in INDEX.items()})
    _check_ascend(listed, "item_offsets.npy", known.item_offsets, events)
    return known


def _check_ascend(listed: Checksums, file: str, offsets: NDArray[Any], events: int) -> None:
    if offsets[0] != 0 or offsets[-1] != events or (np.diff(offsets) < 0).any():
        raise listed.damaged(file, "they do not ascend from 0 to the number of events")


def _mapped(listed: Checksums, name: str, of: type[np.signedinteger[Any]], length: int) -> NDArray[Any]:
    file, dtype = f"{name}.npy", np.dtype(of)
    listed.check_size(file)
    try:
        array: NDArray[Any] = np.load(listed.folder / file, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # a damaged header raises errors of any kind
        raise listed.damaged(file, error) from None
    if array.dtype != dtype or array.ndim != 1:
        raise listed.damaged(file, f"{array.dtype} of shape {array.shape}, not a row of {dtype}")
    if len(array) != length:
        raise listed.damaged(file, f"{len(array)} values, the manifest says {length}")
    return array


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
