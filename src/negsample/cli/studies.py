"""Verbs of studies: compare, tune, report."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from negsample.cli.commands import train_command
from negsample.cli.console import out, say
from negsample.cli.options import (
    Changes,
    Cold,
    Cutoffs,
    Dial,
    Epochs,
    Item,
    Jobs,
    KeepMissing,
    MinItem,
    MinUser,
    MLflow,
    On,
    Plugins,
    Preset,
    Replace,
    Seed,
    Split,
    TestFraction,
    Time,
    Together,
    User,
    ValidFraction,
    given_to_training,
    prepare_settings,
    settings_of,
    whole_numbers,
    with_cutoffs,
)
from negsample.errors import FailedError, InputError

if TYPE_CHECKING:
    from negsample.analysis.reading import Study
    from negsample.execution.backend import Backend
    from negsample.report.supplement import Supplementing
    from negsample.runs.job import Job
    from negsample.studies.tuning_task import Tuning
    from negsample.tracking.study import TrackedStudy


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
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="Runs of each method, from different seeds.")] = 3,
    epochs: Epochs = None,
    seed: Seed = 0,
    preset: Preset = "default",
    tune_trials: Annotated[
        int | None,
        typer.Option(
            min=1, max=10_000, help="First search the settings of each method in so many trials, on validation."
        ),
    ] = None,
    oversampling: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Also train with batches of N epochs drawn again and again, for each N."),
    ] = None,
    at_once: Jobs = 1,
    on: On = "local",
    together: Together = 1,
    dial: Dial = "none",
    mlflow: MLflow = None,
    replace: Replace = False,
    changes: Changes = None,
    cutoffs: Cutoffs = None,
    plugins: Plugins = None,
    user: User = None,
    item: Item = None,
    time: Time = None,
    keep_missing_ids: KeepMissing = False,
    min_user_events: MinUser = 1,
    min_item_events: MinItem = 1,
    split: Split = None,
    valid_fraction: ValidFraction = 0.05,
    test_fraction: TestFraction = 0.05,
    cold: Cold = "keep",
) -> None:
    """Compare methods on the same data: the main job. PopRec comes along."""
    from negsample.paper.presets import PRESETS, check_untuned, remarks, whose

    chosen_preset = PRESETS[preset]
    check_untuned(chosen_preset, tune_trials)
    changes = with_cutoffs(changes, cutoffs)
    settings, negatives = settings_of(epochs, changes, chosen_preset.training)
    prepared = prepare_settings(
        user,
        item,
        time,
        keep_missing_ids,
        min_user_events,
        min_item_events,
        split,
        valid_fraction,
        test_fraction,
        cold,
    )
    from negsample.cli.terminal import print_dataset, print_forecast
    from negsample.data.load import load_dataset
    from negsample.execution.backend import parse_backend
    from negsample.methods import PAPER_SIX, POPREC, method_names
    from negsample.report.words import unreached_words
    from negsample.scoring.dial import parse_choice
    from negsample.studies import study
    from negsample.studies.earlier import check_adds, read_earlier
    from negsample.studies.files import check_study_folder
    from negsample.studies.forecast import check_fits, forecast
    from negsample.studies.tuning import plan_tunings
    from negsample.tracking import track

    tracking = track(mlflow, folder)
    asked = list(PAPER_SIX) if methods is None else method_names(methods)
    parse_choice(dial)
    backend = parse_backend(on)
    loaded = [load_dataset(each, prepared, split=None if split else chosen_preset.split) for each in datasets]
    names, given = chosen_preset.methods(asked), given_to_training(epochs, changes)
    published = {data.name: whose(data.name).published for data in loaded}
    overrides = chosen_preset.overrides(published, [*names, POPREC], [*given, *negatives])
    planned = partial(study.plan, loaded, names, repeats=repeats, seed=seed, settings=settings, changes=negatives)
    jobs, factors = planned(tuned=overrides), whole_numbers("--oversampling", oversampling)
    again = study.oversampled(jobs, factors)
    check_study_folder(folder)
    note: dict[str, Any] = {"command": command_line(), "preset": preset}
    note |= {} if tune_trials is None else {"tune_trials": tune_trials}
    for data in loaded:
        print_dataset(out, data, settings)
    for remark in remarks(chosen_preset, {data.name: data.split for data in loaded}, asked):
        out.plain(remark)
    untuned: dict[tuple[str, str], str] = {}
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
        if not replace:  # tuning may take hours, and what is tuned is compared after it
            check_adds(folder, read_earlier(folder), [job for job in jobs if job.method == POPREC], note)
        if searches := [(each.job, each.left) for each in tunings if each.left]:
            left = study.unfinished([*jobs, *again], folder, together)
            check_fits(left, at_once, memory=backend.here)
            at_a_time = study.at_a_time([*jobs, *again], at_once, together)
            ahead = forecast(left, at_a_time, searches=searches, searches_at_once=min(at_once, len(tunings)))
            print_forecast(out, ahead, here=not backend.ray)
        jobs = planned(tuned=tuned(tunings, at_once, backend, untuned))
        again = study.oversampled(jobs, factors)
        note |= {"tunings": [tuning.stem for tuning in tunings]}

    def say_forecast(left: Sequence[Sequence[Job]]) -> None:
        ahead = forecast(left, study.at_a_time([*jobs, *again], at_once, together))
        print_forecast(out, ahead, here=not backend.ray)

    finished, failures = carry_out(
        jobs,
        folder,
        oversampling=again,
        at_once=at_once,
        together=together,
        dial=dial,
        on=backend,
        tracking=tracking,
        note=note,
        replace=replace,
        untuned=untuned,
        before=say_forecast,
    )
    words = unreached_words(finished)
    if words and not failures and len(finished.unreached()) == len(finished.trained()):
        raise InputError(words)
    if words:
        out.plain(words)
    if failures:
        raise FailedError(failures)


def tune(
    dataset: Annotated[str, typer.Argument(help="A name of `negsample data list`, a prepared folder, or a log.")],
    method: Annotated[str, typer.Option(help="A name of `negsample methods`.")],
    trials: Annotated[int, typer.Option(min=1, max=10_000, help="Settings that are tried; more of them carry on.")],
    folder: Annotated[Path, typer.Option("--out", help="The search; an interrupted one is carried on.")],
    epochs: Epochs = None,
    seed: Seed = 0,
    changes: Changes = None,
    plugins: Plugins = None,
    user: User = None,
    item: Item = None,
    time: Time = None,
    keep_missing_ids: KeepMissing = False,
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
        user,
        item,
        time,
        keep_missing_ids,
        min_user_events,
        min_item_events,
        split,
        valid_fraction,
        test_fraction,
        cold,
    )
    from negsample.cli.terminal import print_best, print_dataset, print_forecast
    from negsample.data.load import load_dataset
    from negsample.execution.backend import LOCAL
    from negsample.files.folders import check_place
    from negsample.methods import POPREC, method_names
    from negsample.studies.forecast import forecast
    from negsample.studies.tuning import check_alone, plan_tunings, write_best

    names = method_names(method)
    if len(names) > 1 or names == [POPREC]:
        raise InputError(f"tune takes one method that is trained, got {', '.join(names)}")
    check_place(folder)
    data = load_dataset(dataset, prepared)
    print_dataset(out, data, settings)
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
    check_alone(tuning)
    print_forecast(out, forecast([], searches=[(tuning.job, tuning.left)] if tuning.left else []))
    tuned([tuning], 1, LOCAL)
    print_best(out, tuning, train_command(dataset, prepared, tuning.job_of(tuning.best().params)))
    out.plain(f"Best: {write_best(tuning)}")


def report(
    folder: Annotated[Path, typer.Argument(help="The folder of a study.")],
    paper: Annotated[
        bool, typer.Option("--paper", help="Also test the paper's findings on this data; a reproduction has them.")
    ] = False,
    plugins: Plugins = None,
) -> None:
    """Write a study's report again, from its folders alone."""
    from negsample.analysis.reading import read_study
    from negsample.paper.beside import reproduced
    from negsample.paper.supplement import paper_supplement
    from negsample.report.page import write_report

    study = read_study(folder)
    write_report(study, say, supplement=paper_supplement if paper or reproduced(study) else None)
    _say_study(study)


