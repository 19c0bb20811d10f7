"""An official file becomes a log, once: ``CACHE/sources/NAME/log-*/``, with ``log.parquet`` and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl

from negsample.data.log.read import Log
from negsample.data.sources.archive import extract, is_archive
from negsample.data.sources.base import Source
from negsample.data.sources.kept import fetched, folder_of
from negsample.data.sources.official import Found, look_at
from negsample.data.sources.rows import write_rows
from negsample.errors import InputError
from negsample.files.checksums import LIST, read_list, sum_of, write_list
from negsample.files.folders import whole_folder, write_json


class Converted(NamedTuple):
    """The log in ``folder``: a sentence on each thing that was done to the rows, and the file that they were in."""

    folder: Path
    notes: list[str]
    file: Found


def log_of(source: Source) -> tuple[Log, str]:
    """The log of ``source``, and a name that changes with it; made now, if it was not yet.

    Raises:
        InputError: it is not fetched, or damaged, or the cache cannot be written.
    """
    there = fetched(source)
    if not there:
        raise InputError(f"{source.name} is not fetched yet: {_how(source)}")
    made = convert(source, there.path, there.sha256, there.path.name)
    frame = pl.scan_parquet(made.folder / "log.parquet", glob=False)
    return Log(frame, source.name, [there.said(), *made.notes], there.path.name), made.folder.name


def convert(source: Source, path: Path, sha256: str, shown: str) -> Converted:
    """The log that the file (or archive) at ``path`` makes; one that is there of a file with that ``sha256`` stays.

    Args:
        shown: what the file is called in a message.

    Raises:
        InputError: it is no such file, a line of it is no row, nothing is left of it, or the cache cannot be written.
    """
    folder = folder_of(source) / f"log-{source.rule}-{sha256[:12]}"
    if not folder.exists():
        if sum_of(path).sha256 != sha256:
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
    said = listed.read_json("about.json")
    return Converted(folder, said["notes"], Found(**said["file"]))


def _write(source: Source, path: Path, folder: Path, shown: str) -> None:
    file, rows = path, folder / "rows.parquet"
    if is_archive(path):
        file = extract(path, source.file.name, folder, shown=shown)
        shown = f"{source.file.name} of {shown}"
    write_rows(file, source.form, rows, shown=shown)
    found = look_at(file)
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


def _how(source: Source) -> str:
    from_file = f"`negsample data fetch {source.name} --from FILE` takes {source.names()}"
    if source.address is None:
        return f"{from_file} from {source.page}, which asks for an account"
    return f"`negsample data fetch {source.name}` downloads it from {source.address}; without a network {from_file}"
