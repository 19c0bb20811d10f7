"""The commands of a recommender to take home."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from negsample.cli.console import facts_of, out, table_of
from negsample.cli.options import Plugins, moment_of, shown_moment

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
RunLog = Annotated[str | None, typer.Option(help="The log of a run. (default: where it was; a MODEL needs none)")]
HISTORY_SHOWN = 20


def final_command(
    folder: Annotated[Path, typer.Argument(help="The folder of a study.", metavar="STUDY")],
    model: Annotated[Path, typer.Option("--out", help="New folder of the model.")],
    method: Annotated[
        str | None, typer.Option(help="A method of the study. (default: that with the most NDCG@10 on validation)")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Which dataset of the study. (default: the only one)")] = None,
    seeds: Annotated[
        int,
        typer.Option(
            min=1, max=100, help="Models whose scores are averaged, each trained as one run of the study was."
        ),
    ] = 1,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only events before it count, such as 2011-11-01. (default: all)")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="The log: the study's on another machine, or a newer one. (default: the study's)")
    ] = None,
    plugins: Plugins = None,
) -> None:
    """Train a study's recommended method on all events: the model to take home."""
    from negsample.analysis.reading import read_study
    from negsample.data.load import load_dataset
    from negsample.serving.final import epochs_of, make_final, plan_final
    from negsample.studies.forecast import in_time
    from negsample.studies.progress import bar_of

    loaded = None if data is None else load_dataset(data)
    before = moment_of("--until", until)
    plan = plan_final(read_study(folder), dataset=dataset, method=method, seeds=seeds, until=before, data=loaded)
    about = plan.known.manifest
    out.plain(f"{plan.method} on {about.name}: {about.events:,} events before {about.test_start.replace('T', ' ')} UTC")
    out.print(
        facts_of((name, "n/a" if value is None else f"{100 * value:.2f} %") for name, value in plan.promise.items())
    )
    out.plain(
        f"Figures on the study's test part, where it was trained on less. Training takes about {in_time(plan.seconds)}."
    )
    with bar_of(out, "training", sum(map(epochs_of, plan.runs))) as bar:
        make_final(plan, model, lambda job, epoch: bar.update(job.seed, epoch.epoch, f"seed {job.seed}"))
    out.plain(f"Model: {model}")


def recommend_command(
    folder: ModelFolder,
    to: Annotated[Path, typer.Option("--out", help="New file: .parquet, .csv or .jsonl.")],
    histories: Annotated[
        Path | None,
        typer.Option(help="Events of people: CSV, TSV, Parquet or JSON lines. (default: all users that it knows)"),
    ] = None,
    k: Annotated[int, typer.Option(min=1, max=10_000, help="Items for each person.")] = 10,
    exclude_seen: Annotated[bool, typer.Option("--exclude-seen", help="Leave out what the person had.")] = False,
    exclude: Annotated[Path | None, typer.Option(help="File with ids of items that nobody gets, one a line.")] = None,
    only: Annotated[Path | None, typer.Option(help="File with ids of the only items that are given.")] = None,
    dial: DialNumber = None,
    time: AsOf = None,
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
        time=moment_of("--time", time),
        dial=dial,
        exclude_seen=exclude_seen,
        exclude=() if exclude is None else ids_in(exclude),
        only=None if only is None else ids_in(only),
    )
    people = recommender.histories(histories, ask.time)
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
    time: AsOf = None,
    data: RunLog = None,
    plugins: Plugins = None,
) -> None:
    """Show a person's history and best items, and what the model and each term give to every score."""
    from negsample.data.load import load_dataset
    from negsample.serving.explain import explained, person_of
    from negsample.serving.model import load_model

    recommender = load_model(folder, None if data is None else load_dataset(data))
    ask = recommender.ask(k=k, time=moment_of("--time", time), dial=dial)
    people = recommender.histories(histories, ask.time)
    for note in people.notes:
        out.plain(note)
    person = person_of(people, user)
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
        out.plain("No item of the history is known to the model: these are the most popular lately.")
