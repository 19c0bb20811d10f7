"""Convert an official file to a log, once: ``CACHE/sources/NAME/log-*/``, with ``log.parquet`` and notes on it."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile, is_zipfile

import polars as pl

from negsample.data.log.read import Log
from negsample.data.sources.fetched import fetched, folder_of
from negsample.data.sources.rows import write_rows
from negsample.data.sources.source import Source
from negsample.errors import InputError
from negsample.files.checksums import LIST, Sum, read_list, sum_of, write_list
from negsample.files.folders import whole_folder, write_json


class Converted(NamedTuple):
    """The log in ``folder``: a sentence on each step from the rows to it, and the file that held the rows."""

    folder: Path
    notes: list[str]
    file: Sum


def log_of(source: Source) -> tuple[Log, str]:
    """The log of ``source``, and a name that changes with it; converted now, if it was not yet.

    Raises:
        InputError: it is not fetched, or damaged, or the cache cannot be written.
    """
    there = fetched(source)
    if not there:
        raise InputError(f"{source.name} is not fetched yet: {_how(source)}")
    made = convert(source, there.path, Sum(there.size, there.sha256), there.file)
    frame = pl.scan_parquet(made.folder / "log.parquet", glob=False)
    return Log(frame, source.name, [there.note(), *made.notes], there.file), made.folder.name


def convert(source: Source, path: Path, known: Sum, shown: str) -> Converted:
    """The log of the file (or archive) at ``path``; one that was made of the same file is kept.

    Args:
        known: size and checksum of the file.
        shown: its name in a message.

    Raises:
        InputError: it is no such file, a line of it is no row, nothing is left of it, or the cache cannot be written.
    """
    folder = folder_of(source) / f"log-{source.rule}-{known.sha256[:12]}"
    if not folder.exists():
        if sum_of(path) != known:
            raise InputError(f"{path} is damaged (its checksum is another); delete it, and fetch {source.name} again")
        try:
            with whole_folder(folder) as scratch:
                _write(source, path, scratch, shown)
        except OSError as error:
            if not folder.exists():  # else another process was first
                raise InputError(
                    f"cannot write {folder}: {error.strerror or error}; choose another cache ($NEGSAMPLE_CACHE)"
                ) from None
    listed = read_list(folder / LIST, "log")
    listed.check("log.parquet")
    about = listed.read_json("about.json")
    return Converted(folder, about["notes"], Sum(**about["file"]))


def _write(source: Source, path: Path, folder: Path, shown: str) -> None:
    file, rows = path, folder / "rows.parquet"
    if is_zipfile(path):
        file = _extract(path, source.file.name, folder, shown)
        shown = f"{source.file.name} of {shown}"
    write_rows(file, source.form, rows, shown=shown)
    found = sum_of(file)
    if file != path:
        file.unlink()
    try:
        log, notes = source.shape(pl.scan_parquet(rows, glob=False))
    except InputError as error:
        raise InputError(f"{shown}: {error}") from None
    log.sink_parquet(folder / "log.parquet")
    rows.unlink()
    write_json(folder / "about.json", {"notes": notes, "file": found._asdict()})
    write_list(folder / LIST, "log", "", ["about.json", "log.parquet"])


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


def _how(source: Source) -> str:
    from_file = f"`negsample data fetch {source.name} --from FILE` takes {source.names()}"
    if source.address is None:
        return f"{from_file} from {source.page}, which asks for an account"
    return f"`negsample data fetch {source.name}` downloads it from {source.address}; without a network {from_file}"
