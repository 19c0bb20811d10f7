"""The files of a log, opened: each a table with numbered rows, whatever its format."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from negsample.data.log import json_lines
from negsample.data.log.delimited import frame_of, read_layout
from negsample.data.log.files import ARROW, EXCEL, JSON, PARQUET, Part, readable
from negsample.data.log.reading import Reading
from negsample.data.log.table import ROW, Table, table_of
from negsample.data.log.unpack import readable_part
from negsample.errors import InputError


def open_part(part: Part, reading: Reading) -> Table:
    """The table in a file, lazily; text stays text. One that is empty, damaged, or has ragged rows is refused."""
    table = _open(readable_part(part, reading.encoding), reading)
    keys = {name: value for name, value in part.keys if name not in table.columns}
    return table.with_columns(**keys) if keys else table


def _open(part: Part, reading: Reading) -> Table:
    path, file, form = part.path, part.file, part.form
    if reading.sequences:
        return _open_sequences(path, file)
    with readable(path):
        if form == PARQUET:
            return table_of(path, pl.scan_parquet(file, row_index_name=ROW, glob=False, hive_partitioning=False))
        if form == ARROW:
            return table_of(path, pl.scan_ipc(file, row_index_name=ROW, hive_partitioning=False))
        if form == JSON:
            return json_lines.open_json(path, file)
        if form == EXCEL:
            return _open_sheet(part)
        layout = read_layout(path, file, not reading.no_header)
    columns = layout.columns
    return Table(path, frame_of(layout, ROW), columns, [pl.String()] * len(columns), layout)


def _open_sheet(part: Part) -> Table:
    path = part.path
    try:
        found = pl.read_excel(part.file, sheet_name=part.inside, infer_schema_length=None)
    except ModuleNotFoundError as error:
        raise InputError(f"{path} needs {error.name}; `pip install fastexcel` has it, or save it as CSV") from None
    except Exception as error:  # the library has errors of its own
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} cannot be read ({reason}); check the file and the name of the sheet") from None
    return table_of(path, found.lazy().with_row_index(ROW))


def _open_sequences(path: Path, file: Path) -> Table:
    """A row for each item of lines that are a user and the items in their order."""
    line = pl.col("line").str.strip_prefix("\ufeff").str.strip_chars()
    with readable(path):
        lines = pl.scan_lines(file, row_index_name="number", glob=False).filter(line != "")
        head = lines.head(1).select(line).collect()
        if head.is_empty():
            raise InputError(f"{path} is empty; with --sequences a line is a user and the items")
        mark = next((re.escape(each) for each in ("\t", ",", ";", "|", ":") if each in head.item()), "")
        fields = line.str.extract_all(rf"[^\s{mark}]+")
        lists = lines.select(number=pl.col("number") + 1, user=fields.list.first(), item=fields.list.slice(1))
        rows = lists.explode("item").drop_nulls("item").collect()
    if rows.is_empty():
        raise InputError(f"{path}: no line has a user and an item after it, as --sequences reads them")
    frame = rows.lazy().select("user", "item").with_row_index(ROW)
    return Table(path, frame, ["user", "item"], [pl.String()] * 2, None, lines=rows["number"])
