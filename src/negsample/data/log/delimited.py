"""The layout of a delimited text file: its delimiter, its header and its rows, which have as many fields."""

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

from negsample.data.log.columns import is_data
from negsample.data.log.fields import counted
from negsample.data.log.files import NoRowsError
from negsample.data.log.layouts import DELIMITERS, Known, known_layout, sequences_in
from negsample.data.log.quotes import records
from negsample.errors import InputError

_SAMPLE = 1000
"""Lines that show what a file without a header holds."""
_FEW = 50
"""Lines that show its delimiter."""
_TYPED = re.compile(r"(.+):(token|float|token_seq|float_seq)$")  # a column of RecBole's atomic files


class Layout(NamedTuple):
    """Delimiter, columns and size of a text file.

    ``file``: what is read; ``path``: as a person knows it. ``rows`` counts as Polars does: blank lines (``blank`` of
    them) are empty rows. ``unpaired`` is the first line with an open quote: a field goes over several lines there, or a
    quote is misplaced. ``doubtful``: whether a quote may be read in two ways. ``header``: the first
    line names the columns; without one they are numbered from 1, or named as the ``known`` layout has them. ``quoted``:
    quotes mark fields, else they are text. ``head``: its first line; ``sample``: the fields of its first lines.
    """

    path: Path
    file: Path
    delimiter: str
    columns: list[str]
    rows: int
    blank: int
    unpaired: int | None
    doubtful: bool
    header: bool
    quoted: bool
    known: Known | None
    head: str
    sample: list[list[str]]

    @property
    def first(self) -> int:
        """The number of lines before the first row."""
        return int(self.header)


def read_layout(path: Path, file: Path, header: bool = True) -> Layout:
    """The layout of the text ``file``, shown as ``path``; ``header``: False where its first line is a row.

    A first line that is data is none of a header either, where the layout is a known one. A file that is
    no UTF-8 text, or has a row with too few or too many fields, is refused.

    Raises:
        NoRowsError: it is empty, or has a header alone.
    """
    with utf8(path, file):
        head = pl.scan_lines(file, n_rows=_SAMPLE, glob=False).collect()["line"].to_list()
        first = head[0].removeprefix("\ufeff") if head else ""
        if not head:
            raise NoRowsError(f"{path} is empty; a log needs a first line that names its columns, and rows")
        if "\0" in first:
            raise InputError(
                f"{path} is not UTF-8 text (a zero byte on line 1); save it as UTF-8 text, or Parquet, or name its "
                f"encoding, such as --encoding utf-16"
            )
        if not first.strip():
            raise InputError(f"line 1 of {path} is blank; it must name the columns")
        if "\r" in first:
            raise InputError(f"the lines of {path} end in CR alone; save it with LF or CR LF")
        head[0] = first = first.rstrip("\r")
        delimiter = _delimiter(head)
        sample = [_first(head, delimiter), *(_split(line, delimiter) for line in head[1:] if line.strip())]
        header = header and not (is_data(sample[0]) and (known_layout(delimiter, sample) or sequences_in(sample)))
        known = None if header else known_layout(delimiter, sample)
        columns = (
            _names(sample[0]) if header else known.columns if known else list(map(str, range(1, len(sample[0]) + 1)))
        )
        layout = counted(Layout(path, file, delimiter, columns, 0, 0, None, False, header, True, known, first, sample))
    if layout.rows == layout.blank:
        raise NoRowsError(f"{path} has a header but no rows; a log needs one row for each event")
    return layout


def _delimiter(head: list[str]) -> str:
    """That with the most fields, rather one that as many are in all lines of, and that no space follows; spaces where
    there is no other."""
    found: dict[str, tuple[bool, bool, int]] = {}
    for mark in DELIMITERS:
        fields = _first(head, mark)
        alike = all(len(_split(line, mark)) == len(fields) for line in head[1:_FEW] if line.strip())
        if mark != " " and len(fields) > 1:
            found[mark] = alike, not all(field.startswith(" ") for field in fields[1:]), len(fields)
    if found:
        return max(found, key=lambda mark: found[mark])
    return " " if len(head[0].split()) > 1 else ","


def _first(head: list[str], delimiter: str) -> list[str]:
    """The fields of the first row, of which one in quotes may go over several lines."""
    if delimiter not in ("::", " "):
        for count in range(1, min(_FEW, len(head)) + 1):
            text = "\n".join(head[:count])
            if not re.search(rf'(?:^|{re.escape(delimiter)})"', re.sub('"[^"]*"', "", text)):
                # Quotes are often text where tabs are the delimiter: then they seldom open and close fields.
                return _split(text if delimiter != "\t" or _well_quoted(text) else head[0], delimiter)
    return _split(head[0], delimiter)


def _well_quoted(text: str) -> bool:
    """Whether each quote of a row of tab-separated text opens or closes a field, or is doubled."""
    try:
        return len(list(csv.reader(text.splitlines(keepends=True), delimiter="\t", strict=True))) == 1
    except csv.Error:
        return False


def _split(line: str, delimiter: str) -> list[str]:
    if delimiter in ("::", " "):
        return line.split(delimiter if delimiter == "::" else None)
    try:
        return next(csv.reader([line.replace("\r", " ")], delimiter=delimiter), [""])
    except csv.Error:  # a field that is too long
        return line.split(delimiter)


def _names(fields: list[str]) -> list[str]:
    """Without the types that RecBole's files have beside all names."""
    typed = [_TYPED.match(field) for field in fields]
    return [each[1] for each in typed if each] if all(typed) else fields


@contextmanager
def utf8(path: Path, file: Path | None = None) -> Iterator[None]:
    """Turns what Polars says of a file that is no UTF-8 text into one line, an :class:`InputError`."""
    try:
        yield
    except pl.exceptions.PolarsError as error:
        if "utf" not in str(error).lower():
            raise
        line = _first_line_not_text(file or path)
        with (file or path).open("rb") as start:
            encoding = "utf-16" if start.read(2) in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        where = f" (see line {line})" if line else ""
        raise InputError(
            f"{path} is not UTF-8 text{where}; save it as UTF-8 text or as Parquet, or name its encoding, such as "
            f"--encoding {encoding}"
        ) from None


def line_of(layout: Layout, row: int) -> int:
    """The line (from 1, the header counted) where data row ``row`` (from 1) starts."""
    if layout.unpaired is None or not layout.quoted:
        return row + layout.first
    return next(line for number, (line, _) in enumerate(records(layout), 1 - layout.first) if number == row)


def frame_of(layout: Layout, row: str) -> pl.LazyFrame:
    """Its rows, all text, after their numbers in column ``row``."""
    if layout.delimiter not in ("::", " "):
        return pl.scan_csv(
            layout.file,
            separator=layout.delimiter,
            infer_schema=False,
            row_index_name=row,
            glob=False,
            has_header=layout.header,
            quote_char='"' if layout.quoted else None,
        )
    lines = pl.scan_lines(layout.file, glob=False).slice(layout.first).with_row_index(row)
    line = pl.col("line").str.strip_prefix("\ufeff").str.strip_suffix("\r")
    fields = line.str.split("::") if layout.delimiter == "::" else line.str.extract_all(r"\S+")
    count = len(layout.columns)
    named = {f"field_{at}": fields.list.get(at, null_on_oob=True) for at in range(count)}
    return lines.select(row, **named)


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
