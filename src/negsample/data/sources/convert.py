"""Convert official files, or the archive that holds them, to a log."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from negsample.data.log.files import readable
from negsample.data.log.table import ROW
from negsample.data.log.times import is_plausible
from negsample.data.sources.forms import Form
from negsample.data.sources.source import Edition, Source
from negsample.data.sources.unpack import files_of, unpacked
from negsample.errors import InputError
from negsample.files.checksums import Sum, sum_of


def write_log(source: Source, edition: Edition, given: Path, target: Path, shown: str) -> tuple[list[Sum], list[str]]:
    """The log of the file, archive or folder ``given``, ``shown`` as that, as Parquet at ``target``.

    A file that is another, has something that is no row, or of which nothing is left, is refused.

    Returns:
        Size and checksum of each file that holds rows, and a sentence on each step from them to the log.
    """
    names = [each.name for each in edition.files]
    if given.is_dir():
        files = [(path, f"{path.name} of {shown}") for path in files_of(given, names)]
    else:
        files = unpacked(given, names, target.parent, shown)
    parts, found = list[Path](), list[Sum]()
    for number, (path, name) in enumerate(files):
        parts.append(target.with_name(f"rows-{number}.parquet"))
        _write_rows(path, edition.form, parts[-1], name, shown)
        found.append(sum_of(path))
        if path.parent == target.parent:
            path.unlink()
    try:
        rows = pl.concat([pl.scan_parquet(part, glob=False) for part in parts]).drop(ROW)
        log, notes = source.shape(rows)
    except InputError as error:
        raise InputError(f"{files[0][1] if len(files) == 1 else shown}: {error}") from None
    log.sink_parquet(target)
    for part in parts:
        part.unlink()
    return found, notes


def _write_rows(path: Path, form: Form, target: Path, shown: str, given: str) -> None:
    """The rows of the file at ``path``, streamed into a Parquet file at ``target``; the first fault is refused."""
    with readable(Path(shown)):
        try:
            form.scan(path).sink_parquet(target)
        except InputError as error:
            raise InputError(f"{shown}: {error}") from None
        rows, bad = pl.scan_parquet(target, glob=False), ~is_plausible(pl.col("time")).fill_null(False)
        count, any_bad = rows.select(rows=pl.len(), bad=bad.any()).collect(engine="streaming").row(0)
    if not count:
        raise InputError(f"{shown} has no rows; a row is {form.row}")
    if any_bad:
        number, moment = rows.filter(bad).select(ROW, "time").head(1).collect(engine="streaming").row(0)
        where, what = form.fault(path, number, given)
        what = what if moment is None else "has a time before 1980 or in the future"
        raise InputError(f"{shown}, {where} {what}; a row is {form.row}")
