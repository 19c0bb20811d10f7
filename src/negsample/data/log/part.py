"""The part of each event, where the log says it: in a column, or in the names of its files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from negsample.data.log.files import readable
from negsample.data.log.scan import Scan
from negsample.data.log.table import ROW, Column, Table
from negsample.errors import InputError

PARTS = ("train", "valid", "test")
_WORDS = {"train": 0, "training": 0, "valid": 1, "validation": 1, "val": 1, "dev": 1, "test": 2, "testing": 2}
_NUMBERS = {f"{part}{end}": part for part in range(3) for end in ("", ".0")}
_OF_FILE = "part by the file's name"
_FORMS = "a part is train, valid (validation, val, dev) or test, or 0, 1 or 2"


def with_part(tables: Sequence[Table], named: str | None, path: Path) -> tuple[list[Table], str, str]:
    """``tables`` with a column of the part, its name, and a note on it.

    Args:
        tables: of a log.
        named: the column; None: the names of the files say the part.
        path: of the log, for messages.

    Raises:
        InputError: there is no such column, or a file's name says no part.
    """
    columns = tables[0].columns
    if named is not None:
        if columns.count(named) != 1:
            many = "no column" if named not in columns else f"{columns.count(named)} columns"
            raise InputError(
                f"{path} has {many} '{named}' for the part (--split-column); its columns are: {', '.join(columns)}"
            )
        return list(tables), named, f"As named: the part from column '{named}'."
    found = [(each, _part_of(each, path)) for each in tables]
    files = [", ".join(each.path.name for each, part in found if part == number) for number in range(3)]
    said = "; ".join(f"{part} from {names}" for part, names in zip(PARTS, files, strict=True) if names)
    return [each.with_columns(**{_OF_FILE: PARTS[part]}) for each, part in found], _OF_FILE, f"By their names: {said}."


def _part_of(table: Table, path: Path) -> int:
    words = re.split("[^a-z]+", table.path.name.lower()) if table.from_file else []
    parts = {_WORDS[word] for word in words if word in _WORDS}
    if len(parts) == 1:
        return parts.pop()
    said = "more than one part" if parts else "no part"
    raise InputError(
        f"split=given: the name of {table.path.name} in {path} says {said}; name the column that says it with "
        f"--split-column COL (columns: {', '.join(table.columns)}), or give a folder of files whose names say train, "
        f"valid and test"
    )


def part_of(column: Column) -> pl.Expr:
    """The part as Int8, see :data:`PARTS`; null where the column says none."""
    known: Mapping[str, int] = _WORDS | _NUMBERS
    return column.text.str.to_lowercase().replace_strict(known, default=None, return_dtype=pl.Int8)


def check_parts(found: Scan) -> None:
    """Refuses a row of an event whose part is none."""
    unknown = found.table.frame.filter(found.event).filter(part_of(found.columns["part"]).is_null())
    with readable(found.table.path, found.table.way_out):
        rows = unknown.select(ROW).head(1).collect(engine="streaming")
    if len(rows):
        raise InputError(f"{found.at('part', rows.item())}; {_FORMS}")
