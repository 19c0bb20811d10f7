"""One pass over a table of a log: how many rows it has, how they can be read, and where the first faults are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl

from negsample.data.log import ids, times
from negsample.data.log.delimited import QUOTES
from negsample.data.log.files import readable
from negsample.data.log.table import ROW, Column, Table
from negsample.errors import InputError, shown

ROLES = ("user", "item")


class Scan(NamedTuple):
    """A table, its column of each role, and what one pass over its rows found.

    ``event``: where a row has a user and an item. ``facts``: how many ``rows`` and ``events`` there are; of the events,
    how many keep each of :func:`negsample.data.log.times.rules` and, as ``user_inexact``, of
    :data:`negsample.data.log.ids.RULES`; of the other rows, how many say "missing", as ``missing`` and
    ``user_missing``; and of each of these the first row, from 0, as ``missing_row``; None: there is none.
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
        told = "empty" if value in (None, "") else shown(value if isinstance(value, str | int | float) else str(value))
        return f"column '{self.columns[role].name}' is {told}"


def total(scans: Sequence[Scan], fact: str) -> int:
    """A count of all parts."""
    return sum(each.facts[fact] for each in scans)


def scan(table: Table, columns: dict[str, Column], keep_missing: bool) -> Scan:
    """One streaming pass, which refuses a table that cannot be read; ``keep_missing``: "missing" is an id."""
    of_ids = {f"{role}_{name}": rule for role in ROLES for name, rule in ids.rules(columns[role]).items()}
    absent = [f"{role}_{name}" for role in ROLES for name in ("empty", *(() if keep_missing else ("missing",)))]
    event = ~pl.any_horizontal([of_ids[name] for name in absent])
    rows = table.frame.select(pl.col(ROW), event=event, **times.values(columns["time"]), **of_ids)
    with readable(table.path, table.way_out):
        facts = rows.select(**_facts()).collect(engine="streaming").row(0, named=True)
    if table.layout and facts["rows"] != table.layout.rows:
        raise InputError(
            f"{table.path} reads as {facts['rows']:,} rows or as {table.layout.rows:,}, by what the quote on "
            f"line {table.layout.unpaired} means: {QUOTES}"
        )
    return Scan(table, columns, event, facts)


def _facts() -> dict[str, pl.Expr]:
    """See :class:`Scan`; from the values of the rows."""
    event = pl.col("event")
    of_ids = {f"{role}_{name}": pl.col(f"{role}_{name}") for role in ROLES for name in ids.RULES}
    where = {name: event & rule for name, rule in (times.rules() | of_ids).items()}
    where |= {f"{role}_missing": ~event & of_ids[f"{role}_missing"] for role in ROLES}
    where["missing"] = pl.any_horizontal([where[f"{role}_missing"] for role in ROLES])
    counts = {name: rule.sum() for name, rule in where.items()}
    first = {f"{name}_row": pl.col(ROW).filter(rule).min() for name, rule in where.items()}
    return {"rows": pl.len(), "events": event.sum()} | counts | first
