"""Write docs/logs.md: the forms that are read, from what the tests run, and the usual names of columns."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from negsample.data.log.columns import USUAL_NAMES
from scripts.log_forms import FORMS

PAGE = Path(__file__).parents[1] / "docs" / "logs.md"
FORMS_AT, NAMES_AT = "<!-- forms -->", "<!-- names -->"


def page() -> str:
    """The text, with the tables in their places."""
    names = "".join(f"- {role}: {', '.join(f'`{name}`' for name in names)}\n" for role, names in USUAL_NAMES.items())
    return _put(_put(PAGE.read_text(encoding="utf-8"), FORMS_AT, _table()), NAMES_AT, f"\n{names}\n")


def _put(text: str, mark: str, content: str) -> str:
    before, _, after = text.partition(f"{mark}\n")
    return f"{before}{mark}\n{content}{mark}\n{after.partition(f'{mark}' + chr(10))[2]}"


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
