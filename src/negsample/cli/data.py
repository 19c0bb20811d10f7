"""The verbs of ``negsample data``: list the public datasets, and fetch them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from negsample.cli.console import out
from negsample.errors import InputError

if TYPE_CHECKING:
    from negsample.data.sources.fetched import Fetched
    from negsample.data.sources.source import Source

app = typer.Typer(help="List public datasets, and fetch them from their publishers.", no_args_is_help=True)


@app.command("list")
def list_known() -> None:
    """List the known datasets: events, whether they are on this machine, content, address and terms."""
    from rich import box
    from rich.table import Table

    from negsample.data.bundled import BUNDLED
    from negsample.data.sources.source import SOURCES

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
    for column in ("name", "events", "here", "what"):
        table.add_column(column, justify="right" if column == "events" else "left", no_wrap=column != "what")
    addresses = []
    for name, bundled in BUNDLED.items():
        table.add_row(name, f"{bundled.events:,}", "bundled", bundled.what)
        addresses.append(f"{name}: {bundled.page}\n    {bundled.terms}")
    for name, source in SOURCES.items():
        table.add_row(name, f"{source.events:,}", _here(source), source.what)
        addresses.append(f"{name}: {source.address or f'{source.page} (asks for an account)'}\n    {source.terms}")
    out.print(table)
    for lines in addresses:
        out.plain(lines)
    out.plain("`negsample data fetch NAME` gets one; its name is then a DATASET for every command.")


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A name of `negsample data list`.")],
    given: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="The official archive, or the file in it, that you have already."),
    ] = None,
) -> None:
    """Download a public dataset, or take it from a file; its checksum is compared."""
    from negsample.cli.progress import coming
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
    with coming(out, name) as progress:
        there = fetch_source(source, given, progress=progress)
    out.plain(f"Fetched {name}: {there.path}")
    _print_note(there)
    out.plain(f"Terms: {source.terms}")
    out.plain(f"To cite: {source.citation}")
    out.plain(f"Use it by its name: negsample compare {name} --out DIR")


def _here(source: Source) -> str:
    from negsample.data.sources.fetched import fetched

    try:
        there = fetched(source)
    except InputError:
        return "damaged"
    return {True: "fetched", None: "fetched, unsure", False: "NOT OFFICIAL"}[there.official] if there else "no"


def _print_note(there: Fetched) -> None:
    out.plain(there.note(), style="bold red" if there.official is False else None)
