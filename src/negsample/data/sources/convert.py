"""Convert an official file, or the archive that holds it, to a log, line by line."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, is_zipfile

import polars as pl

from negsample.data.log.files import readable
from negsample.data.log.table import ROW
from negsample.data.log.times import UNITS, is_plausible
from negsample.data.sources.source import Form, Source
from negsample.errors import InputError
from negsample.files.checksums import Sum, sum_of

_SHOWN = 80  # characters of a faulty line


def write_log(source: Source, path: Path, target: Path, shown: str) -> tuple[Sum, list[str]]:
    """The log of the file (or archive) at ``path``, ``shown`` as that, as Parquet at ``target``.

    A file that is another, has a line that is no row, or of which nothing is left, is refused.

    Returns:
        Size and checksum of the file that holds the rows, and a sentence on each step from them to the log.
    """
    file, rows = path, target.with_name("rows.parquet")
    if is_zipfile(path):
        file = _extract(path, source.file.name, target.parent, shown)
        shown = f"{source.file.name} of {shown}"
    _write_rows(file, source.form, rows, shown)
    found = sum_of(file)
    if file != path:
        file.unlink()
    try:
        log, notes = source.shape(pl.scan_parquet(rows, glob=False))
    except InputError as error:
        raise InputError(f"{shown}: {error}") from None
    log.sink_parquet(target)
    rows.unlink()
    return found, notes


def _extract(path: Path, name: str, folder: Path, shown: str) -> Path:
    """The file ``name``, from any folder of the archive at ``path``, extracted to ``folder``."""
    target = folder / name
    try:
        with ZipFile(path) as archive:
            files = [each for each in archive.namelist() if not each.endswith("/")]
            wanted = [each for each in files if PurePosixPath(each).name == name]
            if len(wanted) != 1:
                listed = ", ".join(files[:10]) + (f" and {len(files) - 10} more" if len(files) > 10 else "")
                raise InputError(f"{shown} holds {len(wanted) or 'no'} {name}, it should be one; in it: {listed}")
            with archive.open(wanted[0]) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise InputError(f"{shown} cannot be read ({error}); check that the archive is complete") from None
    return target


def _write_rows(path: Path, form: Form, target: Path, shown: str) -> None:
    """The rows of the text file at ``path``, streamed into a Parquet file at ``target``; the first fault is refused.

    Blank lines and lines that name the columns are no rows. Columns: the groups of the form, as text, except
    ``time``, which is Int64 microseconds since 1970.
    """
    rows, bad = _rows(path, form), ~is_plausible(pl.col("time")).fill_null(False)
    with readable(Path(shown)):
        if form.other:
            pattern, words = form.other
            others = rows.filter(pl.col("line").str.contains(pattern)).select(ROW, "line").head(1)
            for number, line in others.collect(engine="streaming").rows():
                found = f"{shown}, line {number + 1}: {line[:_SHOWN]!r} is a row of {words}"
                raise InputError(f"{found}; a row is {form.row}")
        rows.drop(ROW, "line").sink_parquet(target)
        count, any_bad = pl.scan_parquet(target).select(rows=pl.len(), bad=bad.any()).collect().row(0)
    if not count:
        raise InputError(f"{shown} has no rows; a row is {form.row}")
    if any_bad:
        number, line, moment = rows.filter(bad).select(ROW, "line", "time").head(1).collect().row(0)
        text = line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
        what = "is no row" if moment is None else "has a time before 1980 or in the future"
        raise InputError(f"{shown}, line {number + 1}: {text!r} {what}; a row is {form.row}")


def _rows(path: Path, form: Form) -> pl.LazyFrame:
    """Line number (from 0), line and groups; the groups are null where the line is no row."""
    line = pl.col("line").str.strip_prefix("\ufeff").str.strip_chars(" \r")
    lines = pl.scan_lines(path, row_index_name=ROW, glob=False).with_columns(line)
    rows = lines.filter(line != "", ~line.is_in(list(form.headers)))
    fields = rows.with_columns(fields=line.str.extract_groups(form.pattern)).unnest("fields")
    a_second = UNITS[form.unit]
    return fields.with_columns(pl.col("time").cast(pl.Int64) * (10**6 // a_second))
