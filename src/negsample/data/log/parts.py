"""The files a log is made of, each opened as a lazy frame."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import polars as pl

from negsample.data.log.delimited import QUOTES, Layout, line_of, read_layout
from negsample.errors import InputError

ROW = "row in its file"  # from 0; the name of the column that Polars counts rows in
TEXT, PARQUET = "delimited text", "Parquet"
FORMATS = {".csv": TEXT, ".tsv": TEXT, ".txt": TEXT, ".parquet": PARQUET, ".pq": PARQUET}
COMPRESSIONS = (".gz", ".zst")


class Column(NamedTuple):
    """A column of one part: ``expr`` finds it in the part's frame."""

    name: str
    expr: pl.Expr
    dtype: pl.DataType
    of_text: bool  # from a text file, where nothing between two delimiters is no value


class Part(NamedTuple):
    """One file: its columns, and a frame of them with the row number in column ``ROW``."""

    path: Path
    frame: pl.LazyFrame
    columns: list[str]
    dtypes: list[pl.DataType]
    layout: Layout | None  # None: Parquet

    def column(self, name: str) -> Column:
        """The column that the file calls ``name``: by its place, as Polars renames doubles."""
        place = self.columns.index(name)
        return Column(name, pl.nth(1 + place), self.dtypes[place], self.layout is not None)  # after ROW

    def where(self, row: int) -> str:
        """File and row for a message; ``row`` from 0 as in column ``ROW``, shown from 1."""
        line = f" (line {line_of(self.path, self.layout, row + 1)})" if self.layout else ""
        return f"{self.path}, row {row + 1}{line}"


@contextmanager
def readable(path: Path, layout: Layout | None = None) -> Iterator[None]:
    """What Polars or the system says of a broken file, as one line for a person.

    Raises:
        InputError: instead of theirs.
    """
    try:
        yield
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        said = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        way_out = "check that the file is whole and of the format its name says"
        if layout:
            way_out = f"see the quote on line {layout.unpaired}: {QUOTES}" if layout.unpaired else QUOTES
        raise InputError(f"{path} cannot be read ({said}); {way_out}") from None


def file_format(path: Path) -> str | None:
    """The format that the name of ``path`` says, or None."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        inner = FORMATS.get(suffixes[-2]) if len(suffixes) > 1 else None
        return inner if inner == TEXT else None
    return FORMATS.get(suffixes[-1]) if suffixes else None


def stem(path: Path) -> str:
    """The name of a log: the file's without its endings, or the folder's."""
    name = path.resolve().name
    if path.is_dir():
        return name
    lowered = name.lower()
    for ending in sorted((a + b for a in FORMATS for b in ("", *COMPRESSIONS)), key=len, reverse=True):
        if lowered.endswith(ending):
            return name[: -len(ending)] or name
    return name


def find_parts(path: Path) -> list[Path]:
    """The data files of ``path``: itself, or those in the folder, by name.

    Raises:
        InputError: nothing is there, or not of one known format.
    """
    known = ", ".join(FORMATS) + "; text also with " + " or ".join(COMPRESSIONS)
    with readable(path):
        there = path.exists()
    if not there:
        raise InputError(f"{path} does not exist; give a log file ({known}) or a folder of such files")
    if not path.is_dir():
        if file_format(path) is None:
            raise InputError(f"{path} has no known ending; a log is one of {known}")
        _check_name(path)
        return [path]
    with readable(path):
        parts = [each for each in _shown(path) if each.is_file() and file_format(each)]
    if not parts:
        raise InputError(f"folder {path} holds no log file; a part is one of {known}")
    for part in parts:
        _check_name(part)
        if file_format(part) != file_format(parts[0]):
            raise InputError(
                f"folder {path} mixes formats: {parts[0].name} is {file_format(parts[0])} and {part.name} is "
                f"{file_format(part)}; keep parts of one format in it"
            )
    return parts


def not_read(path: Path) -> list[str]:
    """What else lies in the folder ``path``, by name; of a file nothing."""
    if not path.is_dir():
        return []
    return [f"{each.name}/" if each.is_dir() else each.name for each in _shown(path) if each not in find_parts(path)]


def _shown(folder: Path) -> list[Path]:
    return [each for each in sorted(folder.iterdir()) if each.name[0] not in "._"]


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise InputError(f"the name of {path} is not UTF-8 text; rename it") from None


def open_part(path: Path) -> Part:
    """The file at ``path``, lazily; ids and times of text stay text.

    Raises:
        InputError: it is empty, damaged, or its rows differ in length.
    """
    with readable(path):
        if file_format(path) == PARQUET:
            frame = pl.scan_parquet(path, row_index_name=ROW, glob=False, hive_partitioning=False)
            schema = frame.collect_schema()
            if not frame.select(pl.len()).collect().item():
                raise InputError(f"{path} has no rows; a log needs one row for each event")
            return Part(path, frame, schema.names()[1:], schema.dtypes()[1:], None)
        layout = read_layout(path)
        frame = pl.scan_csv(path, separator=layout.delimiter, infer_schema=False, row_index_name=ROW, glob=False)
        return Part(path, frame, layout.columns, [pl.String()] * len(layout.columns), layout)
