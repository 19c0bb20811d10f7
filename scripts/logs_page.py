"""Write docs/logs.md: the forms of logs that are read, from what the tests run (``python -m scripts.logs_page``)."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from scripts.log_forms import FORMS

PAGE = Path(__file__).parents[1] / "docs" / "logs.md"
MARK = "<!-- forms -->"


def page() -> str:
    """The text, with the table in its place."""
    before, _, after = PAGE.read_text(encoding="utf-8").partition(f"{MARK}\n")
    rest = after.partition(f"{MARK}\n")[2]
    return f"{before}{MARK}\n{_table()}{MARK}\n{rest}"


def _table() -> str:
    lines = []
    for group, forms in groupby(FORMS, key=lambda form: form.group):
        lines += [f"\n### {group}\n", "| form | command |", "|---|---|"]
        for form in forms:
            note = " (refused without these options; the message names them)" if form.asks else ""
            lines.append(f"| {form.what} | `{form.command.replace('|', chr(92) + '|')}`{note} |")
    return "\n".join(lines) + "\n\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
