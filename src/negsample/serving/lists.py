"""Histories with a list of items for each person, as the rows of a log."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from negsample.data.log import ids
from negsample.data.log.columns import choose_columns
from negsample.data.log.files import readable
from negsample.data.log.table import QUERY, ROW, Column, Table, line_at
from negsample.errors import InputError, shown

Asked = dict[str, str | None]
ID = "an id is text or a whole number"


class Lists(NamedTuple):
    """Lists of items as the rows of a log.

    ``keys``: (Q,) what each person is called, Int64 or String; None where a list is an event of whom it names.
    ``table``: a row for each item; its user is the person's number, from 0, or whom an event names. None: no list has
    an item. ``columns``: the table's column of each role.
    """

    keys: pl.Series | None
    table: Table | None
    columns: dict[str, str]


def has_lists(table: Table, item: str | None) -> bool:
    """Whether the column ``item``, or ``items``, holds lists."""
    return (item or "items") in table.columns and _inner(table.column(item or "items")) is not None


def choose(names: Sequence[str], asked: Asked, path: Path) -> dict[str, str]:
    """The column of each role where items and times are lists; user and time need none."""
    times = asked["time"] or ("times" if "times" in names else None)
    wanted = asked | {"item": asked["item"] or "items", "time": times}
    return choose_columns(names, wanted, path, optional=("user", "time"))[0]


def of_table(table: Table, asked: Asked) -> Lists:
    """A table with a row for each person; without a column of users they are called by its number, from 1."""
    columns = choose(table.columns, asked, table.path)
    found = {role: table.column(name) for role, name in columns.items()}
    line = pl.col(ROW).cast(pl.Int64) + 1
    user = found.pop("user", Column("", line, pl.Int64())).expr
    for each in found.values():
        if _inner(each) is None:
            raise InputError(f"column '{each.name}' of {table.path} is of type {each.dtype}; it needs lists")
    lists = {role: each.expr.cast(pl.List(_inner(each) or pl.Null())) for role, each in found.items()}
    with readable(table.path, QUERY):
        rows = table.frame.select(line=line, user=user, **lists).collect()
    lengths = [pl.col(role).list.len() for role in lists]
    for odd in rows.filter(~(lengths[0] == lengths[-1]).fill_null(False)).head(1).rows(named=True):
        check_lists(table.path, odd["line"], columns, odd["item"], odd.get("time", []))
    events = rows.filter(lengths[0] > 0).select("line", *lists).explode(*lists)
    return of_frames(rows.select("line", "user", count=lengths[0]), events, table.path, columns)


def check_lists(path: Path, line: int, columns: dict[str, str], items: Any, times: Any) -> None:
    """Refuses items that are no list, and times that are no list of as many; ``times`` None: there are none."""
    for role, given in (("item", items), ("time", [] if times is None else times)):
        if not isinstance(given, list | tuple):
            raise InputError(f"{line_at(path, line)}: '{columns[role]}' is {shown(given)}; it must be a list")
    if times is not None and len(items) != len(times):
        raise InputError(
            f"{line_at(path, line)} has {len(items):,} in '{columns['item']}' and {len(times):,} in "
            f"'{columns['time']}'; give a time for each item, or no times in the whole file"
        )


def of_frames(
    people: pl.DataFrame, events: pl.DataFrame, path: Path, columns: dict[str, str], by_person: bool = True
) -> Lists:
    """People and their items as :class:`Lists`, checked.

    Args:
        people: (Q,) ``line`` from 1, ``user``, and ``count`` of items.
        events: (N,) ``line``, ``item`` and, where ``columns`` has one, ``time``; in the order of the people.
        path: named in errors.
        columns: what they are called there.
        by_person: each user is there once.
    """
    columns = {"user": columns.get("user", "user"), **columns}
    keys = _keys(people, path, columns["user"]) if by_person else None
    if not len(events):
        return Lists(keys, None, columns)
    item = Column(columns["item"], pl.col("item"), events.schema["item"])
    for line in events.filter(ids.rules(item)["empty"]).head(1)["line"]:
        raise InputError(f"{line_at(path, line)}: an item in '{item.name}' is empty; {ID}")
    users = pl.Series(np.repeat(np.arange(len(people)), people["count"])) if by_person else people["user"]
    frame = events.select(users.alias("user"), *(role for role in ("item", "time") if role in columns))
    names = [columns[role] for role in frame.columns]
    table = Table(path, frame.lazy().with_row_index(ROW), names, frame.dtypes, None, events["line"])
    return Lists(keys, table, columns)


def _keys(people: pl.DataFrame, path: Path, name: str) -> pl.Series:
    """What each person is called; who has no id, or one that is there before, is refused."""
    column = Column(name, pl.col("user"), people.schema["user"])
    if not ids.can_be(column):
        raise InputError(f"column '{name}' of {path} is of type {column.dtype}; {ids.FORMS}")
    rules = ids.rules(column)
    wrong = people.filter(rules["empty"] | rules["inexact"] | rules["garbled"])
    for line, user in wrong.select("line", "user").head(1).rows():
        raise InputError(f"{line_at(path, line)}: user in '{name}' is {shown(user)}; {ID}")
    as_text = not column.dtype.is_numeric() or people.select(rules["too_large"].any()).item()
    keys = people.select(ids.id_of(column, as_text)).to_series()
    for line, key in people.select("line", key=keys).filter(~keys.is_first_distinct()).head(1).rows():
        first = line_at(Path(path.name), people["line"].filter(keys == key)[0])
        raise InputError(f"{line_at(path, line)}: {shown(key)} is the user of {first} too; write all items in one list")
    return keys


def _inner(column: Column) -> Any:
    """What its lists hold; None: it holds no lists."""
    return getattr(column.dtype, "inner", None)
