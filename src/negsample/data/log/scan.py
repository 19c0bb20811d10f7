"""What one pass over a part of a log tells: how many rows, how they can be read, where the first odd one is."""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl

from negsample.data.log import ids, times
from negsample.data.log.delimited import QUOTES
from negsample.data.log.parts import ROW, Column, Part, readable
from negsample.errors import InputError

IDS = ("user", "item")


class Found(NamedTuple):
    """A part, its column of each role, and counts and first rows (from 0; None: no such row) by name."""

    part: Part
    columns: dict[str, Column]
    facts: dict[str, Any]

    def cell(self, role: str, row: int) -> str:
        """What stands in a row, for a message."""
        value = self.part.frame.filter(pl.col(ROW) == row).select(self.columns[role].expr).collect().item()
        shown = "empty" if value in (None, "") else repr(value if isinstance(value, str | int | float) else str(value))
        return f"column '{self.columns[role].name}' is {shown}"


def kept(columns: dict[str, Column], keep_missing: bool) -> pl.Expr:
    """Where there is a user and an item; ``keep_missing``: text that says there is none is one."""
    lost = [ids.missing(columns[role]) for role in IDS]
    lost += [] if keep_missing else [ids.says_missing(columns[role]) for role in IDS]
    return ~pl.any_horizontal(lost)


def pass_over(part: Part, columns: dict[str, Column], keep_missing: bool) -> Found:
    """One streaming pass.

    Raises:
        InputError: the part cannot be read.
    """
    row, stays = pl.col("row"), pl.col("kept")
    user, item = (columns[role] for role in IDS)
    checked = part.frame.select(
        row=pl.col(ROW),
        kept=kept(columns, keep_missing),
        says_user=~ids.missing(user) & ids.says_missing(user),
        says_item=~ids.missing(item) & ids.says_missing(item),
        number=times.number(columns["time"]),
        moment=times.from_calendar(columns["time"]),
        inexact=times.inexact(columns["time"]),
        zoned=times.zoned(columns["time"]),
        **{
            f"{role}_{rule.__name__}": rule(columns[role])
            for role in IDS
            for rule in (ids.odd, ids.garbled, ids.too_large, ids.trimmed, ids.whole, ids.pointed)
        },
    )
    number, moment = pl.col("number"), pl.col("moment")
    is_unit = {unit: stays & times.within_as(number, unit).fill_null(False) for unit in times.UNITS}
    stray = stays & number.is_not_null() & ~pl.any_horizontal(is_unit.values())
    astray = stays & moment.is_not_null() & ~times.within(moment)
    facts = checked.select(
        rows=pl.len(),
        kept=stays.sum(),
        says=(~stays & (pl.col("says_user") | pl.col("says_item"))).sum(),
        says_user=row.filter(~stays & pl.col("says_user")).min(),
        says_item=row.filter(~stays & pl.col("says_item")).min(),
        numbers=(stays & number.is_not_null()).sum(),
        moments=(stays & moment.is_not_null()).sum(),
        zoned=(stays & pl.col("zoned")).sum(),
        no_number=row.filter(stays & number.is_null()).min(),
        no_moment=row.filter(stays & moment.is_null()).min(),
        stray=stray.sum(),
        stray_row=row.filter(stray).min(),
        astray=astray.sum(),
        astray_row=row.filter(astray).min(),
        inexact=row.filter(stays & pl.col("inexact")).min(),
        **{unit: held.sum() for unit, held in is_unit.items()},
        **{f"{unit}_row": row.filter(held).min() for unit, held in is_unit.items()},
        **{f"{role}_{rule}": row.filter(stays & pl.col(f"{role}_{rule}")).min() for role in IDS for rule in _ROWS},
        **{f"{role}_{rule}": (stays & pl.col(f"{role}_{rule}")).sum() for role in IDS for rule in _COUNTS},
    )
    with readable(part.path, part.layout):
        found = facts.collect(engine="streaming").row(0, named=True)
    if part.layout and found["rows"] != part.layout.rows:
        raise InputError(
            f"{part.path} reads as {found['rows']:,} rows or as {part.layout.rows:,}, by what the quote on "
            f"line {part.layout.unpaired} means: {QUOTES}"
        )
    return Found(part, columns, found)


_ROWS = ("odd", "garbled")
_COUNTS = ("too_large", "trimmed", "whole", "pointed")
