"""Tables on a terminal of any width: columns where there is room, else a block of lines for each row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP = 4  # columns between what things are called and what they are
_UNBOUNDED = 10_000  # columns of a terminal on which every table has room


def table_of(*columns: str, words: Sequence[str] = ()) -> Table:
    """A table of a name and of numbers; columns of ``words`` are broken over lines."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
    for number, column in enumerate(columns):
        left = not number or column in words
        table.add_column(column, justify="left" if left else "right", no_wrap=column not in words)
    return table


def show_table(out: Console, table: Table) -> None:
    """Print it; no word is broken and no figure cut. Where it has no room, its rows one below the other."""
    for column in table.columns:
        if not column.no_wrap:
            column.min_width = _longest(str(cell) for cell in column.cells)
    if _fits(out, table):
        out.print(table)
        return
    if table.title:
        out.print(table.title, style="bold")
    first, *others = table.columns
    cells = [list(column.cells) for column in others]
    for number, name in enumerate(first.cells):
        out.print(Text.assemble((f"{first.header}: ", "dim"), (str(name), "bold")))
        shown = ((str(column.header), of_column[number]) for column, of_column in zip(others, cells, strict=True))
        show_facts(out, ((label, cell if isinstance(cell, Text) else Text(str(cell))) for label, cell in shown))


def show_facts(out: Console, facts: Iterable[tuple[str, str | Text]]) -> None:
    """Print what things are called, and what they are, without those that are nothing: in two columns where these have
    room."""
    known = [(label, text if isinstance(text, Text) else Text(text)) for label, text in facts if str(text).strip()]
    room = out.width - _GAP - _longest(text.plain for _, text in known)  # for the labels
    if room < _longest(label for label, _ in known):
        for label, text in known:
            out.print(Text.assemble((f"{label}: " if label else "", "dim"), text))
        return
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, _GAP // 2))
    table.add_column(width=min(room, max((cell_len(label) for label, _ in known), default=1)))
    for label, text in known:
        table.add_row(Text(label, style="dim"), text)
    out.print(table)


def _longest(texts: Iterable[str]) -> int:
    """The columns that the longest word takes."""
    return max((cell_len(word) for text in texts for word in text.split()), default=1)


def counted(number: int, what: str, several: str = "") -> str:
    """``1 event``, ``2,000 events``; ``several``: where that is not ``what`` with an s."""
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def _fits(out: Console, table: Table) -> bool:
    """Whether the longest words stand in ``out`` unbroken."""
    return table.__rich_measure__(out, out.options.update(width=_UNBOUNDED)).minimum <= out.width
