"""The layout of a delimited text file: its delimiter, its header and its rows, which have as many fields.

Polars fills short rows with nulls and ignores surplus fields of columns that are not selected. So the fields of each
row are counted here, in one streaming pass over the lines.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import polars as pl

from negsample.errors import InputError

QUOTES = "a field that holds a quote must be in quotes, with that quote doubled"
_NUMERIC = re.compile(r"\s*[+-]?\d[\d\s.:TZ+-]*$")  # a number, a date or a time
DELIMITERS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "pipes"}


class Layout(NamedTuple):
    """Delimiter, columns and size of a text file.

    ``rows`` counts as Polars does: blank lines (``blank`` of them) are empty rows. ``unpaired`` is the first line
    with an open quote: a field goes over several lines there, or a quote is misplaced.
    """

    delimiter: str
    columns: list[str]
    rows: int
    blank: int
    unpaired: int | None


def read_layout(path: Path) -> Layout:
    """The layout of the text file at ``path``.

    One that is empty, no UTF-8 text, has no rows, or a row with too few or too many fields, is refused.
    """
    with utf8(path):
        head = pl.scan_lines(path, n_rows=1, glob=False).collect()["line"].to_list()
        header = head[0].removeprefix("\ufeff") if head else ""
        if not head:
            raise InputError(f"{path} is empty; a log needs a first line that names its columns, and rows")
        if "\0" in header:
            raise InputError(f"{path} is not UTF-8 text (a zero byte on line 1); save it as UTF-8 text, or Parquet")
        if not header.strip():
            raise InputError(f"line 1 of {path} is blank; it must name the columns")
        if "\r" in header:
            raise InputError(f"the lines of {path} end in CR alone; save it with LF or CR LF")
        splits = {mark: next(csv.reader([header], delimiter=mark), [""]) for mark in DELIMITERS}
        delimiter = max(splits, key=lambda mark: len(splits[mark]))
        layout = _count(path, delimiter, splits[delimiter])
    if layout.rows == layout.blank:
        raise InputError(f"{path} has a header but no rows; a log needs one row for each event")
    return layout


@contextmanager
def utf8(path: Path) -> Iterator[None]:
    """Turns what Polars says of a file that is no UTF-8 text into one line, an :class:`InputError`."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        if "utf" not in str(error).lower():
            raise
        line = _first_line_not_text(path)
        where = f" (see line {line})" if line else ""
        raise InputError(f"{path} is not UTF-8 text{where}; save it as UTF-8 text, or as Parquet") from None


def line_of(path: Path, layout: Layout, row: int) -> int:
    """The line (from 1, the header counted) where data row ``row`` (from 1) starts."""
    if layout.unpaired is None:
        return row + 1
    records = _records(path, layout.delimiter)
    return next(line for number, (line, _) in enumerate(records) if number == row)


def _count(path: Path, delimiter: str, columns: list[str]) -> Layout:
    line, number = pl.col("line"), pl.col("number")
    quoted = line.str.contains('"', literal=True)
    bare = pl.when(quoted).then(line.str.replace_all('"[^"]*"', "")).otherwise(line)
    blank = line.str.strip_chars(" ") == ""
    fields = bare.str.count_matches(delimiter, literal=True) + 1
    ragged = ~blank & (fields != len(columns))
    lines = pl.scan_lines(path, row_index_name="number", glob=False)
    facts = lines.filter(number > 0).select(
        rows=pl.len(),
        blank=blank.sum(),
        unpaired=number.filter(bare.str.contains('"', literal=True)).first() + 1,
        ragged=number.filter(ragged).first(),
        fields=fields.filter(ragged).first(),
    )
    rows, blanks, unpaired, row, found = facts.collect(engine="streaming").row(0)
    if unpaired is not None:
        rows, blanks = _count_slowly(path, delimiter, columns)
    elif row is not None:
        _refuse(path, row, row + 1, found, len(columns))
    return Layout(delimiter, columns, rows, blanks, unpaired)


def _count_slowly(path: Path, delimiter: str, columns: list[str]) -> tuple[int, int]:
    """Rows and blank ones, for quoted fields that go over several lines."""
    rows, blank = 0, 0
    numeric: list[bool] = []
    for rows, (line, fields) in enumerate(_records(path, delimiter)):
        if not fields or (len(fields) == 1 and not fields[0].strip(" ")):
            blank += 1
        elif len(fields) != len(columns):
            _refuse(path, rows, line, len(fields), len(columns))
        elif rows:
            numeric = numeric or [bool(_NUMERIC.match(field)) for field in fields]
            _refuse_swallowed(path, rows, line, fields, delimiter, numeric)
    return rows, blank


def _refuse_swallowed(path: Path, row: int, line: int, fields: list[str], delimiter: str, numeric: list[bool]) -> None:
    """Refuses a quoted field that holds text like rows: two misplaced quotes make one field of all between them."""

    def looks_like(text: str, like: list[bool]) -> bool:
        parts = text.split(delimiter)
        return len(parts) == len(like) and all(_NUMERIC.match(p) for p, n in zip(parts, like, strict=True) if n)

    for position, field in enumerate(fields):
        _, *whole, last = field.split("\n") if "\n" in field else ("", "")
        begun = numeric[:position] if delimiter == "\t" or position > 1 else []
        swallowed = any(numeric) and any(looks_like(each, numeric) for each in whole)
        if swallowed or (any(begun) and looks_like(last.rpartition(delimiter)[0], begun)):
            raise InputError(
                f"{path}, row {row} (line {line}): the quote that opens in it closes lines later, and the text "
                f"between looks like rows; {QUOTES}"
            )


def _records(path: Path, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each record of the file, header included, with the line where it starts."""
    batches = pl.scan_lines(path, glob=False).collect_batches()
    # A carriage return inside a line is white space to Polars, and an error to csv.
    lines = (f"{line}\n".replace("\r", " ") for batch in batches for line in batch["line"])
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    start = 1
    try:
        for fields in reader:
            yield start, fields
            start = reader.line_num + 1
    except csv.Error:
        raise InputError(
            f"{path}: the quote in the row that starts on line {start} is never closed, or closed inside of a field; "
            f"{QUOTES}"
        ) from None


def _refuse(path: Path, row: int, line: int, fields: int, expected: int) -> None:
    raise InputError(
        f"{path}, row {row} (line {line}): {fields} field{'s' if fields != 1 else ''}, the header has "
        f"{expected}; every row needs as many (a field that holds the delimiter must be in quotes)"
    )


def _first_line_not_text(path: Path) -> int | None:
    if path.suffix.lower() == ".zst":
        return None
    good = 0
    try:
        with gzip.open(path, "rb") if path.suffix.lower() == ".gz" else path.open("rb") as lines:
            for line in lines:
                line.decode()
                good += 1
    except UnicodeDecodeError:
        return good + 1
    except (OSError, EOFError, zlib.error):  # damaged, too
        pass
    return None
