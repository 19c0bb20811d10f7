"""What is known of a public dataset: its official files, and how the one with the events becomes a log."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

Shape = Callable[[pl.LazyFrame], tuple[pl.LazyFrame, list[str]]]


class Official(NamedTuple):
    """A file as its publisher has it: ``size`` in bytes, checksums in hex digits; None: not known."""

    name: str
    size: int | None = None
    md5: str | None = None
    sha256: str | None = None


class Form(NamedTuple):
    """How the lines of a file look.

    ``pattern``: a whole line, with groups ``user``, ``item`` and ``time`` (whole numbers since 1970 in
    ``unit``) and whatever else the shape asks for. ``row``: the same for people. ``headers``: lines that name
    the columns, as they are published; they are no rows, wherever they stand. ``other``: a line of a file that looks
    like this one and means something else, and in words what that file is.
    """

    pattern: str
    row: str
    headers: tuple[str, ...] = ()
    unit: str = "seconds"
    other: tuple[str, str] | None = None


def as_it_is(rows: pl.LazyFrame) -> tuple[pl.LazyFrame, list[str]]:
    """All rows, in the order of the file."""
    return rows.select("user", "item", "time"), []


class Source(NamedTuple):
    """A public dataset.

    ``events``: rows of the official file. ``page``: where it is described. ``address``: of ``archive``, or of
    ``file`` where there is none; None: it is given out to those with an account only. ``file``: what holds the
    events, by itself or in the archive. ``shape``: from its rows (``user``, ``item`` as text, ``time`` in
    microseconds since 1970, other groups of the form as text) to those of the log, and a sentence on each thing it
    does. ``at_least``: events that users and items have at least, both counted once over the log. ``rule``: goes up
    when form or shape give another log.
    """

    name: str
    what: str
    events: int
    page: str
    address: str | None
    archive: Official | None
    file: Official
    form: Form
    terms: str
    citation: str
    shape: Shape = as_it_is
    at_least: int = 1
    rule: int = 1

    def names(self) -> str:
        """The files that a person may bring."""
        return " or ".join(each.name for each in (self.archive, self.file) if each)
