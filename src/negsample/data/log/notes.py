"""Sentences on how a log was read: what was guessed, and what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from negsample.data.log.delimited import DELIMITERS
from negsample.data.log.files import other_files
from negsample.data.log.scan import ROLES, Scan, total
from negsample.data.log.table import Table


def file_notes(tables: Sequence[Table], path: Path) -> list[str]:
    """The parts, the delimiter, and which files of the folder were not read."""
    notes = [f"Read from {len(tables)} parts, in the order of their names."] if len(tables) > 1 else []
    layout = tables[0].layout
    if layout and layout.delimiter != ("\t" if ".tsv" in tables[0].path.name.lower() else ","):
        notes.append(f"Fields separated by {DELIMITERS[layout.delimiter]}.")
    others = other_files(path)
    more = f" and {len(others) - 5:,} more" if len(others) > 5 else ""
    return notes + ([f"Not read in {path.name}: {', '.join(others[:5])}{more}."] if others else [])


def row_notes(scans: Sequence[Scan], unit: str | None) -> list[str]:
    """The form of the times, the rows left out, and the form of the ids."""
    notes = [f"Times read as {unit} since 1970, by their magnitude."]
    if unit is None:
        notes = ["Times read as calendar dates, UTC where no zone is given."]
    rows, missing, zoned, moments = (total(scans, fact) for fact in ("rows", "missing", "zoned", "moment"))
    if 0 < zoned < moments:
        notes.append(
            f"{zoned:,} of {moments:,} times have a zone; the others are read as UTC, and may be of another zone."
        )
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
