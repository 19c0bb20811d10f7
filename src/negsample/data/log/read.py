"""A log: rows of (user, item, time) in file order, whatever file they come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from negsample.data.log import ids, times
from negsample.data.log.columns import choose_columns
from negsample.data.log.delimited import DELIMITERS
from negsample.data.log.isolated import try_to_read
from negsample.data.log.parts import PARQUET, Column, Part, file_format, find_parts, not_read, open_part, stem
from negsample.data.log.refusals import refuse_bad_ids, refuse_no_rows, unit_of
from negsample.data.log.scan import IDS, Found, kept, pass_over
from negsample.data.names import printable, safe_name
from negsample.errors import InputError, guarded


class Log(NamedTuple):
    """Who had what, and when.

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
    path: str | Path,
    *,
    user: str | None = None,
    item: str | None = None,
    time: str | None = None,
    keep_missing_ids: bool = False,
) -> Log:
    """The log in a CSV, TSV or Parquet file, or in a folder of such parts.

    The rows are passed over once, to check them; nothing is held. Ids of text files stay text as it stands
    (``00123``), without white space around it; rows without user or item are left out.

    Args:
        path: the file (``.csv``, ``.tsv``, ``.txt``, these also ``.gz`` or ``.zst``; ``.parquet``, ``.pq``),
            or a folder of them.
        user: column of the user; None: guessed from the usual names. Likewise ``item`` and ``time``.
        item: column of the item.
        time: column of the time: ISO text, dates, or numbers since 1970 in a unit told by their magnitude; all
            between 1980 and now.
        keep_missing_ids: text that says "missing" (``NA``, ``null``, ``\\N``, ...) is an id.

    Raises:
        InputError: file, row and value of what is wrong, and what would be right.
    """
    if not str(path):
        raise InputError("the name of the log is empty; give a file, or a folder of parts")
    path, asked = Path(path), {"user": user, "item": item, "time": time}
    if any(file_format(each) == PARQUET for each in find_parts(path)):
        try_to_read(path, asked | {"keep_missing_ids": keep_missing_ids})
    return read_here(path, keep_missing_ids=keep_missing_ids, **asked)


def read_here(path: Path, *, keep_missing_ids: bool, **asked: str | None) -> Log:
    """:func:`read_log` in this process, which damage in a Parquet file may end."""
    parts = [open_part(each) for each in find_parts(path)]
    chosen, notes = choose_columns(parts[0].columns, asked, parts[0].path, parts[0].layout is not None)
    columns = [_columns(part, chosen, parts[0]) for part in parts]
    found = [pass_over(part, each, keep_missing_ids) for part, each in zip(parts, columns, strict=True)]
    refuse_no_rows(found, path)
    unit = unit_of(found, keep_missing_ids)
    for each in found:
        refuse_bad_ids(each)
    text = {role: ids.as_text([each[role] for each in columns], _total(found, f"{role}_too_large") > 0) for role in IDS}
    frames = [_three_columns(each, text, unit, keep_missing_ids) for each in found]
    notes = [
        *_format_notes(parts),
        *_not_read_note(path),
        *notes,
        _time_note(unit),
        *_zone_note(found),
        *_left_out_notes(found),
        *_id_notes(found),
    ]
    return Log(pl.concat(frames), safe_name(stem(path)), list(map(printable, notes)), path.resolve().name)


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


def _total(found: Sequence[Found], fact: str) -> int:
    return sum(each.facts[fact] for each in found)


def _three_columns(found: Found, text: dict[str, bool], unit: str | None, keep_missing: bool) -> pl.LazyFrame:
    time = found.columns["time"]
    return found.part.frame.filter(kept(found.columns, keep_missing)).select(
        user=ids.external(found.columns["user"], text["user"]),
        item=ids.external(found.columns["item"], text["item"]),
        time=times.from_calendar(time) if unit is None else times.from_number(time, unit),
    )


def _left_out_notes(found: Sequence[Found]) -> list[str]:
    """How many rows have no user or no item, and how many say so."""
    rows, says = _total(found, "rows"), _total(found, "says")
    lost = rows - _total(found, "kept") - says - sum(each.part.layout.blank for each in found if each.part.layout)
    notes = [f"{lost:,} of {rows:,} rows left out: no user or no item."] if lost > 0 else []
    if says:
        first, role = next((each, role) for each in found for role in IDS if each.facts[f"says_{role}"] is not None)
        row = first.facts[f"says_{role}"]
        notes.append(
            f"{says:,} of {rows:,} rows left out: an id that says 'missing' (in row {row + 1} of "
            f"{first.part.path.name} {first.cell(role, row)}); --keep-missing-ids reads them as ids."
        )
    return notes


def _id_notes(found: Sequence[Found]) -> list[str]:
    """White space around ids, and one number written in two ways."""
    notes = []
    for role in IDS:
        name = found[0].columns[role].name
        trimmed, whole, pointed = (_total(found, f"{role}_{fact}") for fact in ("trimmed", "whole", "pointed"))
        if trimmed:
            notes.append(f"White space around {trimmed:,} ids in column '{name}' is no part of them.")
        if whole and pointed:
            notes.append(
                f"Ids such as 12 and 12.0 meet in column '{name}' ({whole:,} and {pointed:,} rows) and are not one "
                f"{role}; to read them as one, write the column as whole numbers where the log is made."
            )
    return notes


def _time_note(unit: str | None) -> str:
    if unit is None:
        return "Times read as calendar dates, UTC where no zone is given."
    return f"Times read as {unit} since 1970, by their magnitude."


def _zone_note(found: Sequence[Found]) -> list[str]:
    zoned, moments = _total(found, "zoned"), _total(found, "moments")
    if not 0 < zoned < moments:
        return []
    return [f"{zoned:,} of {moments:,} times have a zone; the others are read as UTC, and may be of another zone."]


def _not_read_note(path: Path) -> list[str]:
    others = not_read(path)
    more = f" and {len(others) - 5:,} more" if len(others) > 5 else ""
    return [f"Not read in {path.name}: {', '.join(others[:5])}{more}."] if others else []


def _format_notes(parts: list[Part]) -> list[str]:
    notes = [f"Read from {len(parts)} parts, in the order of their names."] if len(parts) > 1 else []
    layout = parts[0].layout
    if layout and layout.delimiter != ("\t" if ".tsv" in parts[0].path.name.lower() else ","):
        notes.append(f"Fields separated by {DELIMITERS[layout.delimiter]}.")
    return notes
