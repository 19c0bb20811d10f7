"""The commands by which a MODEL answers."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from negsample.cli.console import notes, out, result, say
from negsample.cli.options import Column, Plugins, RunLog
from negsample.cli.sharing import divided
from negsample.cli.tables import counted, show_table, table_of
from negsample.errors import InputError
from negsample.serving.when import microseconds, shown_moment

if TYPE_CHECKING:
    from negsample.data.dataset import Dataset
    from negsample.serving.recommender import Recommender

ModelFolder = Annotated[
    Path, typer.Argument(help="A MODEL, made by `negsample final`, or the folder of a finished run.", metavar="MODEL")
]
DialNumber = Annotated[
    float | None, typer.Option(help="Towards rare items below 0, popular ones above. (default: the model's own)")
]
AsOf = Annotated[
    str | None,
    typer.Option(metavar="now|TIME", help="As of when. (default: just after the last event that the model knows)"),
]
HISTORY_SHOWN = 20


def recommend_command(
    folder: ModelFolder,
    to: Annotated[Path, typer.Option("--out", help="File: .parquet, .csv or .jsonl; one that is there is replaced.")],
    histories: Annotated[
        Path | None,
        typer.Option(help="Events of people: CSV, TSV, Parquet or JSON lines. (default: all users that it knows)"),
    ] = None,
    k: Annotated[int, typer.Option(min=1, max=10_000, help="Items for each person.")] = 10,
    exclude_seen: Annotated[
        bool | None,
        typer.Option(
            "--exclude-seen/--include-seen",
            help="Leave out what the person had, or not. (default: as the model was measured, by its filter_seen)",
        ),
    ] = None,
    exclude: Annotated[Path | None, typer.Option(help="File with ids of items that nobody gets, one a line.")] = None,
    only: Annotated[Path | None, typer.Option(help="File with ids of the only items that are given.")] = None,
    dial: DialNumber = None,
    as_of: AsOf = None,
    user: Column = None,
    item: Column = None,
    time: Column = None,
    data: RunLog = None,
    plugins: Plugins = None,
) -> None:
    """Write the best items for each person; processes that torchrun starts have a part of the items each."""
    from negsample.serving.files import check_answers, write_answers
    from negsample.serving.load import load_model
    from negsample.studies.progress import bar_of

    check_answers(to)
    with divided() as processes:
        log_of = partial(_log_of_run, folder, data)
        recommender = load_model(folder, log_of() if processes is None else processes.first_alone(log_of))
        ask = recommender.ask(
            k=k,
            time=None if as_of is None else microseconds("--as-of", as_of),
            dial=dial,
            exclude_seen=exclude_seen,
            exclude=() if exclude is None else _ids_in(exclude, recommender),
            only=None if only is None else _ids_in(only, recommender),
        )
        people = recommender.histories(histories, ask.time, user=user, item=item, time=time)
        if as_of is None:
            ask = ask.after(people)
        elif late := int((people.times >= ask.time).sum()):
            notes.plain(f"Not before --as-of, so without effect: {counted(late, 'event')}.")
        for note in people.notes:
            notes.plain(note)
        with bar_of(notes, "recommending", len(people.keys)) as bar:
            rows = write_answers(recommender, people, ask, to, lambda done: bar.update(to, done))
        some = f"{counted(rows, 'row')} for {counted(len(people.keys), 'person', 'people')}"
        out.plain(f"{some}, as of {shown_moment(ask.time)} UTC: {to}")
        result({"file": to, "rows": rows, "people": len(people.keys), "as_of": shown_moment(ask.time)})


def _ids_in(path: Path, recommender: Recommender) -> list[str]:
    """The ids in a file; how many of them the model does not know is said."""
    from negsample.serving.files import ids_in

    found = ids_in(path)
    if unknown := len(found) - len(recommender.numbers(found)):
        notes.plain(f"{unknown:,} of the {len(found):,} ids in {path} are of no item that the model knows.")
    return found


def explain_command(
    folder: ModelFolder,
    user: Annotated[str, typer.Option(help="The person's id.")],
    histories: Annotated[
        Path | None, typer.Option(help="Events of people, the person's among them. (default: those that it knows)")
    ] = None,
    k: Annotated[int, typer.Option(min=1, max=10_000, help="Items.")] = 10,
    dial: DialNumber = None,
    as_of: AsOf = None,
    data: RunLog = None,
    plugins: Plugins = None,
) -> None:
    """Show a person's history and best items, and what the model and each term give to every score."""
    from negsample.serving.explain import explained, person_of

    recommender = _loaded(folder, data)
    ask = recommender.ask(k=k, time=None if as_of is None else microseconds("--as-of", as_of), dial=dial)
    people = recommender.histories(histories, ask.time)
    for note in people.notes:
        notes.plain(note)
    person = person_of(people, user, str(histories or folder))
    ask = ask.after(person) if as_of is None else ask
    person = person.before(ask.time)
    past = table_of("item", "time", words=("time",))
    latest = list(zip(person.items.tolist(), person.times.tolist(), strict=True))[-HISTORY_SHOWN:]
    for item, moment in latest:
        past.add_row(str(recommender.item_ids[item - 1]), shown_moment(moment))
    out.plain(f"{counted(len(person.items), 'event')} of {user}, the latest {len(latest)}:", style="bold")
    show_table(out, past)
    found = explained(recommender, person, ask)
    out.plain(f"Best items as of {shown_moment(ask.time)} UTC:", style="bold")
    table = table_of("rank", *found.columns[1:], words=("item",))
    for row in found.iter_rows():
        table.add_row(*(f"{each:+.3f}" if isinstance(each, float) else str(each) for each in row))
    show_table(out, table)
    if len(found.columns) == 3:
        out.plain("Nothing that counts is known of this person: these are the most popular items lately.")
    history = [
        {"item": recommender.item_ids[item - 1], "time": shown_moment(moment)}
        for item, moment in zip(person.items.tolist(), person.times.tolist(), strict=True)
    ]
    asked = {"user": user, "as_of": shown_moment(ask.time)}
    result({**asked, "history": history, "best": found.to_dicts()})


