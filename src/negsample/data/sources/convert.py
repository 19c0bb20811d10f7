"""Convert an official file, or the archive that holds it, to a log."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile, is_zipfile

import polars as pl

from negsample.data.sources.rows import write_rows
from negsample.data.sources.source import Source
from negsample.errors import InputError
from negsample.files.checksums import Sum, sum_of


def write_log(source: Source, path: Path, target: Path, shown: str) -> tuple[Sum, list[str]]:
    """The log of the file (or archive) at ``path``, as Parquet at ``target``.

    Args:
        shown: the name of the file in a message.

    Returns:
        Size and checksum of the file that holds the rows, and a sentence on each step from them to the log.

    Raises:
        InputError: it is no such file, a line of it is no row, or nothing is left of it.
        OSError: the folder of ``target`` cannot be written.
    """
    file, rows = path, target.with_name("rows.parquet")
    if is_zipfile(path):
        file = _extract(path, source.file.name, target.parent, shown)
        shown = f"{source.file.name} of {shown}"
    write_rows(file, source.form, rows, shown=shown)
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
