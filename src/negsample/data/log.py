"""A log: rows of (user, item, time) in file order, whatever file they come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from negsample.config import InputError
from negsample.data import ids, times
from negsample.data.columns import choose_columns
from negsample.data.delimited import DELIMITERS
from negsample.data.parts import QUOTES, ROW, Column, Part, find_parts, open_part, readable, stem


class Log(NamedTuple):
    """Who had what, and when.

    ``frame``: columns ``user`` and ``item`` (Int64 or String, never null) and ``time`` (Int64 microseconds
    since 1970), in file order. ``name``: the file's stem or the folder's name. ``notes``: one sentence each
    on how it was read. ``source``: the file's name, without its folder.
    """

    frame: pl.LazyFrame
    name: str
    notes: list[str]
    source: str = ""


def read_log(path: str | Path, *, user: str | None = None, item: str | None = None, time: str | None = None) -> Log:
    """The log in a CSV, TSV or Parquet file, or in a folder of such parts.

    The rows are passed over once, to check them; nothing is held. Ids of text files stay text as it stands
    (``00123``); rows without user or item are left out.

    Args:
        path: the file (``.csv``, ``.tsv``, ``.txt``, these also ``.gz`` or ``.zst``; ``.parquet``, ``.pq``),
            or a folder of them.
        user: column of the user; None: guessed from the usual names. Likewise ``item`` and ``time``.
        item: column of the item.
        time: column of the time: ISO text, dates, or numbers since 1970 in a unit told by their magnitude.

    Raises:
        InputError: file, row and value of what is wrong, and what would be right.
    """
    if not str(path):
        raise InputError("the name of the log is empty; give a file, or a folder of parts")
    path = Path(path)
    parts = [open_part(each) for each in find_parts(path)]
    asked = {"user": user, "item": item, "time": time}
    chosen, notes = choose_columns(parts[0].columns, asked, parts[0].path)
    columns = [_columns(part, chosen, parts[0]) for part in parts]
    found = [_pass_over(part, each) for part, each in zip(parts, columns, strict=True)]
    rows, kept, numbers, moments = (sum(f[key] for f in found) for key in ("rows", "kept", "numbers", "moments"))
    if not kept:
        raise InputError(f"{path}: no row has a user (column '{chosen['user']}') and an item ('{chosen['item']}')")
    largest = max((f["largest"] for f in found if f["largest"] is not None), default=0.0)
    unit = times.unit_of(largest) if numbers >= moments else None
    for part, each, facts in zip(parts, columns, found, strict=True):
        _refuse_bad_rows(part, each, facts, unit)
    text = {
        role: ids.as_text([each[role] for each in columns], any(f[f"{role}_too_large"] for f in found))
        for role in ("user", "item")
    }
    frames = [_three_columns(part, each, text, unit) for part, each in zip(parts, columns, strict=True)]
    left_out = rows - kept - sum(part.layout.blank for part in parts if part.layout)
    notes = [*_format_notes(parts), *notes, _time_note(unit)]
    if left_out > 0:
        notes.append(f"{left_out:,} of {rows:,} rows left out: no user or no item.")
    return Log(pl.concat(frames), stem(path), notes, path.resolve().name)


def _columns(part: Part, chosen: dict[str, str], first: Part) -> dict[str, Column]:
    """The column of each role, once it is known to fit the first part's."""
    if set(part.columns) != set(first.columns):
        odd = ", ".join(sorted(set(part.columns) ^ set(first.columns)))
        raise InputError(
            f"{part.path} has other columns than {first.path.name} (not in both: {odd}); "
            f"parts of one folder need the same columns"
        )
    columns = {role: part.column(name) for role, name in chosen.items()}
    for role, column in columns.items():
        (times if role == "time" else ids).check_type(column, part.path)
        expected = first.column(column.name).dtype
        if (column.dtype.is_numeric(), column.dtype.is_temporal()) != (
            expected.is_numeric(),
            expected.is_temporal(),
        ):
            raise InputError(
                f"column '{column.name}' of {part.path} is of type {column.dtype}, in {first.path.name} of "
                f"type {expected}; parts of one folder need the same types"
            )
    return columns


