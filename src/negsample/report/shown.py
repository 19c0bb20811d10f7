"""A small table of texts, as the page shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class ShownTable(NamedTuple):
    """``label``: what it is, for who cannot see it. ``lines``: texts, as many as ``headings``. ``methods``: whether
    the first column names methods. ``kind``: classes of style: ``text`` where cells are words, ``claims`` where a line
    is about a claim and not a method."""

    label: str
    headings: Sequence[str]
    lines: Sequence[Sequence[str]]
    methods: bool = False
    kind: str = ""

    def without_empty(self) -> ShownTable:
        """The same without the columns that are empty in every line."""
        kept = [at for at in range(len(self.headings)) if any(line[at] for line in self.lines)]
        lines = [[line[at] for at in kept] for line in self.lines]
        return self._replace(headings=[self.headings[at] for at in kept], lines=lines)
