"""The files that a log is made of, and the format of each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from negsample.errors import InputError

TEXT, PARQUET = "delimited text", "Parquet"
FORMATS = {".csv": TEXT, ".tsv": TEXT, ".txt": TEXT, ".parquet": PARQUET, ".pq": PARQUET}
COMPRESSIONS = (".gz", ".zst")
_ENDING = re.compile(rf"({'|'.join(FORMATS)})({'|'.join(COMPRESSIONS)})?$".replace(".", r"\."), re.IGNORECASE)
_KNOWN = f"{', '.join(FORMATS)}; text also with {' or '.join(COMPRESSIONS)}"
COMPLETE = "check that the file is complete and of the format its name says"


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
        return TEXT if FORMATS.get(inner) == TEXT else None
    return FORMATS.get(last)


def log_name(path: Path) -> str:
    """The name of a log: that of its folder, or of its file without the endings."""
    name = path.resolve().name
    return name if path.is_dir() else _ENDING.sub("", name) or name


def log_files(path: Path) -> list[Path]:
    """The data files of ``path``: itself, or those in the folder, by name; of one known format, else it is refused."""
    with readable(path):
        there, is_folder = path.exists(), path.is_dir()
    if not there:
        raise InputError(f"{path} does not exist; give a log file ({_KNOWN}) or a folder of such files")
    files = [each for each in _visible(path) if each.is_file()] if is_folder else [path]
    files = [each for each in files if file_format(each)]
    if not files and is_folder:
        raise InputError(f"folder {path} holds no log file; a part is one of {_KNOWN}")
    if not files:
        raise InputError(f"{path} has no known ending; a log is one of {_KNOWN}")
    for file in files:
        try:
            str(file).encode()
        except UnicodeEncodeError:
            raise InputError(f"the name of {file} is not UTF-8 text; rename it") from None
        if file_format(file) != file_format(files[0]):
            raise InputError(
                f"folder {path} mixes formats: {files[0].name} is {file_format(files[0])} and {file.name} is "
                f"{file_format(file)}; keep parts of one format in it"
            )
    return files


def other_files(path: Path) -> list[str]:
    """The other files and folders in the folder ``path``, by name; none where it is a file."""
    others = sorted({*_visible(path)} - {*log_files(path)}) if path.is_dir() else []
    return [f"{each.name}/" if each.is_dir() else each.name for each in others]


def _visible(folder: Path) -> list[Path]:
    with readable(folder):
        return [each for each in sorted(folder.iterdir()) if each.name[0] not in "._"]
