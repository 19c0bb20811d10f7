"""The commands of a recommender to take home."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from negsample.cli.console import facts_of, out, say, table_of
from negsample.cli.options import Plugins, RunLog, moment_of, shown_moment
from negsample.errors import InputError

if TYPE_CHECKING:
    from negsample.serving.refresh import Joined

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
NEW = typer.Option(
    "--log", metavar="NEW", help="A log with the events since (CSV, TSV, Parquet); earlier ones may be in."
)
NewEvents = Annotated[str | None, NEW]
Column = Annotated[str | None, typer.Option(help="Its column in the file. (default: guessed from the usual names)")]
HISTORY_SHOWN = 20


def final_command(
    model: Annotated[Path, typer.Option("--out", help="New folder of the model.")],
    folder: Annotated[
        Path | None, typer.Argument(help="The folder of a study, or of one run.", metavar="STUDY")
    ] = None,
    method: Annotated[
        str | None, typer.Option(help="A method of the study. (default: that with the most NDCG@10 on validation)")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Which dataset of the study. (default: the only one)")] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=100,
            help="Models whose scores are averaged, each trained as a run of the study was. (default: 1)",
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only events before it count, such as 2011-11-01. (default: all)")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="The log: the study's on another machine, or a newer one. (default: the study's)")
    ] = None,
    earlier: Annotated[
        Path | None, typer.Option("--from", metavar="MODEL", help="In the place of STUDY: train this model on.")
    ] = None,
    log: NewEvents = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, max=100_000, help="With --from: over all events. (default: a quarter of the earlier ones)"),
    ] = None,
    user: Column = None,
    item: Column = None,
    time: Column = None,
    plugins: Plugins = None,
) -> None:
    """Train a study's recommended method on all events: the model to take home. Or train one on."""
    from negsample.studies.progress import bar_of

    of_study = {"--method": method, "--dataset": dataset, "--seeds": seeds, "--until": until, "--data": data}
    of_model = {"--log": log, "--epochs": epochs, "--user": user, "--item": item, "--time": time}
    if (folder is None) == (earlier is None):
        raise InputError("final takes the folder of a STUDY, or --from MODEL with --log NEW; give one of them")
    for name, value in (of_study if folder is None else of_model).items():
        if value is not None:
            raise InputError(f"{name} is for {'a STUDY' if folder is None else '--from MODEL'}; leave it out")
    if folder is not None:
        _from_study(folder, model, method, dataset, seeds or 1, moment_of("--until", until), data)
    elif earlier is not None:
        from negsample.data.log.read import read_log
        from negsample.serving.refresh import train_on

        events = None if log is None else read_log(log, user=user, item=item, time=time)
        with bar_of(out, "training", 1) as bar:
            found = train_on(
                earlier, events, model, epochs=epochs, watch=lambda job, epoch: bar.update(0, 0, f"epoch {epoch.epoch}")
            )
        if events is not None:
            print_joined(found)
    out.plain(f"Model: {model}")


def _from_study(
    folder: Path, model: Path, method: str | None, dataset: str | None, seeds: int, until: int | None, data: str | None
) -> None:
    from negsample.data.load import load_dataset
    from negsample.files.folders import check_place
    from negsample.serving.final import epochs_of, make_final, opened, plan_final, prepared_as
    from negsample.studies.forecast import in_time
    from negsample.studies.progress import bar_of

    check_place(model, new=True)
    source = opened(folder)
    loaded = None if data is None else load_dataset(data, prepared_as(source, data, dataset))
    plan = plan_final(source, dataset=dataset, method=method, seeds=seeds, until=until, data=loaded)
    about = plan.known.manifest
    out.plain(f"{plan.method} on {about.name}: {about.events:,} events, the last at {shown_moment(plan.until - 1)} UTC")
    figures = ((name, "n/a" if value is None else f"{100 * value:.2f} %") for name, value in plan.promise.items())
    out.plain("On the study's test part, trained on what was before it:")
    out.print(facts_of(figures))
    if method is None:
        out.plain(f"{plan.method}: the most NDCG@10 on validation of what can be taken home.")
    if plan.ahead:
        out.plain(f"{plan.ahead} has more NDCG@10 on validation, but is a rule, which is not taken home.")
    out.plain(f"Training takes about {in_time(plan.seconds)}, by what it took in the study.")
    with bar_of(out, "training", sum(map(epochs_of, plan.runs))) as bar:
        make_final(plan, model, lambda job, epoch: bar.update(job.seed, epoch.epoch, f"seed {job.seed}"))