def export_command(
    folder: ModelFolder,
    to: Annotated[
        Literal["onnx", "torch", "faiss", "vectors"],
        typer.Option(
            "--to",
            help="A graph from histories to items (onnx, torch), indexes (faiss), or the item vectors (vectors).",
        ),
    ],
    place: Annotated[Path, typer.Option("--out", help="New folder.")],
    k: Annotated[int, typer.Option(min=1, max=10_000, help="Items of an answer, with onnx and torch.")] = 10,
    data: RunLog = None,
    plugins: Plugins = None,
) -> None:
    """Write a model as files that answer without negsample."""
    from negsample.serving.export import export

    recommender = _loaded(folder, data)
    notes.plain(f"Exporting {recommender.summary}")
    sizes = {str(path): path.stat().st_size for path in export(recommender, to, place, k=k)}
    for path, size in sizes.items():
        out.plain(f"{path}: {size:,} bytes")
    result({"folder": place, "files": [{"file": path, "bytes": size} for path, size in sizes.items()]})


def _loaded(folder: Path, data: str | None) -> Recommender:
    """A MODEL, or a run on its log ``data``."""
    from negsample.serving.load import load_model

    return load_model(folder, _log_of_run(folder, data))


def _log_of_run(folder: Path, data: str | None) -> Dataset | None:
    """The log ``data``, prepared as that of the run in ``folder`` was; None where none is given."""
    from negsample.data.load import load_as
    from negsample.runs.folder import read_run

    if data is None:
        return None
    return load_as(data, read_run(folder).config["prepare"] if (folder / "config.json").exists() else {})


def serve_command(
    folder: ModelFolder,
    host: Annotated[str, typer.Option(help="Where to listen: an address or name of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: one that is free.")] = 8000,
    data: RunLog = None,
    plugins: Plugins = None,
) -> None:
    """Answer requests over HTTP; another MODEL in the place of this one is loaded while it answers."""
    say(f"Loading {folder}")  # with what it needs, a machine that has other work takes long
    try:
        from negsample.serving.server import serve
    except ModuleNotFoundError as error:
        raise InputError(f"negsample serve needs {error.name}; `pip install 'negsample[serve]'` has it") from None
    serve(folder, host, port, say, _log_of_run(folder, data))
