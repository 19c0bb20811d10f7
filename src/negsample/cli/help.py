"""Help on a terminal that has no room for columns."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from shutil import get_terminal_size
from typing import Any

from rich.padding import Padding
from rich.text import Text
from typer.core import TyperCommand, TyperGroup

from negsample.cli.console import Output

_OF_COMMAND, _OF_GROUP = 90, 70  # columns from which on the panels of typer cut no word


class HelpfulCommand(TyperCommand):
    """A command whose help, on a narrow terminal, has its options one below the other: no word is cut."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print it."""
        if get_terminal_size().columns >= _OF_COMMAND:
            super().format_help(ctx, formatter)
        else:
            _print(self, ctx, ())


class HelpfulGroup(TyperGroup):
    """A group of commands whose help is readable like theirs."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print it."""
        if get_terminal_size().columns >= _OF_GROUP:
            super().format_help(ctx, formatter)
        else:
            _print(self, ctx, ((name, each.help or "") for name, each in self.commands.items()))


def _print(command: TyperCommand | TyperGroup, ctx: Any, commands: Iterable[tuple[str, str]]) -> None:
    out = Output(width=get_terminal_size().columns, highlight=False)
    usage = re.sub("[{}]", "", " ".join(command.get_usage(ctx).split()[1:]))
    out.print(Text.assemble(("Usage: ", "bold"), usage))
    out.print()
    out.print(Text(_line(command.help or "")))
    options = (param.get_help_record(ctx) for param in command.get_params(ctx))
    for name, words in (*(each for each in options if each is not None), *commands):
        out.print(Text(name, style="bold cyan"))
        out.print(Padding(Text(_line(words)), (0, 0, 0, 4)))


def _line(text: str) -> str:
    return " ".join(inspect.cleandoc(text).split())
