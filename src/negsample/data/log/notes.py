"""What is said of how a log was read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from negsample.data.log.columns import plain
from negsample.data.log.files import readable
from negsample.data.log.layouts import DELIMITERS
from negsample.data.log.scan import ROLES, Scan, total
from negsample.data.log.table import Table
from negsample.data.log.times import TimeForm
from negsample.data.log.where import option

_KINDS = ("eventtype", "event", "behavior", "behaviour", "behaviortype", "behaviourtype", "action", "actiontype")
_SAMPLE = 1000  # rows
_GOOD = 4  # of five stars
_RATINGS = ("rating", "ratings", "stars", "score", "overall", "weight")


def file_notes(tables: Sequence[Table], path: Path, empty: Sequence[str], others: Sequence[str]) -> list[str]:
    """The parts, the delimiter and the header, and which files of the folder had no rows, or were not read."""
    notes = [f"Read from {len(tables)} parts, in the order of their names."] if len(tables) > 1 else []
    if layout := tables[0].layout:
        if layout.delimiter != ("\t" if ".tsv" in tables[0].path.name.lower() else ","):
            notes.append(f"Fields separated by {DELIMITERS[layout.delimiter]}.")
        if layout.known:
            notes.append(
                f"No header; recognised as {layout.known.of}, with columns {', '.join(layout.known.columns)}; where it "
                "is another file, name the columns by their numbers (--no-header --user 1 ...)."
            )
        if not layout.quoted and layout.doubtful:
            why = f"that on line {layout.unpaired} would not end" if layout.unpaired else "some would end inside of one"
            notes.append(f"Quotes are read as text: as marks of fields, {why}.")
    notes += [note for table in tables[:1] for note in table.notes]
    notes += [f"Parts without rows: {_some(empty)}."] if empty else []
    return notes + ([f"Not read in {path.name}: {_some(others)}."] if others else [])


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5:,} more" if len(names) > 5 else "")


def time_notes(scans: Sequence[Scan], unit: str | None, form: TimeForm | None) -> list[str]:
    """What the times were taken for."""
    if unit is not None:
        return [f"Times read as {unit} since 1970, by their magnitude."]
    if form is not None:
        return [f"Times read as {form.told}, UTC where no zone is given."]
    notes = ["Times read as calendar dates, UTC where no zone is given."]
    zoned, moments = (total(scans, fact) for fact in ("zoned", "moment"))
    if 0 < zoned < moments:
        notes.append(
            f"{zoned:,} of {moments:,} times have a zone; the others are read as UTC, and may be of another zone."
        )
    return notes


def row_notes(scans: Sequence[Scan]) -> list[str]:
    """The rows left out, the form of the ids, and the columns that say what kind of event a row is."""
    notes = list[str]()
    rows, missing, unwanted, untimed = (total(scans, fact) for fact in ("rows", "missing", "unwanted", "untimed"))
    blank = sum(each.table.layout.blank for each in scans if each.table.layout)
    lost = rows - total(scans, "events") - missing - blank - unwanted - untimed
    if unwanted - blank > 0:
        notes.append(f"{unwanted - blank:,} of {rows:,} rows left out: not as --where asks.")
        lost += blank
    if untimed:
        notes.append(f"{untimed:,} of {rows:,} rows left out: no time.")
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
        notes += _id_notes(scans, role)
    return notes + _kind_notes(scans)


def _id_notes(scans: Sequence[Scan], role: str) -> list[str]:
    notes, name = [], scans[0].columns[role].name
    trimmed, whole, pointed = (total(scans, f"{role}_{form}") for form in ("trimmed", "whole", "pointed"))
    if trimmed:
        notes.append(f"White space around {trimmed:,} ids in column '{name}' is no part of them.")
    if whole and pointed:
        notes.append(
            f"Ids such as 12 and 12.0 meet in column '{name}' ({whole:,} and {pointed:,} rows) and are not one "
            f"{role}; to read them as one, write the column as whole numbers where the log is made."
        )
    return notes


def _kind_notes(scans: Sequence[Scan]) -> list[str]:
    """Events of several kinds, or with a rating, count alike unless ``--where`` says which are to be read."""
    if scans[0].wanted:
        return []
    names = scans[0].table.columns
    kinds = [name for name in names if plain(name) in (*_KINDS, *_RATINGS)]
    kinds = [name for name in kinds if name not in {column.name for column in scans[0].columns.values()}]
    alike = "" if "weight" in scans[0].columns else ": all rows count alike"
    return [
        f"Column '{name}' is not used{alike}; --where reads some of them{_example(scans[0].table, name)}."
        for name in kinds[:3]
    ]


def _example(table: Table, name: str) -> str:
    """``--where`` for some of the first rows, by what they hold: the rarest kind, or good ratings."""
    column, value = table.column(name), pl.col("value")
    if not (column.is_text or column.dtype.is_numeric()):
        return ""
    with readable(table.path, table.way_out):
        values = table.frame.select(value=column.text).filter(value != "").head(_SAMPLE).collect()
    number = value.cast(pl.Float64, strict=False)
    is_number, low, middle, high = values.select(
        number.is_not_null().all(), low=number.min(), middle=number.median(), high=number.max()
    ).row(0)
    if values.is_empty() or (plain(name) in _RATINGS and not is_number):
        return ""
    if plain(name) in _RATINGS:
        return f", such as {option(name, '>=', f'{_GOOD if low < _GOOD <= high else middle:g}', is_number)}"
    rarest = values.group_by("value").len().sort("len", "value").item(0, "value")
    return f", such as {option(name, '=', rarest, is_number)}"