def refresh_command(
    folder: Annotated[Path, typer.Argument(help="A MODEL, made by `negsample final`.", metavar="MODEL")],
    log: Annotated[str, NEW],
    to: Annotated[Path | None, typer.Option("--out", help="New folder. (default: in the place of MODEL)")] = None,
    user: Column = None,
    item: Column = None,
    time: Column = None,
    plugins: Plugins = None,
) -> None:
    """Let a model know what came since, without training: popularity lately, own items, neighbours, new items."""
    from negsample.data.log.read import read_log
    from negsample.serving.refresh import refresh

    print_joined(refresh(folder, read_log(log, user=user, item=item, time=time), to))
    out.plain(f"Model: {to or folder}")


def print_joined(found: Joined) -> None:
    """What a model got to know."""
    if not found.added:
        out.plain(
            f"No event is later than those that it knew, the last of which is at {shown_moment(found.until - 1)}."
        )
        return
    out.plain(
        f"{found.added:,} events came to it, of {found.users:,} new users and on {found.items:,} new items among "
        f"others; the last is at {shown_moment(found.until - 1)} UTC"
    )
    if found.late:
        out.plain(f"{found.late:,} events of the log were left out: they are not after those that it knew.")


def recommend_command(
    folder: ModelFolder,
    to: Annotated[Path, typer.Option("--out", help="File: .parquet, .csv or .jsonl; one that is there is replaced.")],
    histories: Annotated[
        Path | None,
        typer.Option(help="Events of people: CSV, TSV, Parquet or JSON lines. (default: all users that it knows)"),
    ] = None,
    k: Annotated[int, typer.Option(min=1, max=10_000, help="Items for each person.")] = 10,
    exclude_seen: Annotated[bool, typer.Option("--exclude-seen", help="Leave out what the person had.")] = False,
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
    """Write the best items for each person."""
    from negsample.data.load import load_dataset
    from negsample.serving.files import check_answers, ids_in, write_answers
    from negsample.serving.model import load_model
    from negsample.studies.progress import bar_of

    check_answers(to)
    recommender = load_model(folder, None if data is None else load_dataset(data))
    ask = recommender.ask(
        k=k,
        time=moment_of("--as-of", as_of),
        dial=dial,
        exclude_seen=exclude_seen,
        exclude=() if exclude is None else ids_in(exclude),
        only=None if only is None else ids_in(only),
    )
    people = recommender.histories(histories, ask.time, user=user, item=item, time=time)
    if as_of is None:
        ask = ask.after(people)
    elif late := int((people.times >= ask.time).sum()):
        out.plain(f"{late:,} events are not before --as-of, and do not count.")
    for note in people.notes:
        out.plain(note)
    with bar_of(out, "recommending", len(people.keys)) as bar:
        rows = write_answers(recommender, people, ask, to, lambda done: bar.update(to, done))
    out.plain(f"{rows:,} rows for {len(people.keys):,} people: {to}")


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
    from negsample.data.load import load_dataset
    from negsample.serving.explain import explained, person_of
    from negsample.serving.model import load_model

    recommender = load_model(folder, None if data is None else load_dataset(data))
    ask = recommender.ask(k=k, time=moment_of("--as-of", as_of), dial=dial)
    people = recommender.histories(histories, ask.time)
    for note in people.notes:
        out.plain(note)
    person = person_of(people, user)
    ask = ask.after(person) if as_of is None else ask
    person = person.before(ask.time)
    past = table_of("item", "time", words=("time",))
    latest = list(zip(person.items.tolist(), person.times.tolist(), strict=True))[-HISTORY_SHOWN:]
    for item, moment in latest:
        past.add_row(str(recommender.item_ids[item - 1]), shown_moment(moment))
    out.plain(f"{len(person.items):,} events of {user}, the latest {len(latest)}:", style="bold")
    out.print(past)
    found = explained(recommender, person, ask)
    out.plain(f"Best items as of {shown_moment(ask.time)}:", style="bold")
    table = table_of("rank", *found.columns[1:], words=("item",))
    for row in found.iter_rows():
        table.add_row(*(f"{each:+.3f}" if isinstance(each, float) else str(each) for each in row))
    out.print(table)
    if len(found.columns) == 3:
        out.plain("Nothing that counts is known of this person: these are the most popular items lately.")


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
    from negsample.data.load import load_dataset
    from negsample.serving.export import export
    from negsample.serving.model import load_model

    recommender = load_model(folder, None if data is None else load_dataset(data))
    for path in export(recommender, to, place, k=k):
        out.plain(f"{path}: {path.stat().st_size:,} bytes")


def serve_command(
    folder: ModelFolder,
    host: Annotated[str, typer.Option(help="Where to listen: an address or name of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: one that is free.")] = 8000,
    plugins: Plugins = None,
) -> None:
    """Answer requests over HTTP; another MODEL in the place of this one is loaded while it answers."""
    try:
        from negsample.serving.server import serve
    except ModuleNotFoundError as error:
        raise InputError(f"negsample serve needs {error.name}; `pip install 'negsample[serve]'` has it") from None
    serve(folder, host, port, say)
