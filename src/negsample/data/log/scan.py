"""One pass over a table of a log: how many rows it has, how they can be read, and where the first faults are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import polars as pl

from negsample.data.log import ids, times
from negsample.data.log.files import readable
from negsample.data.log.quotes import QUOTES
from negsample.data.log.reading import Reading
from negsample.data.log.table import ROW, Column, Table
from negsample.data.log.times import TimeForm
from negsample.data.log.where import wanted as rows_wanted
from negsample.errors import InputError, shown

ROLES = ("user", "item")
_SAMPLE = 1000  # rows


class Scan(NamedTuple):
    """A table, its column of each role, and what one pass over its rows found.

    ``event``: where a row has a user and an item. ``facts``: how many ``rows`` and ``events`` there are; of the events,
    how many keep each of :func:`negsample.data.log.times.rules` and, as ``user_inexact``, of
    :data:`negsample.data.log.ids.RULES`; of the other rows, how many say "missing", as ``missing`` and
    ``user_missing``, are ``unwanted`` or ``untimed``; and of each of these the first row, from 0, as ``missing_row``;
    None: there is none. ``form``: of its times, see :func:`negsample.data.log.time_forms.form_of`.
    ``kind``: what all its times are, where that is usual.
    ``wanted``: some rows alone were asked for.
    """

    table: Table
    columns: dict[str, Column]
    event: pl.Expr
    facts: dict[str, Any]
    form: TimeForm | None = None
    kind: times.Usual | None = None
    wanted: bool = False

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


def scan(given: tuple[Table, dict[str, Column]], reading: Reading, form: TimeForm | None) -> Scan:
    """One streaming pass, which refuses a table that cannot be read.

    Args:
        given: a table, and its column of each role.
        reading: which of its rows are to be read.
        form: of its times.
    """
    table, columns = given
    wanted = rows_wanted(table, reading.where)
    missing = () if reading.keep_missing_ids else ("missing",)
    of_roles = {role: ids.rules(columns[role]) for role in ROLES}
    no_id = pl.any_horizontal([of_roles[role][name] for role in ROLES for name in ("empty", *missing)])
    unwanted = pl.lit(False) if wanted is None else ~wanted.fill_null(False)
    untimed = ids.is_missing(columns["time"]) if reading.drop_untimed else pl.lit(False)
    event = ~(no_id | unwanted | untimed)
    more = {"unwanted": unwanted, "untimed": untimed & ~unwanted & ~no_id}

    def facts_of(kind: times.Usual | None, plain: bool) -> dict[str, Any]:
        of_time = times.values(columns["time"], form, kind)
        of_ids = {f"{role}_{name}": rule for role in ROLES for name, rule in ids.rules(columns[role], plain).items()}
        rows = table.frame.select(pl.col(ROW), event=event, **more, **of_time, **of_ids)
        return rows.select(**_facts()).collect(engine="streaming").row(0, named=True)

    with readable(table.path, table.way_out):
        kind = None if form else _usual(table, columns["time"])
        facts = facts_of(kind, plain=True)
        others = kind is not None and facts["no_number" if kind == "whole numbers" else "no_moment"] > 0
        if others or any(facts[f"{role}_odd"] for role in ROLES):  # a second look, at all that there may be
            kind = None if others else kind
            facts = facts_of(kind, plain=False)
    if table.layout and facts["rows"] != table.layout.rows:
        raise InputError(
            f"{table.path} reads as {facts['rows']:,} rows or as {table.layout.rows:,}, by what the quote on "
            f"line {table.layout.unpaired} means: {QUOTES}"
        )
    return Scan(table, columns, event, facts, form, kind, wanted is not None)


def _usual(table: Table, time: Column) -> times.Usual | None:
    if not time.is_text:
        return None
    some = table.frame.select(time=time.text).filter(pl.col("time") != "").head(_SAMPLE).collect()["time"]
    return times.usual(some.to_list())


def _facts() -> dict[str, pl.Expr]:
    """See :class:`Scan`; from the values of the rows."""
    event = pl.col("event")
    of_ids = {f"{role}_{name}": pl.col(f"{role}_{name}") for role in ROLES for name in ids.RULES}
    where = {name: event & rule for name, rule in (times.rules() | of_ids).items()}
    left = ~event & ~pl.col("unwanted")
    where |= {f"{role}_missing": left & of_ids[f"{role}_missing"] for role in ROLES}
    where |= {name: pl.col(name) for name in ("unwanted", "untimed")}
    where["missing"] = pl.any_horizontal([where[f"{role}_missing"] for role in ROLES])
    counts = {name: rule.sum() for name, rule in where.items()}
    first = {f"{name}_row": pl.col(ROW).filter(rule).min() for name, rule in where.items()}
    return {"rows": pl.len(), "events": event.sum()} | counts | first
