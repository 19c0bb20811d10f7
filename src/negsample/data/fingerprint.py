"""Fingerprints of content: of a prepared dataset, and of a log that lies in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data import blocks

Arrays = Mapping[str, NDArray[np.signedinteger[Any]]]


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


def rows_digest(frame: pl.LazyFrame) -> str:
    """The SHA-256 of the rows of ``frame`` in their order; some of them are held at a time."""
    digest = hashlib.sha256(str(frame.collect_schema()).encode())

    def add(rows: pl.DataFrame) -> None:
        digest.update(rows.write_csv(include_header=False).encode())

    frame.sink_batches(add, chunk_size=blocks.BLOCK, maintain_order=True, engine="streaming")
    return digest.hexdigest()
