"""Verbs only: parse, make the settings, call, print."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from negsample.config import InputError, NegativeSettings, PrepareSettings, TrainSettings, checked
from negsample.console import exit_code, out, say

app = typer.Typer(
    name="negsample",
    help="Which negatives? Train sequential recommenders with any negative-sampling method, and see what the "
    "choice costs head, mid and tail items.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


User = Annotated[str | None, typer.Option("--user", help="Column of the user; guessed when not given.")]
Item = Annotated[str | None, typer.Option("--item", help="Column of the item; guessed when not given.")]
Time = Annotated[str | None, typer.Option("--time", help="Column of the time; guessed when not given.")]
MinUser = Annotated[int, typer.Option("--min-user-events", help="Leave out users with fewer events.")]
MinItem = Annotated[int, typer.Option("--min-item-events", help="Leave out items with fewer events.")]
Split = Annotated[
    Literal["sound", "paper"],
    typer.Option(help="Cut at a moment in time (sound), or at a row count, through ties (paper)."),
]
ValidFraction = Annotated[float, typer.Option(help="Share of events for validation.")]
TestFraction = Annotated[float, typer.Option(help="Share of events for test, the latest.")]
Cold = Annotated[
    Literal["keep", "drop"],
    typer.Option(help="Items in no train event: stay in the catalogue as tail, or go with their events."),
]
Epochs = Annotated[int | None, typer.Option(help="Passes over the trained users. (default: 20)")]
Seed = Annotated[int, typer.Option(help="Where chance comes from.")]
Dial = Annotated[
    str,
    typer.Option(
        "--dial",
        metavar="none|auto|NUMBER|balance:X",
        help="Popularity dial of the ranking: none, the best NDCG@10 on validation (auto), a number (below 0 to the "
        "tail, above to the head), or the best with at least that Balance.",
    ),
]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting of training or of the methods; repeatable."),
]


@app.command()
def prepare(
    log: Annotated[str, typer.Argument(help="CSV, TSV or Parquet: one file or a folder of parts.")],
    folder: Annotated[Path, typer.Option("--out", help="The prepared dataset, a new folder.")],
    user: User = None,
    item: Item = None,
    time: Time = None,
    min_user_events: MinUser = 1,
    min_item_events: MinItem = 1,
    split: Split = "sound",
    valid_fraction: ValidFraction = 0.05,
    test_fraction: TestFraction = 0.05,
    cold: Cold = "keep",
) -> None:
    """Turn a log into a dataset: split by time, ids made, arrays on disk."""
    from negsample.data.log import read_log
    from negsample.data.prepare import prepare as prepare_log
    from negsample.terminal import print_dataset

    settings = _prepare_settings(
        user, item, time, min_user_events, min_item_events, split, valid_fraction, test_fraction, cold
    )
    data = prepare_log(read_log(log, user=settings.user, item=settings.item, time=settings.time), settings, folder)
    print_dataset(out, data)
    out.print(f"Prepared in {folder}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def train(
    dataset: Annotated[str, typer.Argument(help="A bundled name, a prepared folder, or a log.")],
    method: Annotated[str, typer.Option(help="A name of `negsample methods`.")],
    folder: Annotated[Path, typer.Option("--out", help="The run, a new folder.")],
    epochs: Epochs = None,
    seed: Seed = 0,
    dial: Dial = "none",
    changes: Changes = None,
    user: User = None,
    item: Item = None,
    time: Time = None,
    min_user_events: MinUser = 1,
    min_item_events: MinItem = 1,
    split: Split = "sound",
    valid_fraction: ValidFraction = 0.05,
    test_fraction: TestFraction = 0.05,
    cold: Cold = "keep",
) -> None:
    """Train one model by one method, and measure it."""
    settings, negatives = _settings(epochs, changes)
    prepared = _prepare_settings(
        user, item, time, min_user_events, min_item_events, split, valid_fraction, test_fraction, cold
    )
    from negsample.data.catalogue import load_dataset
    from negsample.dial import parse_choice
    from negsample.forecast import check_fits, forecast
    from negsample.job import dial_again, do
    from negsample.methods import method_names
    from negsample.runs import check_new_folder, is_run, read_run
    from negsample.study import plan
    from negsample.terminal import Progress, print_dataset, print_forecast, print_metrics

    names, choice = method_names(method), parse_choice(dial)
    if len(names) > 1:
        raise InputError(f"train takes one method, got {', '.join(names)}; to compare them use `negsample compare`")
    data = load_dataset(dataset, prepared)
    job = plan([data], names, repeats=1, seed=seed, settings=settings, changes=negatives)[-1]
    if is_run(folder):
        if not job.made(read_run(folder).config):
            raise InputError(f"{folder} holds a run of other settings; choose another --out, or delete it")
        out.print(f"{folder} is finished already", markup=False, highlight=False)
    else:
        check_new_folder(folder)
        check_fits([[job]])
        print_dataset(out, data)
        print_forecast(out, forecast([[job]]))
        with Progress(out, [job]) as progress:
            do(job, folder, dial=choice, watch=lambda epoch: progress.watch(job, epoch))
    chosen = dial_again(folder, choice, data)
    print_metrics(out, job.method, read_run(folder).metrics)
    out.print(f"Run: {folder}", highlight=False, markup=False, soft_wrap=True)
    if chosen.unreached:
        raise InputError(f"{chosen.unreached}. {folder} is kept, at dial 0")


@app.command()
def evaluate(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    dial: Annotated[
        str | None,
        typer.Option(metavar="none|auto|NUMBER|balance:X", help="Choose its dial anew. (default: as it was chosen)"),
    ] = None,
) -> None:
    """Measure a finished run again, from its saved model."""
    from negsample.runs import read_run
    from negsample.terminal import print_metrics

    method = read_run(run).config["method"]
    from negsample.dial import parse_choice
    from negsample.job import measure_again

    measure_again(run, None if dial is None else parse_choice(dial), must_reach=dial is not None)
    print_metrics(out, method, read_run(run).metrics)


@app.command()
def compare(
    datasets: Annotated[
        list[str], typer.Argument(help="Bundled names, prepared folders, or logs.", metavar="DATASET...")
    ],
    folder: Annotated[Path, typer.Option("--out", help="The study; an interrupted one is carried on.")],
    methods: Annotated[
        str | None,
        typer.Option(help="Names of `negsample methods`, with commas, or 'all'. (default: the paper's six)"),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each method, from different seeds.")] = 3,
    epochs: Epochs = None,
    seed: Seed = 0,
    at_once: Annotated[
        int, typer.Option("--jobs", min=1, help="Runs at a time, each in a process with its share of the cores.")
    ] = 1,
    together: Annotated[
        int,
        typer.Option("--together", min=1, help="Seeds of a method trained at once as one batched model, for a GPU."),
    ] = 1,
    dial: Dial = "none",
    mlflow: Annotated[
        str | None,
        typer.Option(metavar="URI", help="Log the runs to MLflow: http://HOST:PORT of a server, or sqlite:///FILE."),
    ] = None,
    changes: Changes = None,
    user: User = None,
    item: Item = None,
    time: Time = None,
    min_user_events: MinUser = 1,
    min_item_events: MinItem = 1,
    split: Split = "sound",
    valid_fraction: ValidFraction = 0.05,
    test_fraction: TestFraction = 0.05,
    cold: Cold = "keep",
) -> None:
    """Compare methods on the same data: the main job. PopRec comes along."""
    settings, negatives = _settings(epochs, changes)
    prepared = _prepare_settings(
        user, item, time, min_user_events, min_item_events, split, valid_fraction, test_fraction, cold
    )
    from negsample import study
    from negsample.data.catalogue import load_dataset
    from negsample.dial import parse_choice
    from negsample.forecast import check_fits, forecast
    from negsample.methods import PAPER_SIX, POPREC, method_names
    from negsample.report.facts import unreached_words
    from negsample.report.reading import read_study
    from negsample.report.tables import study_table
    from negsample.runs import check_study_folder
    from negsample.terminal import Progress, print_dataset, print_forecast, print_study
    from negsample.tracking import check_tracking, tracked

    check_tracking(mlflow, folder)
    names = list(PAPER_SIX) if methods is None else method_names(methods)
    parse_choice(dial)
    loaded = [load_dataset(each, prepared) for each in datasets]
    jobs = study.plan(loaded, names, repeats=repeats, seed=seed, settings=settings, changes=negatives)
    check_study_folder(folder)
    left = study.unfinished(jobs, folder, together)
    check_fits(left, at_once)
    for data in loaded:
        print_dataset(out, data)
    print_forecast(out, forecast(left, at_once))
    with Progress(out, jobs) as progress, tracked(progress.watch, mlflow, folder, say) as watch:
        command = shlex.join(["negsample", *sys.argv[1:]]).encode("utf-8", "backslashreplace").decode()
        note = {"command": command}
        page = study.compare(jobs, folder, at_once=at_once, together=together, dial=dial, watch=watch, note=note)
    finished = read_study(folder)
    print_study(out, study_table(finished), finished.about["dial"])
    out.print(f"Report: {page}", highlight=False, markup=False, soft_wrap=True)
    words = unreached_words(finished)
    if words and len(finished.unreached()) == sum(run.config["method"] != POPREC for run in finished.runs):
        raise InputError(words)
    if words:
        out.print(words, highlight=False, markup=False, soft_wrap=True)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="The folder of a study.")]) -> None:
    """Write a study's report again, from its folders alone."""
    from negsample.report.page import write_report
    from negsample.report.reading import read_study
    from negsample.report.tables import study_table
    from negsample.terminal import print_study

    page = write_report(folder)
    study = read_study(folder)
    print_study(out, study_table(study), study.about.get("dial", "none"))
    out.print(f"Report: {page}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def methods(
    name: Annotated[str | None, typer.Argument(help="One method: its formula, when to take it, its settings.")] = None,
) -> None:
    """The methods by name: what they propose, select and lose, what a position costs, their source."""
    from negsample.terminal import print_method, print_methods

    if name is None:
        print_methods(out)
    else:
        print_method(out, name)


