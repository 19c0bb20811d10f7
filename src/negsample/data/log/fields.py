"""The fields of each row of delimited text, counted in one streaming pass over its lines.

Polars fills short rows with nulls and ignores surplus fields of columns that are not selected, so it would not say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from negsample.data.log.layouts import sequences_in
from negsample.data.log.quotes import doubtful, is_numeric, records, refuse_swallowed
from negsample.errors import InputError, shown

if TYPE_CHECKING:
    from negsample.data.log.delimited import Layout


def counted(layout: Layout) -> Layout:
    """``layout`` with its rows, the blank ones, and what its quotes are.

    Raises:
        InputError: a row has too few or too many fields, or is the header again.
    """
    delimiter, columns = layout.delimiter, layout.columns
    line, number = pl.col("line"), pl.col("number")
    quoted = line.str.contains('"', literal=True)
    plain, header = delimiter in ("::", " "), layout.header
    bare = line if plain else pl.when(quoted).then(line.str.replace_all('"[^"]*"', "")).otherwise(line)
    blank = line.str.strip_chars(" ") == ""

    def fields_in(text: pl.Expr) -> pl.Expr:
        return (
            text.str.count_matches(r"\S+") if delimiter == " " else text.str.count_matches(delimiter, literal=True) + 1
        )

    lines = pl.scan_lines(layout.file, row_index_name="number", glob=False).filter(number >= layout.first)
    again = (line.str.strip_chars_end("\r") == layout.head) & pl.lit(header)
    odd = quoted | again | (fields_in(line) != len(columns))
    rows, odd_ones = lines.select(rows=pl.len(), odd=odd.sum()).collect(engine="streaming").row(0)
    if not odd_ones:
        return layout._replace(rows=rows, quoted=not plain)
    fields = fields_in(bare)
    ragged, literally = ~blank & (fields != len(columns)), ~blank & (fields_in(line) != len(columns))
    facts = lines.select(
        rows=pl.len(),
        blank=blank.sum(),
        doubtful=pl.lit(False) if plain else doubtful(line, delimiter).any(),
        unpaired=(pl.lit(None) if plain else number.filter(bare.str.contains('"', literal=True)).first() + 1),
        as_text=~literally.any(),
        again=number.filter(again).first(),
        ragged=number.filter(ragged).first(),
        fields=fields.filter(ragged).first(),
    )
    rows, blanks, doubted, unpaired, as_text, header_row, row, found = facts.collect(engine="streaming").row(0)
    if header_row is not None:
        raise InputError(
            f"{layout.path}, row {header_row} (line {header_row + 1}) is the header again; leave such lines out "
            f"between rows, or add --no-header if the first line is a row"
        )
    layout = layout._replace(rows=rows, blank=blanks, unpaired=unpaired, doubtful=doubted, quoted=not plain)
    if doubted and as_text and delimiter == "\t":
        return layout._replace(quoted=False)
    if unpaired is not None:
        rows, blanks = _count_slowly(layout)
        return layout._replace(rows=rows, blank=blanks)
    if row is not None:
        if sequences_in(layout.sample):
            raise InputError(
                f"{layout.path}: its lines have from {min(map(len, layout.sample))} to {max(map(len, layout.sample))} "
                f"fields, as where each line is a user and the items in their order, without times; read it with "
                f"--sequences --split leave-one-out"
            )
        _refuse(layout, row + 1 - layout.first, row + 1, found)
    return layout


def _count_slowly(layout: Layout) -> tuple[int, int]:
    """Rows and blank ones, for quoted fields that go over several lines."""
    rows, blank, columns = 0, 0, layout.columns
    numeric: list[bool] = []
    for rows, (line, fields) in enumerate(records(layout), 1 - layout.first):
        if not fields or (len(fields) == 1 and not fields[0].strip(" ")):
            blank += 1
        elif len(fields) != len(columns):
            _refuse(layout, rows, line, len(fields))
        elif rows:
            numeric = numeric or [is_numeric(field) for field in fields]
            refuse_swallowed(layout.path, rows, line, fields, layout.delimiter, numeric)
    return rows, blank


def _refuse(layout: Layout, row: int, line: int, fields: int) -> None:
    count, holder = len(layout.columns), "the header" if layout.header else "the first line"
    raise InputError(
        f"{layout.path}, row {row} (line {line}): {fields} field{'s' if fields != 1 else ''}, {holder} has "
        f"{count} ({shown(layout.head)}, separated by {shown(layout.delimiter)}); every row needs as many (a field "
        f"that holds the delimiter must be in quotes)"
    )
