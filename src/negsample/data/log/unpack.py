"""What must be unpacked before it can be read: archives, compressions, encodings, the standard input, addresses.

It lies where :func:`~negsample.data.log.once.once` puts it.
"""

from __future__ import annotations

import io
import json
import lzma
import shutil
import sqlite3
import sys
import zlib
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

import polars as pl

from negsample.data.log.files import (
    BEGINS,
    COMPRESSIONS,
    EXCEL,
    JSON,
    KNOWN,
    OPENERS,
    PARQUET,
    SQLITE,
    TEXT,
    UNKNOWN,
    ZIP,
    Part,
    file_format,
    format_of,
    is_visible,
    readable,
)
from negsample.data.log.once import FULL, once
from negsample.errors import InputError
from negsample.files.folders import finite

STANDARD_INPUT = "-"


def is_address(log: str) -> bool:
    """Whether it names an object of a store, such as ``s3://bucket/log.parquet``."""
    return "://" in log


def is_elsewhere(log: str) -> bool:
    """Whether it names something that is no file by itself: the standard input, an address, what is inside of a file,
    or a pattern."""
    return log == STANDARD_INPUT or is_address(log) or "::" in log or "*" in log


def brought(log: str) -> Part:
    """The standard input (``-``), or the object at an address."""
    if log == STANDARD_INPUT:
        file, shown = once((log,), "log", lambda to: _copy(sys.stdin.buffer, to)), "the standard input"
    else:
        name = log.rstrip("/").rpartition("/")[2]
        if not name or "*" in name:
            raise InputError(f"{log} names no single object; give the address of one file")
        file, shown = once((log,), name, lambda to: _bring(log, to)), log
    form = format_of(file)
    if form is None:
        raise InputError(f"{shown} is empty, or of no known format; a log is one of {KNOWN}")
    return Part(Path(shown), file, form)


def _bring(address: str, file: Path) -> None:
    form = file_format(file)
    if form not in (TEXT, PARQUET):
        raise InputError(f"{address}: of an address Parquet and text are read; copy the file here first")
    with readable(Path(address), "check the address and the credentials of the store"):
        if form == PARQUET:
            pl.scan_parquet(address).sink_parquet(file)
            return
        with file.open("w", encoding="utf-8", newline="") as to:
            for batch in pl.scan_lines(address).collect_batches():
                to.writelines(f"{line}\n" for line in batch["line"])


def readable_part(part: Part, encoding: str | None) -> Part:
    """``part`` with a file that can be read: its own, or what was unpacked from it."""
    if part.form == UNKNOWN:
        if encoding is None:
            raise InputError(
                f"{part.path} has no known ending, and is not UTF-8 text; a log is one of {KNOWN}; text in another "
                f"encoding is read with --encoding, such as --encoding latin-1"
            )
        part = part._replace(form=TEXT)
    if part.form == ZIP:
        return _of_zip(part, encoding)
    if part.form == SQLITE:
        return _of_database(part)
    if part.form not in (TEXT, JSON):
        return part
    ending = _compression(part)
    if encoding is None and ending not in (".bz2", ".xz"):
        return part
    if encoding is not None and ending == ".zst":
        raise InputError(f"{part.path}: --encoding reads no .zst; unpack it first")
    return part._replace(file=_plain(part, ending, encoding))


def is_packed(part: Part) -> bool:
    """Whether :func:`readable_part` unpacks it, where no encoding is named."""
    return part.form in (TEXT, JSON) and _compression(part) in (".bz2", ".xz")


def _compression(part: Part) -> str | None:
    with readable(part.path), part.file.open("rb") as file:
        start = file.read(8)
    return next((ending for begin, ending in BEGINS.items() if start.startswith(begin)), None)


def _plain(part: Part, ending: str | None, encoding: str | None) -> Path:
    if encoding is not None:
        with suppress(UnicodeError):
            try:
                b"x".decode(encoding)
            except LookupError:
                raise InputError(f"no encoding '{encoding}'; usual ones are latin-1, cp1252, utf-16, gbk") from None
    file, shown = part.file, part.path
    name = file.name.removesuffix(file.suffix) if file.suffix.lower() in COMPRESSIONS else file.name

    def unpack(to: Path) -> None:
        opened = OPENERS.get(ending or "", open)
        try:
            with opened(file, "rb") as packed:
                if encoding is None:
                    _copy(packed, to)
                else:
                    _recode(packed, to, encoding)
        except UnicodeError as error:
            raise InputError(f"{shown} is not {encoding} text ({error}); name its encoding with --encoding") from None
        except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            if isinstance(error, OSError) and error.errno in FULL:  # not the file's fault
                raise
            raise InputError(f"{shown} cannot be read ({error}); check that the file is complete") from None

    return once((*_state(file), encoding), name, unpack)


