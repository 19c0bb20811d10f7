"""The rows of an official file, read line by line: a line that is no row is refused."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from negsample.data.log.files import readable
from negsample.data.log.table import ROW
from negsample.data.log.times import UNITS, is_plausible
from negsample.data.sources.source import Form
from negsample.errors import InputError

_SHOWN = 80  # letters of a bad line


def write_rows(path: Path, form: Form, target: Path, *, shown: str) -> None:
    """The rows of the text file at ``path``, streamed into a Parquet file at ``target``.

    Blank lines and lines that name the columns are no rows. Columns: the groups of the form, as text, except
    ``time``, which is Int64 microseconds since 1970.

    Args:
        shown: the name of the file in a message.

    Raises:
        InputError: it cannot be read, it is another file that looks like it, a line is no row or its time is before
            1980 or in the future (the first of them is named), or there is none.
    """
    rows = _rows(path, form)
    with readable(Path(shown)):
        _check_is_no_other_file(rows, form, shown)
        rows.drop(ROW, "line").sink_parquet(target)
        rows_found, bad = pl.scan_parquet(target).select(rows=pl.len(), bad=_bad().any()).collect().row(0)
    if not rows_found:
        raise InputError(f"{shown} has no rows; a row is {form.row}")
    if bad:
        number, line, moment = rows.filter(_bad()).select(ROW, "line", "time").head(1).collect().row(0)
        text = line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
        what = "is no row" if moment is None else "has a time before 1980 or in the future"
        raise InputError(f"{shown}, line {number + 1}: {text!r} {what}; a row is {form.row}")


def _check_is_no_other_file(rows: pl.LazyFrame, form: Form, shown: str) -> None:
    if form.other is None:
        return
    pattern, words = form.other
    found = rows.filter(pl.col("line").str.contains(pattern)).select(ROW, "line").head(1).collect(engine="streaming")
    if len(found):
        number, line = found.row(0)
        raise InputError(f"{shown}, line {number + 1}: {line[:_SHOWN]!r} is a row of {words}; a row is {form.row}")


def _bad() -> pl.Expr:
    return ~is_plausible(pl.col("time")).fill_null(False)


def _rows(path: Path, form: Form) -> pl.LazyFrame:
    """Line number (from 0), line and groups; the groups are null where the line is no row."""
    line = pl.col("line").str.strip_prefix("\ufeff").str.strip_chars(" \r")
    lines = pl.scan_lines(path, row_index_name=ROW, glob=False).with_columns(line)
    rows = lines.filter(line != "", ~line.is_in(list(form.headers)))
    fields = rows.with_columns(fields=line.str.extract_groups(form.pattern)).unnest("fields")
    a_second = UNITS[form.unit]
    return fields.with_columns(pl.col("time").cast(pl.Int64) * (10**6 // a_second))