def _prepare_settings(
    user: str | None,
    item: str | None,
    time: str | None,
    min_user_events: int,
    min_item_events: int,
    split: str,
    valid_fraction: float,
    test_fraction: float,
    cold: str,
) -> PrepareSettings:
    given = locals()
    return checked(PrepareSettings, given)


def _settings(epochs: int | None, changes: list[str] | None) -> tuple[TrainSettings, dict[str, Any]]:
    """The settings of training, and the changes to those of the methods."""
    train_keys, negative_keys = TrainSettings.model_fields, NegativeSettings.model_fields
    of_train: dict[str, Any] = {} if epochs is None else {"epochs": epochs}
    of_method: dict[str, Any] = {}
    for change in changes or []:
        key, equals, text = change.partition("=")
        if not equals:
            raise InputError(f"--set takes KEY=VALUE, got '{change}'")
        target = of_train if key in train_keys else of_method if key in negative_keys else None
        if target is None:
            raise InputError(f"unknown setting '{key}'; the settings are: {', '.join([*train_keys, *negative_keys])}")
        if key in target:
            raise InputError(f"setting {key} is given twice")
        try:
            target[key] = json.loads(text)
        except (ValueError, RecursionError):
            target[key] = text
        if target[key] is None:
            raise InputError(f"setting {key}=null says nothing; leave it out for its default")
    checked(NegativeSettings, of_method)
    return checked(TrainSettings, of_train), of_method


def main() -> None:
    """Run the command line; exit 0 done, 2 the input or a setting is wrong, 130 interrupted."""
    sys.exit(exit_code(app))


if __name__ == "__main__":
    main()
