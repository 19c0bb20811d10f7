"""Where the command line writes, and how it says that it cannot go on."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from negsample.data.names import printable
from negsample.errors import FailedError, InputError
from negsample.runs.shortage import WAYS_OUT, is_shortage


class Output(Console):
    """The terminal, or what reads from us; when that goes away (``| head``) the work goes on unseen."""

    def plain(self, text: str, style: str | None = None) -> None:
        """``text`` as it stands, on one line however long: paths and names are neither read as markup nor broken."""
        self.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """What is written from now on goes nowhere."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


out = Output(width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else 100)


def table_of(*columns: str, words: Sequence[str] = ()) -> Table:
    """A table of a name and of numbers; columns of ``words`` are broken over lines."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
    for number, column in enumerate(columns):
        left = not number or column in words
        table.add_column(column, justify="left" if left else "right", no_wrap=column not in words)
    return table


def facts_of(facts: Iterable[tuple[str, str]]) -> Table:
    """Two columns: what something is called, and what it is."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2))
    for label, text in facts:
        table.add_row(Text(label, style="dim"), Text(text))
    return table


def counted(number: int, what: str, several: str = "") -> str:
    """``1 event``, ``2,000 events``; ``several``: where that is not ``what`` with an s."""
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def exit_code(app: typer.Typer) -> int:
    """Run ``app``: 0 done, 2 the input or a setting is wrong (one line on stderr), 3 runs failed (a line each), 130
    interrupted."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that lacks a letter is no reason to stop
    try:
        code: int = app(standalone_mode=False)
    except InputError as error:
        code = _refuse(str(error))
    except FailedError as error:
        for line in error.lines:
            say(f"failed: {line}")
        say(f"{len(error.lines)} failed; all else is kept, and the same command tries again what failed")
        code = 3
    except typer.TyperException as error:
        code = _refuse(_usage(error))
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    except OSError as error:
        code = _refuse(f"{error.filename or 'the system'}: {error.strerror or error}")
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):
            raise
        code = _refuse(WAYS_OUT)
    if code == 130:
        say("interrupted; what is finished is kept, the same command carries on")
    return code


def _usage(error: typer.TyperException) -> str:
    """What Typer says of a command line that it cannot read, and where to look."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "negsample"
    said = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(". ") or "no command given"
    commands = getattr(context.command, "commands", None) if context else None
    known = f"; the commands are: {', '.join(commands)}" if commands else ""
    return f"{said[:1].lower()}{said[1:]}{known} (see `{command} --help`)"


def _refuse(message: str) -> int:
    say(f"error: {message}")
    return 2


def say(message: str) -> None:
    """One line on stderr, whatever stands in the names that the message quotes."""
    line = printable(message)
    with suppress(OSError):  # nobody listens
        print(line, file=sys.stderr, flush=True)
