"""Where the command line writes, and how it says that it cannot go on."""

from __future__ import annotations

import errno
import inspect
import io
import json
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from negsample.data.names import printable
from negsample.errors import FailedError, InputError
from negsample.files.atomic import ENDING
from negsample.parallel.launch import INTERRUPTED, launched_rank, launched_size
from negsample.runs.shortage import WAYS_OUT, is_shortage


class Output(Console):
    """The terminal, or what reads from us; when that goes away (``| head``) the work goes on unseen."""

    def plain(self, text: str, style: str | None = None) -> None:
        """``text`` as it stands, on one line however long: paths and names are neither read as markup nor broken."""
        self.print(text, style=style, highlight=False, markup=False, soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """What is written from now on goes nowhere."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())


_WIDTH = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 100
out = Output(width=_WIDTH)
"""Results, for people: on stdout; nowhere with ``--json``."""
notes = Output(width=_WIDTH)
"""What is said on the way to them, and progress: on stdout, with ``--json`` on stderr; nowhere with ``--quiet``."""
_documents = Output()
_documents.quiet = True


def result(document: Mapping[str, Any]) -> None:
    """Print what a command gives as one JSON object on stdout, where ``--json`` asks for it."""
    if not _documents.quiet:
        _documents.plain(json.dumps(document, indent=2, allow_nan=False, default=str))


def keeps_work() -> None:
    """Says that what this command finishes is kept when it is interrupted, and the same command carries on."""
    global _afterwards
    _afterwards = "what is finished is kept, the same command carries on"


_afterwards = "the same command begins anew"


def be_silent() -> None:
    """Print nothing from now on but errors: of several processes one speaks."""
    out.quiet = notes.quiet = _documents.quiet = True


def speaking(command: Callable[..., None]) -> Callable[..., None]:
    """``command`` with the options ``--quiet`` and ``--json``."""

    @wraps(command)
    def run(*, quiet: bool, as_json: bool, **given: Any) -> None:
        out.quiet, _documents.quiet = as_json, not as_json
        notes.quiet, notes.stderr = quiet, as_json
        try:
            command(**given)
        except BrokenPipeError as error:  # not of what reads from us: Typer would end with 1, without a word
            if isinstance(error.__context__, KeyboardInterrupt):
                raise error.__context__ from error
            raise OSError("a process that works for this one was lost; give the same command again") from error

    signature = inspect.signature(command, eval_str=True)
    kept = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in signature.parameters.values()]
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Annotated[bool, option])
        for name, option in _SPEAKING.items()
    ]
    vars(run)["__signature__"] = signature.replace(parameters=[*kept, *own])
    run.__annotations__ = {each.name: each.annotation for each in (*kept, *own)}
    return run


_SPEAKING = {
    "quiet": typer.Option("--quiet", "-q", help="Print only results and errors.", rich_help_panel="Output"),
    "as_json": typer.Option(
        "--json", help="Print the result as a JSON object on stdout, all else on stderr.", rich_help_panel="Output"
    ),
}


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
        code = INTERRUPTED
    except OSError as error:
        code = _refuse(_of_the_system(error))
    except (MemoryError, RuntimeError, ImportError) as error:
        if not is_shortage(error):
            raise
        code = _refuse(WAYS_OUT)
    if code == INTERRUPTED:
        say(f"interrupted; {_afterwards}")
    return code


def _usage(error: typer.TyperException) -> str:
    """What Typer says of a command line that it cannot read, and where to look."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "negsample"
    said = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(". ") or "no command given"
    commands = getattr(context.command, "commands", None) if context else None
    known = f"; the commands are: {', '.join(commands)}" if commands else ""
    return f"{said[:1].lower()}{said[1:]}{known} (see `{command} --help`)"


def _of_the_system(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = error.filename or "a disk (of --out, $TMPDIR or $NEGSAMPLE_CACHE)"
        return f"no space is left on {where}; free some: {_afterwards}"
    path = Path(str(error.filename or "the system"))
    for hidden in (path, *path.parents):  # where the atomic writer writes
        if hidden.name.endswith(ENDING):
            return f"cannot write to {hidden.parent}: {error.strerror}; work on a copy where you can write"
    return f"{path}: {error.strerror or error}"


def _refuse(message: str) -> int:
    say(f"error: {message}")
    return 2


def say(message: str) -> None:
    """One line on stderr, whatever stands in the names that the message quotes."""
    line = printable(message if launched_size() == 1 else f"process {launched_rank()}: {message}")
    with suppress(OSError):  # nobody listens
        print(line, file=sys.stderr, flush=True)
