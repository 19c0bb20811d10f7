"""The commands of ``negsample data``: list the public datasets, and fetch them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from negsample.cli.console import facts_of, out, table_of
from negsample.cli.options import ReadSettings
from negsample.errors import InputError

if TYPE_CHECKING:
    from negsample.data.sources.fetched import Fetched
    from negsample.data.sources.source import Source

app = typer.Typer(help="List public datasets, and fetch them from their publishers.", no_args_is_help=True)


def inspect_command(
    logs: Annotated[
        list[str],
        typer.Argument(
            help="A log: a file, or several that are its parts, a folder, a pattern, FILE::TABLE, an address, or -.",
            metavar="LOG...",
        ),
    ],
    *,
    reading: ReadSettings,
) -> None:
    """Look at a log: how it is read, what is in it, what is doubtful, and the command to begin with."""
    from negsample.data.inspection import inspect

    found = inspect(logs[0] if len(logs) == 1 else logs, reading)
    out.print(facts_of(found.facts))
    for title, lines in (("How it was read", found.notes), ("Questions to you", found.questions)):
        if lines:
            out.plain(f"{title}:", style="bold")
        for line in lines:
            out.plain(f"- {line}")
    out.plain("To compare methods on it:", style="bold")
    out.plain(f"  {found.command}")


@app.command("list")
def list_known() -> None:
    """List the known datasets: events, whether they are on this machine, content, address and terms."""
    from negsample.data.bundled import BUNDLED
    from negsample.data.sources.catalogue import families

    table = table_of("name", "events", "here", "what", words=["what"])
    addresses = []
    for name, bundled in BUNDLED.items():
        table.add_row(name, f"{bundled.events:,}", "bundled", bundled.what)
        addresses.append(f"{name}: {bundled.page}\n    {bundled.terms}")
    for name, sources in families().items():
        here = [(source.name, source, _here(source)) for source in sources]
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
    out.print(table)
    for lines in addresses:
        out.plain(lines)
    out.plain("`negsample data fetch NAME` gets one; its name is then a DATASET for every command.")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A name of `negsample data list`.")],
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
        return
    source = public_dataset(name)
    there = fetched(source)
    if there:
        out.plain(f"{name} is fetched already: {there.path}")
        _print_note(there)
        if given is not None:
            out.plain(f"{given} was not read; to use it instead, delete {there.path.parent} first")
        return
    with _progress_of(name) as progress:
        there = fetch_source(source, given, progress=progress)
    out.plain(f"Fetched {name}: {there.path}")
    _print_note(there)
    out.plain(f"Terms: {source.terms}")
    out.plain(f"To cite: {source.citation}")
    out.plain(f"Use it by its name: negsample compare {name} --out DIR")


@contextmanager
def _progress_of(name: str) -> Iterator[Callable[[int, int | None], None]]:
    """A live line in a terminal; what is yielded is called with the bytes that are there, and all of them."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), DownloadColumn())
    speed = (TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, *speed, console=out, transient=True, disable=not out.is_terminal) as bar:
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
