"""The commands that make a MODEL, and bring it up to date."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from negsample.cli.console import keeps_work, notes, out, result
from negsample.cli.options import Column, Plugins, Weight
from negsample.cli.sharing import divided
from negsample.cli.tables import counted, show_facts
from negsample.errors import InputError
from negsample.parallel.launch import check_alone
from negsample.serving.when import microseconds, shown_moment

if TYPE_CHECKING:
    from negsample.parallel.processes import Processes
    from negsample.serving.refresh import Joined

NEW = typer.Option(
    "--log", metavar="NEW", help="A log with the events since (CSV, TSV, Parquet); earlier ones may be in."
)
NewEvents = Annotated[str | None, NEW]


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
        typer.Option(min=1, max=100_000, help="With --from: over all events. (default: a quarter of the first ones)"),
    ] = None,
    user: Column = None,
    item: Column = None,
    time: Column = None,
    weight: Weight = None,
    plugins: Plugins = None,
) -> None:
    """Train a study's recommended method on all events: the model to take home. Or train one on.

    Processes that torchrun starts train it together, with a part of the item table each."""
    keeps_work()
    from negsample.studies.progress import bar_of

    of_study = {"--method": method, "--dataset": dataset, "--seeds": seeds, "--until": until, "--data": data}
    of_model = {"--log": log, "--epochs": epochs, "--user": user, "--item": item, "--time": time}
    of_model |= {"--weight": weight}
    if (folder is None) == (earlier is None):
        raise InputError("final takes the folder of a STUDY, or --from MODEL with --log NEW; give one of them")
    for name, value in (of_study if folder is None else of_model).items():
        if value is not None:
            raise InputError(f"{name} is for {'a STUDY' if folder is None else '--from MODEL'}; leave it out")
    about: dict[str, Any] = {"model": model}
    if folder is not None:
        with divided() as processes:
            about |= _from_study(folder, model, method, dataset, seeds or 1, until, data, processes)
    elif earlier is not None:
        check_alone("final --from")
        from negsample.data.log.read import read_log
        from negsample.serving.refresh import train_on

        events = None if log is None else read_log(log, user=user, item=item, time=time, weight=weight)
        with bar_of(notes, "training", 1) as bar:
            found = train_on(
                earlier, events, model, epochs=epochs, watch=lambda job, epoch: bar.update(0, 0, f"epoch {epoch.epoch}")
            )
        if events is not None:
            about |= print_joined(found)
    out.plain(f"Model: {model}")
    result(about)


def _from_study(
    folder: Path,
    model: Path,
    method: str | None,
    dataset: str | None,
    seeds: int,
    until: str | None,
    data: str | None,
    processes: Processes | None,
) -> dict[str, Any]:
    """Make it; what is told of it."""
    from negsample.analysis.study import Study
    from negsample.cli.forecast import print_divided
    from negsample.data.description import no_future
    from negsample.files.folders import check_place
    from negsample.parallel.processes import each_by_first
    from negsample.runs.job import divided as divided_job
    from negsample.runs.load import job_of
    from negsample.serving.final import make_final
    from negsample.serving.plan import epochs_of, opened, other_log, plan_final
    from negsample.studies.forecast.divided import check_divided_fits, divided_forecast
    from negsample.studies.forecast.words import in_time
    from negsample.studies.progress import bar_of

    each_by_first(processes, partial(check_place, model, new=True))
    source = opened(folder)
    moment = None if until is None else microseconds("--until", until)
    log_of = partial(other_log, source, data or "", dataset)
    loaded = None if data is None else log_of() if processes is None else processes.first_alone(log_of)
    plan = plan_final(source, dataset=dataset, method=method, seeds=seeds, until=moment, data=loaded)
    about = plan.known.manifest
    last = shown_moment(plan.until - 1)
    notes.plain(f"{plan.method} on {about.name}: {counted(about.events, 'event')}, the last at {last} UTC")
    figures = ((name, "n/a" if value is None else f"{100 * value:.2f} %") for name, value in plan.promise.items())
    before = ", trained on what was before it" if plan.data.in_time else ""
    notes.plain(f"On the study's test part{before}:")
    show_facts(notes, figures)
    for words in no_future(plan.data.manifest.not_in_time)[:1]:
        notes.plain(words, style="bold")
    if method is None and isinstance(source, Study):
        _print_choice(plan.method, plan.ahead, source.verdict(dataset).is_advice)
    if processes is None:
        notes.plain(f"Training takes about {in_time(plan.seconds)}, by what it took in the study.")
    else:
        job, size = divided_job(job_of(plan.runs[0], plan.known)), processes.size
        processes.all_or_none(partial(check_divided_fits, job, size))
        print_divided(notes, size, processes.by_first(partial(divided_forecast, job, size)))
    with bar_of(notes, "training", sum(map(epochs_of, plan.runs))) as bar:
        make_final(plan, model, lambda job, epoch: bar.update(job.seed, epoch.epoch, f"seed {job.seed}"))
    known = {"dataset": about.name, "events": about.events, "last": last, "seeds": seeds}
    return {"method": plan.method, **known, "test": plan.promise, "advised_rule": plan.ahead}


def _print_choice(method: str, ahead: str | None, is_advice: bool) -> None:
    """Print why ``method`` is taken, which nobody named; ``ahead``: the rule before it, which cannot be taken home."""
    if is_advice:
        notes.plain(f"{method}: what the study advises for accuracy, of what can be taken home.")
    else:
        notes.plain(
            f"{method}: chosen on validation, of what can be taken home. The study cannot tell which method to take; "
            "its report says why. --method names another."
        )
    if ahead:
        verb = "The study advises" if is_advice else "Before it is"
        notes.plain(f"{verb} {ahead}, a rule, which is not taken home; this is the best trained method.")


def refresh_command(
    folder: Annotated[Path, typer.Argument(help="A MODEL, made by `negsample final`.", metavar="MODEL")],
    log: Annotated[str, NEW],
    to: Annotated[Path | None, typer.Option("--out", help="New folder. (default: in the place of MODEL)")] = None,
    user: Column = None,
    item: Column = None,
    time: Column = None,
    weight: Weight = None,
    plugins: Plugins = None,
) -> None:
    """Let a model know what came since, without training: popularity lately, own items, neighbours, new items."""
    from negsample.data.log.read import read_log
    from negsample.serving.refresh import refresh

    found = print_joined(refresh(folder, read_log(log, user=user, item=item, time=time, weight=weight), to))
    out.plain(f"Model: {to or folder}")
    result({"model": to or folder, **found})


def print_joined(found: Joined) -> dict[str, Any]:
    """Print what a model got to know, and return it."""
    last = shown_moment(found.until - 1)
    known = {"added": found.added, "left_out": found.late, "new_users": found.users, "new_items": found.items}
    if not found.added:
        out.plain(f"No event is later than those that it knew, the last of which is at {last}.")
        return {**known, "last": last}
    out.plain(
        f"{counted(found.added, 'event')} came to it, of {counted(found.users, 'new user')} and on "
        f"{counted(found.items, 'new item')} among others; the last is at {last} UTC"
    )
    if found.late:
        out.plain(f"Left out, as not after those that it knew: {counted(found.late, 'event')} of the log.")
    return {**known, "last": last}
