"""One pass over a table of a log: how many rows it has, how they can be read, and where the first faults are."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from negsample.data.log import ids, times
from negsample.data.log.delimited import QUOTES
from negsample.data.log.files import readable
from negsample.data.log.table import ROW, Column, Table
from negsample.errors import InputError

ROLES = ("user", "item")


class Scan(NamedTuple):
    """A table, its column of each role, and counts and first rows (from 0; None: no such row) by name.

    ``event``: where a row has a user and an item. ``facts``: ``rows``; ``events`` and, of these, ``numbers`` and
    ``moments`` (how many times can be read so), ``zoned``, and how many times are of each unit. ``missing``: rows left
    out as an id says "missing". The others are the first rows with a fault, and how many rows have it.
    """

    table: Table
    columns: dict[str, Column]
    event: pl.Expr
    facts: dict[str, Any]

    def at(self, role: str, row: int) -> str:
        """Where a value stands, and the value, for a message."""
        return f"{self.table.where(row)}: {role} in {self.cell(role, row)}"

    def cell(self, role: str, row: int) -> str:
        """The value in a row, for a message."""
        value = self.table.frame.filter(pl.col(ROW) == row).select(self.columns[role].expr).collect().item()
        shown = "empty" if value in (None, "") else repr(value if isinstance(value, str | int | float) else str(value))
        return f"column '{self.columns[role].name}' is {shown}"


def _is_event(columns: dict[str, Column], keep_missing: bool) -> pl.Expr:
    lost = [ids.is_empty(columns[role]) for role in ROLES]
    lost += [] if keep_missing else [ids.says_missing(columns[role]) for role in ROLES]
    return ~pl.any_horizontal(lost)


def scan(table: Table, columns: dict[str, Column], keep_missing: bool) -> Scan:
    """One streaming pass; ``keep_missing``: text that says "missing" is an id.

    Raises:
        InputError: the table cannot be read.
    """
    event = _is_event(columns, keep_missing)
    facts = table.frame.select(event=event, **_values(columns)).select(**_facts())
    with readable(table.path, table.way_out):
        found = facts.collect(engine="streaming").row(0, named=True)
    if table.layout and found["rows"] != table.layout.rows:
        raise InputError(
            f"{table.path} reads as {found['rows']:,} rows or as {table.layout.rows:,}, by what the quote on "
            f"line {table.layout.unpaired} means: {QUOTES}"
        )
    return Scan(table, columns, event, found)


def _values(columns: dict[str, Column]) -> dict[str, pl.Expr]:
    """Of each row: its values, and which rules it breaks."""
    time = columns["time"]
    values = {
        "row": pl.col(ROW),
        "number": times.number(time),
        "moment": times.from_calendar(time),
        "inexact": times.inexact(time),
        "zoned": times.zoned(time),
    }
    for role in ROLES:
        values[f"missing_{role}"] = ~ids.is_empty(columns[role]) & ids.says_missing(columns[role])
        values |= {f"{role}_{name}": rule(columns[role]) for name, rule in (ids.FAULTS | ids.FORMS).items()}
    return values


def _facts() -> dict[str, pl.Expr]:
    """Counts and first rows, from the values of the rows."""
    row, event, number, moment = (pl.col(name) for name in ("row", "event", "number", "moment"))
    is_unit = {unit: event & times.is_plausible_in(number, unit).fill_null(False) for unit in times.UNITS}
    odd_number = event & number.is_not_null() & ~pl.any_horizontal(is_unit.values())
    odd_moment = event & moment.is_not_null() & ~times.is_plausible(moment)
    missing = {role: ~event & pl.col(f"missing_{role}") for role in ROLES}
    return {
        "rows": pl.len(),
        "events": event.sum(),
        "missing": pl.any_horizontal(missing.values()).sum(),
        "numbers": (event & number.is_not_null()).sum(),
        "moments": (event & moment.is_not_null()).sum(),
        "zoned": (event & pl.col("zoned")).sum(),
        "no_number_row": row.filter(event & number.is_null()).min(),
        "no_moment_row": row.filter(event & moment.is_null()).min(),
        "odd_numbers": odd_number.sum(),
        "odd_number_row": row.filter(odd_number).min(),
        "odd_moments": odd_moment.sum(),
        "odd_moment_row": row.filter(odd_moment).min(),
        "inexact_row": row.filter(event & pl.col("inexact")).min(),
        **{unit: of_it.sum() for unit, of_it in is_unit.items()},
        **{f"{unit}_row": row.filter(of_it).min() for unit, of_it in is_unit.items()},
        **{f"missing_{role}_row": row.filter(missing[role]).min() for role in ROLES},
        **{
            f"{role}_{name}_row": row.filter(event & pl.col(f"{role}_{name}")).min()
            for role in ROLES
            for name in ids.FAULTS
        },
        **{f"{role}_{name}": (event & pl.col(f"{role}_{name}")).sum() for role in ROLES for name in ids.FORMS},
    }
