"""The files of a log, opened: each a table with numbered rows, whatever its format."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import polars as pl

from negsample.data.log import json_lines
from negsample.data.log.columns import USUAL_NAMES, columns_in, plain
from negsample.data.log.delimited import frame_of, read_layout, utf8
from negsample.data.log.files import ARROW, EXCEL, JSON, PARQUET, NoRowsError, Part, readable
from negsample.data.log.quotes import check_quotes
from negsample.data.log.reading import Reading
from negsample.data.log.table import ROW, Table, table_of
from negsample.data.log.unpack import readable_part
from negsample.errors import InputError


def open_part(part: Part, reading: Reading) -> Table | str:
    """The table in a file, lazily; text stays text; of a file without rows, a sentence that says so. One that is
    damaged, or has ragged rows, is refused."""
    try:
        table = _open(readable_part(part, reading.encoding), reading)
    except NoRowsError as empty:
        return str(empty)
    keys = {name: value for name, value in part.keys if name not in table.columns}
    return table.with_columns(**keys) if keys else table


def check_fields(table: Table, chosen: dict[str, str], lists: bool) -> None:
    """Refuses text whose fields of the chosen columns a quote may have moved, and JSON with ``lists`` whose other
    fields are no plain values."""
    if table.layout is not None:
        check_quotes(table.layout, [name for role in chosen.values() for name in columns_in(role, table.columns)])
    if lists and table.objects is not None:
        json_lines.check_plain(table, [name for name in chosen.values() if table.column(name).is_text])


def _open(part: Part, reading: Reading) -> Table:
    path, file, form = part.path, part.file, part.form
    if reading.sequences:
        return _open_sequences(path, file)
    with readable(path):
        if form == PARQUET:
            return table_of(path, pl.scan_parquet(file, row_index_name=ROW, glob=False, hive_partitioning=False))
        if form == ARROW:
            return table_of(path, pl.scan_ipc(file, row_index_name=ROW, glob=False, hive_partitioning=False))
        if form == JSON:
            return json_lines.open_json(path, file)
        if form == EXCEL:
            return _open_sheet(part)
        layout = read_layout(path, file, not reading.no_header)
    columns = layout.columns
    return Table(path, frame_of(layout, ROW), columns, [pl.String()] * len(columns), layout)


def _open_sheet(part: Part) -> Table:
    """A sheet of a workbook as text, as it is shown; numbers that may have lost digits stay floats."""
    path = part.path
    logging.getLogger("fastexcel").setLevel(logging.ERROR)  # it tells of columns of several types
    try:
        sheets, typed = (_sheets(part, options) for options in ({"dtypes": "string"}, {}))
    except ModuleNotFoundError as error:
        raise InputError(f"{path} needs {error.name}; `pip install fastexcel` has it, or save it as CSV") from None
    except Exception as error:  # the library has errors of its own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} cannot be read ({reason}); check the file and the name of the sheet") from None
    name, *others = [name for name, sheet in sheets.items() if len(sheet)] or [*sheets]
    numbers = typed[name].select(pl.selectors.numeric().cast(pl.Float64))
    large = [each for each in numbers if len(each) == len(sheets[name]) and (each.fill_nan(None).abs() > 2**53).any()]
    sheet = sheets[name].with_columns(large).filter(~pl.all_horizontal(pl.all().is_null()))
    table = table_of(path, sheet.lazy().with_row_index(ROW))
    return table._replace(notes=[f"Read from sheet '{name}'; not read: {', '.join(others)}."] if others else [])


def _sheets(part: Part, options: dict[str, str]) -> dict[str, pl.DataFrame]:
    """The sheet that was asked for, or all of them, by their names."""
    asked: Any = {"sheet_name": part.inside} if part.inside else {"sheet_id": 0}
    keep: Any = dict.fromkeys(("raise_if_empty", "drop_empty_rows", "drop_empty_cols"), False)
    found: Any = pl.read_excel(part.file, **asked, **keep, infer_schema_length=None, read_options=options)
    return found if isinstance(found, dict) else {part.inside or "": found}


def _open_sequences(path: Path, file: Path) -> Table:
    """A row for each item of lines that are a user and the items in their order."""
    line = pl.col("line").str.strip_prefix("\ufeff").str.strip_chars()
    with readable(path), utf8(path, file):
        lines = pl.scan_lines(file, row_index_name="number", glob=False).filter(line != "")
        head = lines.head(1).select(line).collect()
        if head.is_empty():
            raise NoRowsError(f"{path} is empty; with --sequences a line is a user and the items")
        if plain(re.split(r"[\s,;|:]", head.item())[0]) in USUAL_NAMES["user"]:
            raise InputError(f"line 1 of {path} names columns; leave it out, as --sequences reads users and items")
        mark = next((re.escape(each) for each in ("\t", ",", ";", "|") if each in head.item()), "")
        fields = line.str.replace(r"^([^\s:]+):\s", "$1 ").str.extract_all(rf"[^\s{mark}]+")
        lists = lines.select(number=pl.col("number") + 1, user=fields.list.first(), item=fields.list.slice(1))
        rows = lists.explode("item").drop_nulls("item").collect()
    if rows.is_empty():
        raise InputError(f"{path}: no line has a user and an item after it, as --sequences reads them")
    frame = rows.lazy().select("user", "item").with_row_index(ROW)
    return Table(path, frame, ["user", "item"], [pl.String()] * 2, None, lines=rows["number"])
