"""The log's ids of users and items, by their numbers."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import polars as pl

from negsample.files.checksums import LIST, read_list


def ids_path(folder: Path, role: str) -> Path:
    """Where the ids of ``role`` (user or item) of a prepared dataset lie."""
    return folder / f"{role}_ids.parquet"


def read_ids(folder: Path, role: str, expected: int) -> pl.Series:
    """(``expected``,) the ids.

    Raises:
        InputError: their file is damaged, or has another number of them.
    """
    path = ids_path(folder, role)
    listed = read_list(folder / LIST, "dataset")
    content = listed.read(path.name)
    try:
        ids = pl.read_parquet(BytesIO(content))[role]
    except (pl.exceptions.PolarsError, OSError) as error:
        raise listed.damaged(path.name, error) from None
    if len(ids) != expected:
        raise listed.damaged(path.name, f"{len(ids)} ids, the dataset has {expected}")
    return ids