def _recode(packed: IO[bytes], file: Path, encoding: str) -> None:
    with (
        io.TextIOWrapper(packed, encoding=encoding, newline="") as text,
        file.open("w", encoding="utf-8", newline="") as to,
    ):
        shutil.copyfileobj(text, to, 1 << 20)


def _of_zip(part: Part, encoding: str | None) -> Part:
    path = part.path
    try:
        with ZipFile(part.file) as archive:
            names = [each.filename for each in archive.infolist() if not each.is_dir()]
            if "[Content_Types].xml" in names:
                return part._replace(form=EXCEL)
            name = _chosen_file(path, names, part.inside)

            def unpack(to: Path) -> None:
                with archive.open(name) as packed:
                    _copy(packed, to)

            file = once((*_state(part.file), name), Path(name).name, unpack)
    except (BadZipFile, EOFError, NotImplementedError, RuntimeError, zlib.error) as error:
        raise InputError(f"{path} cannot be read ({error}); check that the archive is complete") from None
    form = format_of(file)
    if form == ZIP:
        raise InputError(f"{name} in {path} is an archive itself; unpack it first")
    return readable_part(part._replace(file=file, form=form or UNKNOWN, inside=None), encoding)


def _chosen_file(path: Path, names: list[str], asked: str | None) -> str:
    shown_ones = [each for each in names if is_visible(Path(each))]
    logs = [each for each in shown_ones if file_format(Path(each))] or shown_ones
    if asked is not None and asked not in names:
        raise InputError(f"{path} holds no file '{asked}'; in it: {', '.join(names[:20])}")
    if asked is None and len(logs) != 1:
        shown = ", ".join(logs[:20]) or "nothing"
        example = f"; name it, such as {path}::{logs[0]}" if logs else ""
        raise InputError(f"{path} holds {len(logs) or 'no'} log files, and one is read ({shown}){example}")
    return asked or logs[0]


def _of_database(part: Part) -> Part:
    path = part.path
    try:
        with closing(sqlite3.connect(f"{part.file.resolve().as_uri()}?mode=ro", uri=True)) as database:
            query = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%'"
            tables = sorted(name for (name,) in database.execute(query))
            table = _chosen_table(path, tables, part.inside)
            file = once((*_state(part.file), table), "table.jsonl", lambda to: _write_rows(database, table, to))
    except (sqlite3.Error, UnicodeError) as error:
        raise InputError(f"{path} cannot be read ({error}); check that the database is complete") from None
    return part._replace(file=file, form=JSON)


def _chosen_table(path: Path, tables: list[str], asked: str | None) -> str:
    if asked is not None and asked not in tables:
        raise InputError(f"{path} has no table '{asked}'; its tables are: {', '.join(tables) or 'none'}")
    if asked is None and len(tables) != 1:
        example = f", such as {path}::{tables[0]}" if tables else ""
        raise InputError(f"{path} has {len(tables)} tables ({', '.join(tables) or 'none'}); name one{example}")
    return asked or tables[0]


def _write_rows(database: sqlite3.Connection, table: str, file: Path) -> None:
    """As JSON lines, since a column of SQLite may hold values of several types."""
    quoted = table.replace('"', '""')
    cursor = database.execute(f'SELECT * FROM "{quoted}"')
    columns = [name for name, *_ in cursor.description]
    with file.open("w", encoding="utf-8") as to:
        for row in cursor:
            plain = (None if isinstance(value, bytes) else value for value in row)
            to.write(json.dumps(finite(dict(zip(columns, plain, strict=True))), allow_nan=False) + "\n")


def _copy(source: IO[bytes], file: Path) -> None:
    with file.open("wb") as to:
        shutil.copyfileobj(source, to, 1 << 20)


def _state(path: Path) -> tuple[Any, ...]:
    """What changes when the file does."""
    facts = path.stat()
    return str(path.resolve()), facts.st_mtime_ns, facts.st_size
