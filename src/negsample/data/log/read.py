"""A log: rows of (user, item, time) in file order, from any file or DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from negsample.data.log import ids, times
from negsample.data.log.checks import check_has_events, check_ids, columns_of, unit_of
from negsample.data.log.columns import choose_columns
from negsample.data.log.delimited import DELIMITERS
from negsample.data.log.files import PARQUET, file_format, log_files, log_name, other_files
from negsample.data.log.scan import ROLES, Scan, scan, total
from negsample.data.log.separate_process import try_to_read
from negsample.data.log.table import Frame, Table, open_file, open_frame
from negsample.data.names import printable, safe_name
from negsample.errors import InputError, guarded


class Log(NamedTuple):
    """Which user had which item, and when.

    ``frame``: columns ``user`` and ``item`` (Int64 or String, never null) and ``time`` (Int64 microseconds
    since 1970), in file order. ``name``: the file's stem or the folder's name, made safe. ``notes``: one
    sentence each on how it was read. ``source``: the file's name, without its folder.
    """

    frame: pl.LazyFrame
    name: str
    notes: list[str]
    source: str = ""


@guarded
def read_log(
    log: str | Path | Frame,
    *,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    keep_missing_ids: bool = False,
    name: str | None = None,
) -> Log:
    """The log in a CSV, TSV or Parquet file, in a folder of such parts, or in a DataFrame.

    One pass over the rows checks them; they are not held in memory. Ids of text files stay text as it is written
    (``00123``), without white space around it; rows without user or item are left out.

    Args:
        log: the file (``.csv``, ``.tsv``, ``.txt``, these also ``.gz`` or ``.zst``; ``.parquet``, ``.pq``),
            a folder of them, or a DataFrame of Polars or pandas, or a LazyFrame.
        user: column of the user; None: guessed from the usual names. Likewise ``item`` and ``time``.
        item: column of the item.
        time: column of the time: ISO text, dates, or numbers since 1970, whose size determines their unit; all
            between 1980 and now.
        keep_missing_ids: text that says "missing" (``NA``, ``null``, ``\\N``, ...) is an id.
        name: what reports call it; None: the name of the file or folder, or "log".

    Raises:
        InputError: file, row and value of what is wrong, and what would be right.
    """
    asked = {"user": user, "item": item, "time": time}
    if isinstance(log, str | Path):
        found = read_files(log, asked=asked, keep_missing_ids=keep_missing_ids)
    else:
        table = open_frame(log)
        found = read_tables([table], table.path, asked, keep_missing_ids)._replace(name="log")
    return found if name is None else found._replace(name=safe_name(name))


def read_files(log: str | Path, **options: Any) -> Log:
    """:func:`read_log` of files; those of Parquet are tried in a process of their own first.

    Args:
        log: the file or folder.
        options: ``asked``: the column of each role or None; ``keep_missing_ids``; ``needs_time``: False allows a log
            without times.
    """
    if not str(log):
        raise InputError("the name of the log is empty; give a file, or a folder of parts")
    path = Path(log)
    if any(file_format(each) == PARQUET for each in log_files(path)):
        try_to_read(path, options)
    return read_here(path, **options)


def read_here(path: Path, *, asked: dict[str, str | None], keep_missing_ids: bool, needs_time: bool = True) -> Log:
    """:func:`read_files` in this process, which damage in a Parquet file may end."""
    tables = [open_file(each) for each in log_files(path)]
    log = read_tables(tables, path, asked, keep_missing_ids, needs_time)
    notes = [printable(note) for note in _file_notes(tables, path)] + log.notes
    return Log(log.frame, safe_name(log_name(path)), notes, path.resolve().name)


def read_tables(
    tables: list[Table], path: Path, asked: dict[str, str | None], keep_missing: bool, needs_time: bool = True
) -> Log:
    """Rows and notes of ``tables``, once their columns are chosen."""
    optional = () if needs_time else ("time",)
    chosen, notes = choose_columns(tables[0].columns, asked, tables[0].path, tables[0].layout is not None, optional)
    log = read_columns(tables, path, chosen, keep_missing)
    return log._replace(notes=[printable(note) for note in notes] + log.notes)


def read_columns(tables: list[Table], path: Path, chosen: dict[str, str], keep_missing: bool) -> Log:
    """Rows and notes of ``tables``, once they are checked; times are null where no column is chosen for them."""
    columns = [{"time": times.NONE} | columns_of(table, chosen, tables[0]) for table in tables]
    scans = [scan(table, each, keep_missing) for table, each in zip(tables, columns, strict=True)]
    check_has_events(scans, path)
    unit = unit_of(scans) if "time" in chosen else None
    check_ids(scans)
    as_text = {role: not columns[0][role].dtype.is_numeric() or total(scans, f"{role}_too_large") > 0 for role in ROLES}
    frame = pl.concat([_events(each, as_text, unit) for each in scans])
    notes = (_time_notes(scans, unit) if "time" in chosen else []) + _row_notes(scans)
    return Log(frame, path.name, list(map(printable, notes)), path.name)


def _events(found: Scan, as_text: dict[str, bool], unit: str | None) -> pl.LazyFrame:
    time = found.columns["time"]
    return found.table.frame.filter(found.event).select(
        **{role: ids.id_of(found.columns[role], as_text[role]) for role in ROLES},
        time=times.from_calendar(time) if unit is None else times.from_number(time, unit),
    )


def _file_notes(tables: Sequence[Table], path: Path) -> list[str]:
    """The parts, the delimiter, and which files of the folder were not read."""
    notes = [f"Read from {len(tables)} parts, in the order of their names."] if len(tables) > 1 else []
    layout = tables[0].layout
    if layout and layout.delimiter != ("\t" if ".tsv" in tables[0].path.name.lower() else ","):
        notes.append(f"Fields separated by {DELIMITERS[layout.delimiter]}.")
    others = other_files(path)
    more = f" and {len(others) - 5:,} more" if len(others) > 5 else ""
    return notes + ([f"Not read in {path.name}: {', '.join(others[:5])}{more}."] if others else [])


def _time_notes(scans: Sequence[Scan], unit: str | None) -> list[str]:
    if unit is not None:
        return [f"Times read as {unit} since 1970, by their magnitude."]
    notes = ["Times read as calendar dates, UTC where no zone is given."]
    zoned, moments = (total(scans, fact) for fact in ("zoned", "moment"))
    if 0 < zoned < moments:
        notes.append(
            f"{zoned:,} of {moments:,} times have a zone; the others are read as UTC, and may be of another zone."
        )
    return notes


def _row_notes(scans: Sequence[Scan]) -> list[str]:
    """The rows left out, and the form of the ids."""
    notes = list[str]()
    rows, missing = (total(scans, fact) for fact in ("rows", "missing"))
    blank = sum(each.table.layout.blank for each in scans if each.table.layout)
    lost = rows - total(scans, "events") - missing - blank
    if lost > 0:
        notes.append(f"{lost:,} of {rows:,} rows left out: no user or no item.")
    if missing:
        first, role = next((each, role) for each in scans for role in ROLES if each.facts[f"{role}_missing"])
        row = first.facts[f"{role}_missing_row"]
        notes.append(
            f"{missing:,} of {rows:,} rows left out: an id that says 'missing' (in row {row + 1} of "
            f"{first.table.path.name} {first.cell(role, row)}); --keep-missing-ids reads them as ids."
        )
    for role in ROLES:
        name = scans[0].columns[role].name
        trimmed, whole, pointed = (total(scans, f"{role}_{form}") for form in ("trimmed", "whole", "pointed"))
        if trimmed:
            notes.append(f"White space around {trimmed:,} ids in column '{name}' is no part of them.")
        if whole and pointed:
            notes.append(
                f"Ids such as 12 and 12.0 meet in column '{name}' ({whole:,} and {pointed:,} rows) and are not one "
                f"{role}; to read them as one, write the column as whole numbers where the log is made."
            )
    return notes
