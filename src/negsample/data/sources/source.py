"""A public dataset: its official files, and how the file with the events becomes a log."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from negsample.files.checksums import Sum

Shape = Callable[[pl.LazyFrame], tuple[pl.LazyFrame, list[str]]]


class Official(NamedTuple):
    """A file as its publisher has it: ``size`` in bytes, ``sha256`` in hex digits; None: not known."""

    name: str
    size: int | None = None
    sha256: str | None = None

    def verdict(self, found: Sum) -> tuple[bool | None, str]:
        """Whether a file is this one (None: it cannot be known), and if not, why."""
        if self.size not in (None, found.size):
            return False, f"it has {found.size:,} bytes, {self.name} has {self.size:,}"
        if self.sha256 is None:
            size = "size agrees, its checksum" if self.size else "size and checksum"
            return None, f"its {size} cannot be compared: none is known of {self.name}"
        if self.sha256 != found.sha256:
            return False, f"its sha256 is {found.sha256}, that of {self.name} is {self.sha256}"
        return True, ""


class Form(NamedTuple):
    """The form of the lines of a file.

    ``pattern``: a whole line, with groups ``user``, ``item`` and ``time`` (whole numbers since 1970 in
    ``unit``) and others that the shape needs. ``row``: the same for people. ``headers``: lines that name
    the columns, as they are published; they are no rows, wherever they stand. ``other``: the pattern of a line of a
    file that looks like this one and means something else, and a description of that file.
    """

    pattern: str
    row: str
    headers: tuple[str, ...] = ()
    unit: str = "seconds"
    other: tuple[str, str] | None = None


def all_rows(rows: pl.LazyFrame) -> tuple[pl.LazyFrame, list[str]]:
    """All rows, in the order of the file."""
    return rows.select("user", "item", "time"), []


class Source(NamedTuple):
    """A public dataset.

    ``events``: rows of the official file. ``page``: where it is described. ``address``: of ``archive``, or of
    ``file`` where there is none; None: the publisher asks for an account. ``file``: it holds the events, by itself or
    in the archive. ``shape``: from its rows (``user``, ``item`` as text, ``time`` in microseconds since 1970, other
    groups of the form as text) to those of the log, and a sentence on each step. ``at_least``: events that users and
    items have at least, both counted once over the log. ``rule``: a number, raised when form or shape give another log.
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
    shape: Shape = all_rows
    at_least: int = 1
    rule: int = 1

    def names(self) -> str:
        """The files that `--from` takes."""
        return " or ".join(each.name for each in (self.archive, self.file) if each)
