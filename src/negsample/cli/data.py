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

app = typer.Typer(help="Public datasets: list them, fetch them from where they are published.", no_args_is_help=True)


@app.command("list")
def list_known() -> None:
    """List the known datasets: what they are, how many events, whether they are here, from where, on which terms."""
    from rich import box
    from rich.table import Table

    from negsample.data.bundled import BUNDLED
    from negsample.data.sources.all_sources import SOURCES

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, collapse_padding=True, show_edge=False)
    for column in ("name", "events", "here", "what"):
        table.add_column(column, justify="right" if column == "events" else "left", no_wrap=column != "what")
    for name, facts in BUNDLED.items():
        table.add_row(name, f"{facts.events:,}", "bundled", facts.what)
    for source in SOURCES.values():
        table.add_row(source.name, f"{source.events:,}", _here(source), source.what)
    out.print(table)
    for name, facts in BUNDLED.items():
        out.plain(f"{name}: {facts.page}\n    {facts.terms}")
    for source in SOURCES.values():
        out.plain(f"{source.name}: {source.address or f'{source.page} (asks for an account)'}\n    {source.terms}")
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
        _say_official(there)
        if given is not None:
            out.plain(f"{given} was not read; to use it instead, delete {there.path.parent} first")
        return
    with coming(out, name) as progress:
        there = fetch_source(source, given, progress=progress)
    out.plain(f"Fetched {name}: {there.path}")
    _say_official(there)
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


def _say_official(there: Fetched) -> None:
    if there.official:
        out.plain("It is the official file: its checksum agrees.")
    elif there.official is None:
        out.plain(f"It may be the official file: {there.why} (its sha256 is {there.sha256}).")
    else:
        text = f"IT IS NOT THE OFFICIAL FILE: {there.why}. Figures on it are of that file alone."
        out.plain(text, style="bold red")
