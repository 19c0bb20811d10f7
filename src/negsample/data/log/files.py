"""The files that a log is made of, and the format of each."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import unquote

import polars as pl

from negsample.errors import InputError

TEXT, PARQUET, JSON, ARROW = "delimited text", "Parquet", "JSON", "Arrow"
EXCEL, SQLITE, ZIP, PACKED = "Excel", "SQLite", "a zip archive", "compressed"
UNKNOWN = "no known format"
_ENDINGS = {
    TEXT: (".csv", ".tsv", ".txt", ".dat", ".data", ".tab", ".inter"),
    PARQUET: (".parquet", ".pq"),
    JSON: (".json", ".jsonl", ".ndjson"),
    ARROW: (".arrow", ".feather", ".ipc"),
    EXCEL: (".xlsx", ".xlsm", ".xls", ".ods"),
    SQLITE: (".db", ".sqlite", ".sqlite3"),
    ZIP: (".zip",),
}
FORMATS = {ending: form for form, endings in _ENDINGS.items() for ending in endings}
COMPRESSIONS = (".gz", ".zst", ".bz2", ".xz")
"""Endings of compressed text or JSON; Polars reads the first two itself."""
OPENERS: dict[str, Callable[..., IO[bytes]]] = {
    ".bz2": bz2.open,
    ".xz": lzma.open,
    ".gz": gzip.open,  # type: ignore[dict-item]
}
BEGINS = {b"BZh": ".bz2", b"\xfd7zXZ\0": ".xz", b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst"}
_MAGIC = {
    b"PAR1": PARQUET,
    b"ARROW1": ARROW,
    b"SQLite format 3\0": SQLITE,
    b"PK\x03\x04": ZIP,
    b"\xd0\xcf\x11\xe0": EXCEL,
    **dict.fromkeys(BEGINS, PACKED),
}
_ENDING = re.compile(rf"({'|'.join(FORMATS)})?({'|'.join(COMPRESSIONS)})?$".replace(".", r"\."), re.IGNORECASE)
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"
_ABOUT = re.compile(r"(readme|licen[cs]e|copying|notice|changelog|citation)\b", re.IGNORECASE)
KNOWN = f"{', '.join(FORMATS)}; text and JSON also with {', '.join(COMPRESSIONS)}"
COMPLETE = "check that the file is complete and of the format its name says"


class NoRowsError(Exception):
    """A file holds no rows; one of several parts may be so."""


class Part(NamedTuple):
    """A file of a log.

    ``path``: as a person knows it. ``file``: what is read. ``form``: of what is in it. ``inside``: the table of a
    database, the sheet of a workbook or the file of an archive that was asked for. ``keys``: columns that the names of
    its folders give (``date=2014-04-01``).
    """

    path: Path
    file: Path
    form: str
    inside: str | None = None
    keys: tuple[tuple[str, str], ...] = ()


@contextmanager
def readable(path: Path, way_out: str = COMPLETE) -> Iterator[None]:
    """Turns what Polars or the system says of a broken file into one line, an :class:`InputError`."""
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path} cannot be read ({reason}); {way_out}") from None


def file_format(path: Path) -> str | None:
    """The format that the name of ``path`` says, or None."""
    *_, inner, last = ["", "", *(suffix.lower() for suffix in path.suffixes)]
    if last in COMPRESSIONS:
        return FORMATS[inner] if FORMATS.get(inner) in (TEXT, JSON) else None
    return FORMATS.get(last)


def format_of(path: Path) -> str | None:
    """The format of the file at ``path``: by its name, and where that says text or nothing, by how it begins."""
    named = file_format(path)
    if named not in (TEXT, None):
        return named
    with readable(path), path.open("rb") as file:
        start = file.read(4096)
    magic = next((form for begin, form in _MAGIC.items() if start.startswith(begin)), None)
    if magic == PACKED:
        return named or _by_text(_unpacked_start(path, start))
    if magic or named:
        return magic or named
    return _by_text(start)


def _unpacked_start(path: Path, start: bytes) -> bytes:
    """How a compressed file begins; of a damaged one nothing is known, and it is said where it is read."""
    opened = OPENERS.get(next(ending for begin, ending in BEGINS.items() if start.startswith(begin)))
    try:
        if opened is None:
            return str(pl.scan_lines(path, n_rows=1, glob=False).collect()["line"].first() or " ").encode()
        with opened(path, "rb") as file:
            return file.read(4096)
    except (OSError, EOFError, zlib.error, lzma.LZMAError, pl.exceptions.PolarsError):
        return b"x"


def _by_text(start: bytes) -> str | None:
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] in (b"{", b"[") and _is_json(text):
        return JSON
    try:
        start.decode()
    except UnicodeDecodeError as error:
        if error.start < len(start) - 4:  # not a character that is cut
            return None
    return TEXT if text and b"\0" not in start else None


def _is_json(text: bytes) -> bool:
    """Whether it goes on as JSON does: a list of objects, or an object with nothing behind it on its line."""
    line = text.splitlines()[0].decode(errors="replace").strip()
    if line.startswith("["):
        return line[1:].lstrip()[:1] in ("", "{", "[", "]")
    try:
        return json.JSONDecoder().raw_decode(line)[1] == len(line)
    except (ValueError, RecursionError):
        return True


def log_name(path: Path) -> str:
    """The name of a log: that of its folder, or of its file without the endings."""
    name = path.resolve().name
    return name if path.is_dir() else _ENDING.sub("", name) or name


def parts_of(path: Path, root: Path | None = None) -> list[Part]:
    """The data files of ``path``: itself, or those in the folder, by name; of one format, else it is refused.

    Where a folder has none, those of the folders in it count. ``FILE::NAME`` is a table, a sheet or a file in it.
    ``root``: below which the names of folders may be values of columns; None: ``path``.
    """
    outer, inside = _inside(path)
    with readable(outer):
        there, is_folder = outer.exists(), outer.is_dir()
    if not there:
        raise InputError(f"{path} does not exist; give a log file ({KNOWN}) or a folder of such files")
    if not is_folder:
        return [_file(outer, inside)._replace(keys=_keys(outer, root) if root else ())]
    if inside is not None:
        raise InputError(f"{outer} is a folder; ::{inside} is for a database, a workbook or an archive")
    found = [each._replace(keys=_keys(each.path, root or outer)) for each in _logs_in(outer)]
    if not found:
        raise InputError(f"folder {outer} holds no log file; a part is one of {KNOWN}")
    for each in found:
        if each.form != found[0].form:
            raise InputError(
                f"folder {outer} mixes formats: {found[0].path.name} is {found[0].form} and {each.path.name} is "
                f"{each.form}; keep parts of one format in it"
            )
    return found


def _inside(path: Path) -> tuple[Path, str | None]:
    """The file, and what of it is meant by ``FILE::NAME``."""
    outer, separator, name = str(path).partition("::")
    return (Path(outer), name) if separator and not path.exists() else (path, None)


def _file(path: Path, inside: str | None) -> Part:
    if not path.is_file():
        raise InputError(f"{path} is no file and no folder; `-` reads the standard input")
    form = format_of(_utf8_name(path))
    if inside is not None and form not in (ZIP, SQLITE, EXCEL):
        raise InputError(f"{path} is {form}; ::{inside} is for a database, a workbook or an archive")
    return Part(path, path, form or UNKNOWN, inside)


def _utf8_name(path: Path) -> Path:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(f"the name of {path} is not UTF-8 text; rename it") from None
    return path


def _logs_in(folder: Path) -> list[Part]:
    files = [each for each in _visible(folder) if each.is_file() and is_visible(each)]
    named = [each for each in files if file_format(each)]
    bare = [each for each in files if each.suffix.lower() in ("", *COMPRESSIONS) and format_of(each)]
    parts = [Part(each, each, format_of(_utf8_name(each)) or TEXT) for each in named or bare]
    if parts:
        return parts
    return [part for each in _visible(folder) if each.is_dir() for part in _logs_in(each)]


def _keys(path: Path, root: Path) -> tuple[tuple[str, str], ...]:
    """What the names of the folders below ``root`` say, as Hive writes them."""
    pairs = [name.partition("=") for name in path.parent.relative_to(root).parts]
    values = {name: "" if value == _NO_VALUE else unquote(value) for name, equals, value in pairs if name and equals}
    return tuple(values.items())


def other_files(path: Path) -> list[str]:
    """The other files and folders in the folder ``path``, by name; none where it is a file."""
    if not path.is_dir():
        return []
    read = [each.path for each in parts_of(path)]
    others = {each for each in _visible(path) if not any(part.is_relative_to(each) for part in read)}
    return [f"{each.name}/" if each.is_dir() else each.name for each in sorted(others)]


def is_visible(path: Path) -> bool:
    """Whether a file may be a log by its name: it is neither hidden nor about others."""
    return path.name[0] not in "._" and not _ABOUT.match(path.name)


def _visible(folder: Path) -> list[Path]:
    with readable(folder):
        return [each for each in sorted(folder.iterdir()) if each.name[0] not in "._"]
