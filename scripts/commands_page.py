"""`python -m scripts.commands_page`: makes `docs/reference/commands.md` from the command line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from negsample.cli import PANELS, app

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "commands.md"
WORDS = {"int range": "N", "int": "N", "float": "X", "float range": "X", "str": "TEXT", "path": "PATH"}
"""Short words for the types of values."""


def page() -> str:
    """The whole page."""
    root: Any = typer.main.get_command(app)
    panels = {name: panel for panel, commands in PANELS.items() for name in commands}
    by_panel = {
        panel: [name for name in root.commands if panels.get(name, "Data") == panel] for panel in PANELS
    }  # `data`, which has commands of its own, is in none of PANELS
    parts = [
        f"""# Commands

{root.help}

Made from the command line itself (`python -m scripts.commands_page`); `negsample COMMAND --help` shows the same.
Exit codes: 0 done; 2 the input or a setting is wrong; 3 runs failed; 130 interrupted.
"""
    ]
    for panel, names in by_panel.items():
        rows = [
            f"| [`negsample {name}`](#negsample-{name}) | {_cell(root.commands[name].help.splitlines()[0])} |\n"
            for name in names
        ]
        parts.append(f"| {panel} | |\n|---|---|\n{''.join(rows)}")
    context = typer.Context(root, info_name="negsample")
    for name in (name for names in by_panel.values() for name in names):
        parts += _sections(f"negsample {name}", root.commands[name], context)
    return "\n".join(parts)


def _sections(name: str, command: Any, parent: typer.Context) -> Iterator[str]:
    """The parts of the page about ``command``, and about the commands that it has."""
    context = typer.Context(command, info_name=name.rpartition(" ")[2], parent=parent)
    usage = " ".join(re.sub(r"[{}]", "", each).upper() for each in command.collect_usage_pieces(context))
    records = [record for param in command.params if (record := param.get_help_record(context))]
    options = "".join(f"| `{_name(shown)}` | {_cell(says)} |\n" for shown, says in records)
    yield f"## `{name}`\n\n{command.help}\n\n```console\n$ {name} {usage}\n```\n"
    if options:
        yield f"| argument or option | meaning |\n|---|---|\n{options}"
    for sub, each in getattr(command, "commands", {}).items():
        yield from _sections(f"{name} {sub}", each, context)


def _name(shown: str) -> str:
    """An option with a word for its value, and an argument as the usage has it."""
    shown = re.sub(r" <list\[\w+\]>", "", shown)
    shown = re.sub(r"<([^>]+)>", lambda match: WORDS.get(match[1], match[1]), shown)
    return (shown if shown.startswith("-") else shown.split(" ")[0].upper()).replace("|", "\\|")


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").replace("<", "\\<")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
