"""Verbs of studies: compare, tune, reproduce, report."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from negsample.cli.console import out, say
from negsample.cli.options import (
    Changes,
    Cold,
    Dial,
    Epochs,
    Item,
    Jobs,
    MinItem,
    MinUser,
    MLflow,
    On,
    Preset,
    Seed,
    Split,
    TestFraction,
    Time,
    User,
    ValidFraction,
    given_to_training,
    prepare_settings,
    settings_of,
    whole_numbers,
)
from negsample.config import InputError

if TYPE_CHECKING:
    from negsample.tuning import Tuning
    from negsample.where import Where


def compare(
    datasets: Annotated[
        list[str],
        typer.Argument(help="Names of `negsample data list`, prepared folders, or logs.", metavar="DATASET..."),
    ],
    folder: Annotated[Path, typer.Option("--out", help="The study; an interrupted one is carried on.")],
    methods: Annotated[
        str | None,
        typer.Option(help="Names of `negsample methods`, with commas, or 'all'. (default: the paper's six)"),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each method, from different seeds.")] = 3,
    epochs: Epochs = None,
    seed: Seed = 0,
    preset: Preset = "default",
    tune_trials: Annotated[
        int | None,
        typer.Option(min=1, help="First search the settings of each method in so many trials, on validation."),
    ] = None,
    oversampling: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Also train with batches of N epochs drawn again and again, for each N."),
    ] = None,
    at_once: Jobs = 1,
    on: On = "local",
    together: Annotated[
        int,
        typer.Option("--together", min=1, help="Seeds of a method trained at once as one batched model, for a GPU."),
    ] = 1,
    dial: Dial = "none",
    mlflow: MLflow = None,
    changes: Changes = None,
    user: User = None,
    item: Item = None,
    time: Time = None,
    min_user_events: MinUser = 1,
    min_item_events: MinItem = 1,
    split: Split = None,
    valid_fraction: ValidFraction = 0.05,
    test_fraction: TestFraction = 0.05,
    cold: Cold = "keep",
) -> None:
    """Compare methods on the same data: the main job. PopRec comes along."""
    from negsample.presets import PRESETS, check_untuned, remarks, whose

    chosen_preset = PRESETS[preset]
    check_untuned(chosen_preset, tune_trials)
    settings, negatives = settings_of(epochs, changes, chosen_preset.training)
    prepared = prepare_settings(
        user, item, time, min_user_events, min_item_events, split, valid_fraction, test_fraction, cold
    )
    from negsample import study
    from negsample.cli.progress import Progress
    from negsample.cli.terminal import print_dataset, print_forecast, print_study
    from negsample.data.catalogue import load_dataset
    from negsample.dial import parse_choice
    from negsample.forecast import check_fits, forecast
    from negsample.methods import PAPER_SIX, POPREC, method_names
    from negsample.report.facts import unreached_words
    from negsample.report.reading import read_study
    from negsample.report.tables import study_table
    from negsample.runs import check_study_folder
    from negsample.tracking import track, tracked
    from negsample.tuning import plan_tunings
    from negsample.where import parse_where

    tracking = track(mlflow, folder)
    asked = list(PAPER_SIX) if methods is None else method_names(methods)
    parse_choice(dial)
    where = parse_where(on)
    loaded = [load_dataset(each, prepared, split=None if split else chosen_preset.split) for each in datasets]
    names, given = chosen_preset.methods(asked), given_to_training(epochs, changes)
    published = {data.name: whose(data.name).published for data in loaded}
    overrides = chosen_preset.overrides(published, [*names, POPREC], [*given, *negatives])
    planned = partial(study.plan, loaded, names, repeats=repeats, seed=seed, settings=settings, changes=negatives)
    jobs, factors = planned(tuned=overrides), whole_numbers("--oversampling", oversampling)
    again = study.oversampled(jobs, factors)
    check_study_folder(folder)
    left = study.unfinished([*jobs, *again], folder, together)
    check_fits(left, at_once, memory=where.here)
    for data in loaded:
        print_dataset(out, data)
    for remark in remarks(chosen_preset, {data.name: data.split for data in loaded}, asked):
        out.print(remark, highlight=False, markup=False, soft_wrap=True)
    note: dict[str, Any] = {"command": command_line(), "preset": preset}
    if tune_trials is not None:
        tunings = plan_tunings(
            loaded,
            names,
            trials=tune_trials,
            seed=seed,
            settings=settings,
            changes=negatives,
            given=given,
            folder=folder / "tuning",
        )
        jobs = planned(tuned=_tuned(tunings, at_once, where))
        again = study.oversampled(jobs, factors)
        note |= {"tune_trials": tune_trials, "tunings": [tuning.stem for tuning in tunings]}
        left = study.unfinished([*jobs, *again], folder, together)
        check_fits(left, at_once, memory=where.here)
    print_forecast(out, forecast(left, at_once))
    with tracked(tracking, say) as logging, Progress(out, [*jobs, *again]) as progress:
        page = study.compare(
            jobs,
            folder,
            oversampling=again,
            at_once=at_once,
            together=together,
            dial=dial,
            on=where,
            watch=logging(progress.watch),
            tell=progress.tell,
            note=note,
        )
    finished = read_study(folder)
    print_study(out, study_table(finished), finished.about["dial"])
    out.print(f"Report: {page}", highlight=False, markup=False, soft_wrap=True)
    words = unreached_words(finished)
    if words and len(finished.unreached()) == sum(run.config["method"] != POPREC for run in finished.runs):
        raise InputError(words)
    if words:
        out.print(words, highlight=False, markup=False, soft_wrap=True)


def tune(
    dataset: Annotated[str, typer.Argument(help="A name of `negsample data list`, a prepared folder, or a log.")],
    method: Annotated[str, typer.Option(help="A name of `negsample methods`.")],
    trials: Annotated[int, typer.Option(min=1, help="Settings that are tried; more of them carry on.")],
    folder: Annotated[Path, typer.Option("--out", help="The search; an interrupted one is carried on.")],
    epochs: Epochs = None,
    seed: Seed = 0,
    changes: Changes = None,
    user: User = None,
    item: Item = None,
    time: Time = None,
    min_user_events: MinUser = 1,
    min_item_events: MinItem = 1,
    split: Split = None,
    valid_fraction: ValidFraction = 0.05,
    test_fraction: TestFraction = 0.05,
    cold: Cold = "keep",
) -> None:
    """Search the settings of one method on validation: learning rate, batch size, numbers of negatives."""
    settings, negatives = settings_of(epochs, changes)
    prepared = prepare_settings(
        user, item, time, min_user_events, min_item_events, split, valid_fraction, test_fraction, cold
    )
    from negsample.cli.terminal import print_best, print_dataset
    from negsample.data.catalogue import load_dataset
    from negsample.methods import POPREC, method_names
    from negsample.tuning import plan_tunings, write_best
    from negsample.where import LOCAL

    names = method_names(method)
    if len(names) > 1 or names == [POPREC]:
        raise InputError(f"tune takes one method that is trained, got {', '.join(names)}")
    data = load_dataset(dataset, prepared)
    print_dataset(out, data)
    (tuning,) = plan_tunings(
        [data],
        names,
        trials=trials,
        seed=seed,
        settings=settings,
        changes=negatives,
        given=given_to_training(epochs, changes),
        folder=folder,
    )
    _tuned([tuning], 1, LOCAL)
    print_best(out, tuning, dataset)
    out.print(f"Best: {write_best(tuning)}", highlight=False, markup=False, soft_wrap=True)


def reproduce(
    folder: Annotated[Path, typer.Option("--out", help="The study; an interrupted one is carried on.")],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Logs or prepared datasets named after the paper's (movielens-10m, amazon-beauty, retailrocket), or "
            "what stands in for them. (default: what `negsample data fetch` has)",
        ),
    ] = None,
    datasets: Annotated[
        str | None,
        typer.Option(help="Some of the three, with commas, or variants. (default: all; with --data those there)"),
    ] = None,
    preset: Annotated[
        Literal["paper", "reference"], typer.Option(help="What the paper's text says, or what its code did.")
    ] = "reference",
    repeats: Annotated[int, typer.Option(min=1, help="Runs of each method, from different seeds.")] = 20,
    epochs: Epochs = None,
    seed: Seed = 0,
    osf: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...|none", help="Oversampling factors of Figure A1, each run once. (default: the paper's)"
        ),
    ] = None,
    response: Annotated[
        int, typer.Option(min=0, help="Trials of Figure 5, on the first dataset; 0 leaves it out.")
    ] = 16,
    forecast_only: Annotated[bool, typer.Option("--forecast", help="Say what it will take, and stop.")] = False,
    at_once: Jobs = 1,
    on: On = "local",
    together: Annotated[
        int, typer.Option("--together", min=1, help="Seeds of a method trained at once as one model, for a GPU.")
    ] = 1,
    mlflow: MLflow = None,
    changes: Changes = None,
) -> None:
    """The paper again: its datasets, six methods, tables and figures, beside what was published."""
    from negsample import study
    from negsample.cli.progress import Progress
    from negsample.cli.terminal import print_dataset, print_forecast, print_study
    from negsample.data.catalogue import load_dataset
    from negsample.forecast import check_fits, forecast, in_time
    from negsample.methods import PAPER_SIX
    from negsample.presets import PRESETS, remarks, whose
    from negsample.published import DATASETS
    from negsample.report.reading import read_study
    from negsample.report.tables import study_table
    from negsample.reproduce import FACTORS, note_of, plan_reproduction, stand_ins, what_is_missing
    from negsample.runs import check_study_folder
    from negsample.tracking import track, tracked
    from negsample.where import parse_where

    chosen = PRESETS[preset]
    settings, negatives = settings_of(epochs, changes, chosen.training)
    tracking, where = track(mlflow, folder), parse_where(on)
    factors = FACTORS if osf is None else [] if osf == "none" else whole_numbers("--osf", osf)
    wanted = list(DATASETS) if datasets is None else [each.strip() for each in datasets.split(",") if each.strip()]
    named = {whose(each).published: each for each in wanted if whose(each).known}
    if unknown := [each for each in wanted if named.get(whose(each).published) != each]:
        raise InputError(
            f"--datasets {unknown[0]!r} is none of the paper's, or a second of one; name each of these once at most: "
            f"{', '.join(DATASETS)}, or a variant such as amazon-beauty-sequences"
        )
    there: Mapping[str, str | Path] = named if data is None else stand_ins(data)
    if absent := [name for name in named if name not in there and datasets is not None]:
        raise InputError(f"--data {data} has no {absent[0]}; there are: {', '.join(there)}")
    loaded = {name: load_dataset(there[name], split=chosen.split) for name in named if name in there}
    planned = plan_reproduction(
        loaded,
        chosen,
        repeats=repeats,
        seed=seed,
        settings=settings,
        changes=negatives,
        given=[*given_to_training(epochs, changes), *negatives],
        factors=factors,
        trials=response,
        folder=folder / "tuning",
    )
    check_study_folder(folder)
    left = study.unfinished([*planned.jobs, *planned.oversampling], folder, together)
    check_fits(left, at_once, memory=where.here)
    for each in loaded.values():
        print_dataset(out, each)
    splits = {each.name: each.split for each in loaded.values()}
    for line in [*remarks(chosen, splits, PAPER_SIX, splits), *what_is_missing(loaded, planned)]:
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    trials = [[tuning.job] for tuning in planned.tunings]
    print_forecast(out, forecast(left, at_once))
    if trials:
        each_takes = in_time(forecast(trials).lines[0].seconds)
        out.print(f"And Figure 5: at most {response} trials of about {each_takes} each.", highlight=False)
    if forecast_only:
        return
    _tuned(planned.tunings, at_once, where)
    note = {"command": command_line()} | note_of(loaded, chosen, planned)
    with tracked(tracking, say) as logging, Progress(out, [*planned.jobs, *planned.oversampling]) as progress:
        page = study.compare(
            planned.jobs,
            folder,
            oversampling=planned.oversampling,
            at_once=at_once,
            together=together,
            on=where,
            watch=logging(progress.watch),
            tell=progress.tell,
            note=note,
        )
    finished = read_study(folder)
    print_study(out, study_table(finished), finished.about["dial"])
    out.print(f"Report: {page}", highlight=False, markup=False, soft_wrap=True)


def report(folder: Annotated[Path, typer.Argument(help="The folder of a study.")]) -> None:
    """Write a study's report again, from its folders alone."""
    from negsample.cli.terminal import print_study
    from negsample.report.page import write_report
    from negsample.report.reading import read_study
    from negsample.report.tables import study_table

    page = write_report(folder)
    study = read_study(folder)
    print_study(out, study_table(study), study.about.get("dial", "none"))
    out.print(f"Report: {page}", highlight=False, markup=False, soft_wrap=True)


def _tuned(tunings: list[Tuning], at_once: int, where: Where) -> dict[tuple[str, str], dict[str, Any]]:
    """Do what is left of ``tunings``, seen on the terminal."""
    from negsample.cli.progress import TuningProgress
    from negsample.forecast import check_fits
    from negsample.tuning import tune_all

    check_fits([[tuning.job] for tuning in tunings], at_once, memory=where.here)
    with TuningProgress(out, tunings) as progress:
        return tune_all(tunings, at_once=at_once, on=where, watch=progress.watch, tell=progress.tell)


def command_line() -> str:
    """What was called, to be called again."""
    return shlex.join(["negsample", *sys.argv[1:]]).encode("utf-8", "backslashreplace").decode()
