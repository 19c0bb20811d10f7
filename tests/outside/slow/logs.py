"""Rows of a real log, as they lie in its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import polars as pl


class Rows(NamedTuple):
    """Who, what and when, one entry a row, in file order."""

    user: list[Any]
    item: list[Any]
    time: list[int]


def read(path: Path) -> Rows:
    """All rows of a Parquet file with the columns user, item and timestamp."""
    frame = pl.read_parquet(path)
    return Rows(frame["user"].to_list(), frame["item"].to_list(), frame["timestamp"].to_list())


def of_users(rows: Rows, how_many: int) -> Rows:
    """The rows of so many users, spread evenly over the sorted ids."""
    everyone = sorted(set(rows.user))
    chosen = {everyone[number * len(everyone) // how_many] for number in range(min(how_many, len(everyone)))}
    kept = [row for row, user in enumerate(rows.user) if user in chosen]
    return Rows(*([column[row] for row in kept] for column in rows))


def write(rows: Rows, path: Path) -> Path:
    """The rows as a file that any reader of logs takes."""
    pl.DataFrame({"user": rows.user, "item": rows.item, "timestamp": rows.time}).write_parquet(path)
    return path
