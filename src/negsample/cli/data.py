"""The commands of ``negsample data``: list the public datasets, and fetch them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from negsample.cli import complete
from negsample.cli.console import keeps_work, notes, out, result, speaking
from negsample.cli.help import HelpfulCommand, HelpfulGroup
from negsample.cli.options import ReadSettings
from negsample.cli.tables import show_facts, show_table, table_of
from negsample.errors import InputError

if TYPE_CHECKING:
    from negsample.data.sources.fetched import Fetched
    from negsample.data.sources.source import Source

app = typer.Typer(
    cls=HelpfulGroup, help="List public datasets, and fetch them from their publishers.", no_args_is_help=True
)


def inspect_command(
    logs: Annotated[
        list[str],
        typer.Argument(
            help="A log: a file, or several that are its parts, a folder, a pattern, FILE::TABLE, an address, or -.",
            metavar="LOG",
        ),
    ],
    *,
    reading: ReadSettings,
) -> None:
    """Look at a log: how it is read, what is in it, what is doubtful, and the command to begin with."""
    from negsample.data.inspection import inspect

    check_are_logs(logs)
    found = inspect(logs[0] if len(logs) == 1 else logs, reading)
    show_facts(out, found.facts)
    for title, lines in (("How it was read", found.notes), ("Questions to you", found.questions)):
        if lines:
            out.plain(f"{title}:", style="bold")
        for line in lines:
            out.plain(f"- {line}")
    out.plain("To compare methods on it:", style="bold")
    out.plain(f"  {found.command}")
    result({"facts": dict(found.facts), "notes": found.notes, "questions": found.questions, "command": found.command})


def check_are_logs(names: Sequence[str]) -> None:
    """Refuses the name of a known dataset, which is no log of one's own."""
    from negsample.data.bundled import BUNDLED
    from negsample.data.sources.catalogue import SOURCES

    for name in names:
        if name in {*BUNDLED, *SOURCES} and not Path(name).exists():
            raise InputError(
                f"'{name}' is the name of a known dataset, which needs no preparing; "
                f"use the name itself, for example: negsample compare {name} --out DIR"
            )


@app.command("list", cls=HelpfulCommand)
@speaking
def list_known() -> None:
    """List the known datasets: events, whether they are on this machine, content, address and terms."""
    from negsample.data.bundled import BUNDLED
    from negsample.data.sources.catalogue import families

    table = table_of("name", "events", "here", "what", words=["what"])
    addresses = []
    known = []
    for name, bundled in BUNDLED.items():
        table.add_row(name, f"{bundled.events:,}", "bundled", bundled.what)
        known.append(_entry(name, bundled.events, "bundled", bundled.what, bundled.page, bundled.terms))
        addresses.append(f"{name}: {bundled.page}\n    {bundled.terms}")
    for name, sources in families().items():
        here = [(source.name, source, _here(source)) for source in sources]
        known += [_entry(each, source.events, at, source.what, source.page, source.terms) for each, source, at in here]
        if len(sources) > 1:
            words = ", ".join(source.name.removeprefix(source.family) for source in sources)
            table.add_row(name, "", "", f"{sources[0].what.split(':')[0]}, by category; see below")
            addresses.append(f"{name}: {sources[0].page}\n    {sources[0].terms}\n    CATEGORY is one of {words}.")
            here = [each for each in here if each[2] != "no"]
        else:
            address = sources[0].address or f"{sources[0].page} ({sources[0].gate})"
            addresses.append(f"{name}: {address}\n    {sources[0].terms}")
        for each, source, where in here:
            table.add_row(each, _events(source), where, source.what)
    show_table(out, table)
    for lines in addresses:
        out.plain(lines)
    out.plain("`negsample data fetch NAME` gets one; its name is then a DATASET for every command.")
    result({"datasets": known})


def _entry(name: str, events: int | str, here: str, what: str, page: str, terms: str) -> dict[str, Any]:
    return {"name": name, "events": events, "here": here, "what": what, "page": page, "terms": terms}


@app.command(cls=HelpfulCommand)
@speaking
def fetch(
    name: Annotated[
        str, typer.Argument(help="A name of `negsample data list`.", autocompletion=complete.public_datasets)
    ],
    given: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="The official archive, or what is in it, if you have it already.",
        ),
    ] = None,
) -> None:
    """Download a public dataset, or take it from a file; its checksum is compared."""
    from negsample.data.bundled import BUNDLED
    from negsample.data.load import public_dataset
    from negsample.data.sources.fetch import fetch as fetch_source
    from negsample.data.sources.fetched import fetched

    if name in BUNDLED:
        out.plain(f"{name} is bundled: there is nothing to fetch")
        result({"name": name, "file": None, "official": True})
        return
    source = public_dataset(name)
    there = fetched(source)
    if there:
        out.plain(f"{name} is fetched already: {there.path}")
        _print_note(there)
        if given is not None:
            notes.plain(f"{given} was not read; to use it instead, delete {there.path.parent} first")
        result({"name": name, "file": there.path, "official": there.official})
        return
    if given is None:
        keeps_work()
    with _progress_of(name) as progress:
        there = fetch_source(source, given, progress=progress)
    out.plain(f"Fetched {name}: {there.path}")
    _print_note(there)
    out.plain(f"Terms: {source.terms}")
    out.plain(f"To cite: {source.citation}")
    notes.plain(f"Use it by its name: negsample compare {name} --out DIR")
    result({"name": name, "file": there.path, "official": there.official})


@contextmanager
def _progress_of(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A live line in a terminal; what is yielded is called with the bytes that are there, and all of them."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), DownloadColumn())
    speed = (TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, *speed, console=notes, transient=True, disable=not notes.is_terminal) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, whole: bar.update(task, completed=done, total=whole)


def _events(source: Source) -> str:
    return f"{source.events:,}" if isinstance(source.events, int) else f"about {source.events}"


def _here(source: Source) -> str:
    from negsample.data.sources.fetched import fetched

    try:
        there = fetched(source)
    except InputError:
        return "damaged"
    return {True: "fetched", None: "fetched, unsure", False: "NOT OFFICIAL"}[there.official] if there else "no"


def _print_note(there: Fetched) -> None:
    out.plain(there.note(), style="bold red" if there.official is False else None)
