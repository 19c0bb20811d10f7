"""Logs with a list of items, and of times, in each row: a row for each of them."""

from __future__ import annotations

import polars as pl

from negsample.data.log.files import readable
from negsample.data.log.table import ROW, Table
from negsample.errors import InputError


def has_lists(table: Table, chosen: dict[str, str]) -> bool:
    """Whether the column of the item, or of the time, holds lists."""
    return any(_is_list(table, chosen[role]) for role in ("item", "time") if role in chosen)


def with_a_row_each(table: Table, chosen: dict[str, str]) -> Table:
    """The same with a row for each element of the lists; lists of different lengths in a row are refused."""
    lists = list(dict.fromkeys(name for name in chosen.values() if _is_list(table, name)))
    arrays = [name for name in lists if isinstance(table.column(name).dtype, pl.Array)]
    of_lists = table.frame.with_columns(pl.col(arrays).arr.to_list()) if arrays else table.frame
    lengths = [pl.col(name).list.len().fill_null(0) for name in lists]
    with readable(table.path, table.way_out):
        for name, length in zip(lists[1:], lengths[1:], strict=True):
            differ = of_lists.filter(lengths[0] != length).select(ROW).head(1).collect()
            if len(differ):
                raise InputError(
                    f"{table.where(differ.item())}: '{lists[0]}' and '{name}' have lists of different lengths; "
                    f"each item needs its {'weight' if name == chosen.get('weight') else 'time'}"
                )
        frame = of_lists.filter(lengths[0] > 0).drop(ROW).explode(lists).with_row_index(ROW)
        dtypes = frame.collect_schema().dtypes()[1:]
    return table._replace(frame=frame, dtypes=dtypes, layout=None, lines=None, objects=None)


def _is_list(table: Table, name: str) -> bool:
    return name in table.columns and isinstance(table.column(name).dtype, pl.List | pl.Array)