def carry_out(
    jobs: Sequence[Job],
    folder: Path,
    *,
    oversampling: Sequence[Job],
    at_once: int,
    together: int,
    on: Backend,
    tracking: TrackedStudy | None,
    note: Mapping[str, Any],
    replace: bool,
    dial: str = "none",
    untuned: Mapping[tuple[str, str], str] | None = None,
    supplement: Supplementing | None = None,
    before: Callable[[Sequence[Sequence[Job]]], None] = lambda left: None,
) -> tuple[Study, list[str]]:
    """Do what is left of a study, seen on the terminal, and say what came of it; what failed is returned, in lines.

    Raises:
        FailedError: nothing is finished.
    """
    from negsample.analysis.reading import read_study
    from negsample.comparison import compare as run_study
    from negsample.studies.progress import progress_of
    from negsample.tracking import tracked

    failures: list[str] = []
    with tracked(tracking, say) as logging, progress_of(out, [*jobs, *oversampling]) as progress:
        try:
            finished = run_study(
                jobs,
                folder,
                oversampling=oversampling,
                at_once=at_once,
                together=together,
                dial=dial,
                on=on,
                before=before,
                watch=logging(progress.watch),
                tell=progress.tell,
                note=note,
                replace=replace,
                untuned=untuned,
                supplement=supplement,
            )
        except FailedError as failed:
            if failed.page is None:
                raise
            finished, failures = read_study(folder), failed.lines
    _say_study(finished)
    return finished, failures


def _say_study(study: Study) -> None:
    from negsample.cli.terminal import print_study

    print_study(out, study.table(), study.about.get("dial", "none"))
    out.plain(f"Report: {study.folder / 'report.html'}")


def tuned(
    tunings: list[Tuning], at_once: int, backend: Backend, failed: dict[tuple[str, str], str] | None = None
) -> dict[tuple[str, str], dict[str, Any]]:
    """Do what is left of ``tunings``, seen on the terminal; ``failed`` as of
    :func:`negsample.studies.tuning.tune_all`."""
    from negsample.studies.forecast import check_fits
    from negsample.studies.progress import progress_of_searches
    from negsample.studies.tuning import tune_all

    check_fits([[tuning.job] for tuning in tunings], at_once, memory=backend.here)
    with progress_of_searches(out, tunings) as progress:
        return tune_all(tunings, at_once=at_once, on=backend, watch=progress.watch, tell=progress.tell, failed=failed)


def command_line() -> str:
    """What was called, to be called again."""
    return shlex.join(["negsample", *sys.argv[1:]]).encode("utf-8", "backslashreplace").decode()
