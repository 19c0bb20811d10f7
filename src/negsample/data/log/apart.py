"""A log whose files are opened and looked at in other processes, which see the same files."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from negsample.data.each import Each
from negsample.data.log.files import ARROW, JSON, PARQUET, TEXT, Part, readable
from negsample.data.log.json_lines import is_list
from negsample.data.log.read import Log, parts_of_log, read_here
from negsample.data.log.reading import Reading
from negsample.data.log.separate_process import try_to_read
from negsample.data.log.unpack import STANDARD_INPUT, is_address, is_packed
from negsample.errors import InputError

_WAY_OUT = "leave out --on ray, and one process reads it"


def files_apart(log: str | Path | Sequence[str | Path], reading: Reading) -> tuple[Path, list[Part]]:
    """Where a log is, and its files, which other processes can read as they are.

    Raises:
        InputError: there is none; or it has to be unpacked first, or is read as a whole.
    """
    for each in [log] if isinstance(log, str | Path) else log:
        if str(each) == STANDARD_INPUT or is_address(str(each)):
            raise InputError(f"--on ray reads files that all nodes see, got {each}; copy it to one, or {_WAY_OUT}")
    for name in ("sequences", "encoding"):
        if getattr(reading, name):
            raise InputError(f"--on ray reads rows of UTF-8, and --{name} is read as a whole; {_WAY_OUT}")
    path, parts = parts_of_log(log)
    for part in parts:
        if part.form not in (PARQUET, ARROW, TEXT, JSON) or is_packed(part):
            told = part.form if part.form not in (TEXT, JSON) else "compressed by bzip2 or xz"
            raise InputError(
                f"{part.path} is {told}, which has to be unpacked first, and --on ray reads Parquet, Arrow, text and "
                f"JSON lines (.gz and .zst too); unpack it, or {_WAY_OUT}"
            )
        with readable(part.path):
            if part.form == JSON and is_list(part.file):
                raise InputError(f"{part.path} is a JSON list, which is read as a whole; write lines, or {_WAY_OUT}")
    return path, parts


def read_apart(path: Path, parts: Sequence[Part], reading: Reading, each: Each) -> Log:
    """:func:`~negsample.data.log.read.read_log` of what :func:`files_apart` found, opened and scanned by ``each``."""
    list(each(partial(_try, path, reading), [part.file for part in parts if part.form == PARQUET]))
    return read_here(path, parts, reading, each)


def _try(path: Path, reading: Reading, file: Path) -> None:
    try_to_read(path, [file], reading)