def _kept(columns: dict[str, Column]) -> pl.Expr:
    return ~(ids.missing(columns["user"]) | ids.missing(columns["item"]))


def _pass_over(part: Part, columns: dict[str, Column]) -> dict[str, Any]:
    """What one pass tells: how many rows, how the times can be read, the first row that breaks each rule."""
    kept, row = pl.col("kept"), pl.col("row")
    checked = part.frame.select(
        kept=_kept(columns),
        row=pl.col(ROW),
        number=times.number(columns["time"]),
        moment=times.from_calendar(columns["time"]),
        user_odd=ids.odd(columns["user"]),
        item_odd=ids.odd(columns["item"]),
        user_too_large=ids.too_large(columns["user"]),
        item_too_large=ids.too_large(columns["item"]),
    )
    facts = checked.select(
        rows=pl.len(),
        kept=kept.sum(),
        numbers=(kept & pl.col("number").is_not_null()).sum(),
        moments=(kept & pl.col("moment").is_not_null()).sum(),
        largest=pl.col("number").filter(kept).abs().max(),
        no_number=row.filter(kept & pl.col("number").is_null()).min(),
        no_moment=row.filter(kept & pl.col("moment").is_null()).min(),
        user_odd=row.filter(kept & pl.col("user_odd")).min(),
        item_odd=row.filter(kept & pl.col("item_odd")).min(),
        user_too_large=(kept & pl.col("user_too_large")).any(),
        item_too_large=(kept & pl.col("item_too_large")).any(),
    )
    with readable(part.path, part.layout):
        found = facts.collect(engine="streaming").row(0, named=True)
    if part.layout and found["rows"] != part.layout.rows:
        raise InputError(
            f"{part.path} reads as {found['rows']:,} rows or as {part.layout.rows:,}, by what the quote on "
            f"line {part.layout.unpaired} means: {QUOTES}"
        )
    return found


def _refuse_bad_rows(part: Part, columns: dict[str, Column], found: dict[str, Any], unit: str | None) -> None:
    def cell(role: str, row: int) -> str:
        value = part.frame.filter(pl.col(ROW) == row).select(columns[role].expr).collect().item()
        return f"column '{columns[role].name}' is " + ("empty" if value in (None, "") else repr(value))

    row = found["no_moment" if unit is None else "no_number"]
    if row is not None:
        most = "calendar dates" if unit is None else "numbers" if found["numbers"] else None
        beside = f", other rows hold {most}" if most else ""
        raise InputError(f"{part.where(row)}: time in {cell('time', row)}{beside}; a time is {times.FORMS}")
    for role in ("user", "item"):
        row = found[f"{role}_odd"]
        if row is not None:
            raise InputError(
                f"{part.where(row)}: {role} in {cell(role, row)}; "
                f"an id is text or a whole number (at most 2^53 where stored as a float)"
            )


def _three_columns(part: Part, columns: dict[str, Column], text: dict[str, bool], unit: str | None) -> pl.LazyFrame:
    time = times.from_calendar(columns["time"]) if unit is None else times.from_number(columns["time"], unit)
    return part.frame.filter(_kept(columns)).select(
        user=ids.external(columns["user"], text["user"]),
        item=ids.external(columns["item"], text["item"]),
        time=time,
    )


def _time_note(unit: str | None) -> str:
    if unit is None:
        return "Times read as calendar dates, UTC where no zone is given."
    return f"Times read as {unit} since 1970, by their magnitude."


def _format_notes(parts: list[Part]) -> list[str]:
    notes = [f"Read from {len(parts)} parts, in the order of their names."] if len(parts) > 1 else []
    layout = parts[0].layout
    if layout and layout.delimiter != ("\t" if ".tsv" in parts[0].path.name.lower() else ","):
        notes.append(f"Fields separated by {DELIMITERS[layout.delimiter]}.")
    return notes
