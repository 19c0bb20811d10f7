"""Quotes in delimited text: which mark fields, and which may be read in two ways."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from negsample.errors import InputError, shown

if TYPE_CHECKING:
    from negsample.data.log.delimited import Layout

QUOTES = "a field that holds a quote must be in quotes, with that quote doubled"
_NUMERIC = re.compile(r"\s*[+-]?\d[\d\s.:TZ+-]*$")


def doubtful(line: pl.Expr, delimiter: str) -> pl.Expr:
    """Whether it is a line with a field that begins with a quote and is not in quotes, those in it doubled; or with a
    field that does not begin with one, and has one that is open at its end."""
    mark = re.escape(delimiter)
    field = rf'(?:[^"{mark}][^{mark}]*|"(?:[^"]|"")*"|)'
    is_open = rf'[^"{mark}\x{{feff}}](?:[^"{mark}]|"[^"{mark}]*")*"[^"{mark}]*'
    proper = line.str.contains(rf"^\x{{feff}}?{field}(?:{mark}{field})*\r?$")
    return line.str.contains('"', literal=True) & (
        ~proper | line.str.contains(rf"^\x{{feff}}?(?:{field}{mark})*{is_open}{mark}")
    )


def check_quotes(layout: Layout, names: Sequence[str]) -> None:
    """Refuses a file of which a field in one of these columns is in quotes, and holds a quote that is not doubled; and
    one with a field that is not in quotes, but holds a delimiter between two of them: it may be two fields."""
    if not layout.doubtful or not layout.quoted or layout.unpaired:
        return
    places = [layout.columns.index(name) for name in names if name in layout.columns]
    lines = pl.scan_lines(layout.file, row_index_name="number", glob=False)
    odd = lines.filter(doubtful(pl.col("line"), layout.delimiter)).collect(engine="streaming")
    for number, whole_line in odd.iter_rows():
        line = whole_line.removeprefix("\ufeff")
        masked = re.sub('"[^"]*"', lambda quoted: "x" * len(quoted[0]), line)
        ends = [at for at, mark in enumerate(masked) if mark == layout.delimiter]
        fields = [line[a:b].strip("\r") for a, b in zip([0, *(at + 1 for at in ends)], [*ends, len(line)], strict=True)]
        for place, field in enumerate(fields):
            quoted, whole = field.startswith('"'), re.fullmatch('"(?:[^"]|"")*"', field)
            if (quoted and not whole and place in places) or (not quoted and layout.delimiter in field):
                raise InputError(
                    f"{layout.path}, row {number + 1 - layout.first} (line {number + 1}): column "
                    f"'{layout.columns[place]}' is {shown(field)}; {QUOTES}"
                )


def is_numeric(field: str) -> bool:
    """Whether it is a number, a date or a time."""
    return _NUMERIC.match(field) is not None


def refuse_swallowed(path: Path, row: int, line: int, fields: list[str], delimiter: str, numeric: list[bool]) -> None:
    """Refuses a quoted field that holds text like rows: two misplaced quotes make one field of all between them."""

    def looks_like(text: str, like: list[bool]) -> bool:
        parts = text.split(delimiter)
        return len(parts) == len(like) and all(is_numeric(p) for p, n in zip(parts, like, strict=True) if n)

    for position, field in enumerate(fields):
        _, *whole, last = field.split("\n") if "\n" in field else ("", "")
        begun = numeric[:position] if delimiter == "\t" or position > 1 else []
        swallowed = any(numeric) and any(looks_like(each, numeric) for each in whole)
        if swallowed or (any(begun) and looks_like(last.rpartition(delimiter)[0], begun)):
            raise InputError(
                f"{path}, row {row} (line {line}): the quote that opens in it closes lines later, and the text "
                f"between looks like rows; {QUOTES}"
            )


def records(layout: Layout) -> Iterator[tuple[int, list[str]]]:
    """Each record of the file, header included, with the line where it starts."""
    batches = pl.scan_lines(layout.file, glob=False).collect_batches()
    # A carriage return inside a line is white space to Polars, and an error to csv.
    lines = (f"{line}\n".replace("\r", " ") for batch in batches for line in batch["line"])
    first = (next(lines, "").removeprefix("\ufeff"),)
    reader = csv.reader(chain(first, lines), delimiter=layout.delimiter, strict=True)
    start = 1
    try:
        for fields in reader:
            yield start, fields
            start = reader.line_num + 1
    except csv.Error:
        raise InputError(
            f"{layout.path}: the quote in the row that starts on line {start} is never closed, or closed inside of a "
            f"field; {QUOTES}"
        ) from None
