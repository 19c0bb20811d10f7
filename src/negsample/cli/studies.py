"""Verbs of studies: compare, tune, report."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from negsample.cli.commands import command_to_train
from negsample.cli.console import out, say
from negsample.cli.options import (
    Changes,
    Cutoffs,
    Dial,
    Doing,
    Epochs,
    OutStudy,
    Plugins,
    Preparing,
    Preset,
    Seed,
    given_to_training,
    settings_of,
    whole_numbers,
    with_cutoffs,
)
from negsample.errors import FailedError, InputError

Tuned = Mapping[tuple[str, str], Mapping[str, Any]]
"""Settings of a dataset and a method, as a tuning found them."""
Planned = tuple["list[Job]", "list[Job]"]
"""The runs of a study's table, and those beside it."""

if TYPE_CHECKING:
    from negsample.analysis.study import Study
    from negsample.data.dataset import Dataset
    from negsample.execution.backend import Backend
    from negsample.report.page import Supplementing
    from negsample.runs.job import Job
    from negsample.studies.progress import Progress
    from negsample.studies.tuning_task import Tuning


def compare_command(
    datasets: Annotated[
        list[str],
        typer.Argument(help="Names of `negsample data list`, prepared folders, or logs.", metavar="DATASET..."),
    ],
    folder: OutStudy,
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
        typer.Option(min=1, max=10_000, help="First tune each method on validation with this many trials."),
    ] = None,
    oversampling: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...", help="For each N, also train with the batches of N epochs, sampled once and reused."
        ),
    ] = None,
    dial: Dial = "none",
    *,
    doing: Doing,
    changes: Changes = None,
    cutoffs: Cutoffs = None,
    plugins: Plugins = None,
    preparing: Preparing,
) -> None:
    """Compare methods on the same data. The baseline PopRec is always added."""
    from negsample.data.load import load_dataset
    from negsample.methods import PAPER_SIX, POPREC, method_names
    from negsample.paper.presets import PRESETS, check_untuned, remarks, whose
    from negsample.report.words import unreached_words
    from negsample.scoring.dial import parse_choice
    from negsample.studies.study import oversampled, plan
    from negsample.studies.tuning import plan_tunings

    chosen = PRESETS[preset]
    check_untuned(chosen, tune_trials)
    changes = with_cutoffs(changes, cutoffs)
    settings, negatives = settings_of(epochs, changes, chosen.training)
    prepared, asked = preparing.settings(), list(PAPER_SIX) if methods is None else method_names(methods)
    factors = whole_numbers("--oversampling", oversampling)
    parse_choice(dial)
    loaded = [load_dataset(each, prepared, split=None if preparing.split else chosen.split) for each in datasets]
    names, given = chosen.methods(asked), given_to_training(epochs, changes)
    common: dict[str, Any] = {"seed": seed, "settings": settings, "changes": negatives}
    published = chosen.overrides(
        {data.name: whose(data.name).published for data in loaded}, [*names, POPREC], [*given, *negatives]
    )

    def planned(tuned: Tuned | None) -> Planned:
        jobs = plan(loaded, names, repeats=repeats, tuned=published if tuned is None else tuned, **common)
        return jobs, oversampled(jobs, factors)

    tuning = {} if tune_trials is None else {"tune_trials": tune_trials}
    request = StudyRequest(
        folder,
        loaded,
        planned,
        {"command": command_line(), "preset": preset, **tuning},
        remarks(chosen, {data.name: data.split for data in loaded}, asked),
        []
        if tune_trials is None
        else plan_tunings(loaded, names, trials=tune_trials, given=given, folder=folder / "tuning", **common),
        dial=dial,
    )
    finished, failures = carry_out(request, doing)
    words = unreached_words(finished)
    if words and not failures and len(finished.unreached()) == len(finished.trained()):
        raise InputError(words)
    if words:
        out.plain(words)
    if failures:
        raise FailedError(failures)


def tune_command(
    dataset: Annotated[str, typer.Argument(help="A name of `negsample data list`, a prepared folder, or a log.")],
    method: Annotated[str, typer.Option(help="A name of `negsample methods`.")],
    trials: Annotated[
        int, typer.Option(min=1, max=10_000, help="Number of trials; a larger number continues an earlier tuning.")
    ],
    folder: Annotated[
        Path, typer.Option("--out", help="Folder of the tuning; the same command resumes an interrupted one.")
    ],
    epochs: Epochs = None,
    seed: Seed = 0,
    changes: Changes = None,
    plugins: Plugins = None,
    *,
    preparing: Preparing,
) -> None:
    """Tune one method on validation: learning rate, batch size, numbers of negatives."""
    settings, negatives = settings_of(epochs, changes)
    prepared = preparing.settings()
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
    print_best(out, tuning, command_to_train(dataset, prepared, tuning.job_of(tuning.best().params)))
    out.plain(f"Best: {write_best(tuning)}")


def report_command(
    folder: Annotated[Path, typer.Argument(help="The folder of a study.")],
    paper: Annotated[
        bool,
        typer.Option("--paper", help="Also test the paper's findings on this data (always done for a reproduction)."),
    ] = False,
    plugins: Plugins = None,
) -> None:
    """Write the report of a study again, from its folder."""
    from negsample.analysis.reading import read_study
    from negsample.paper.beside import reproduced
    from negsample.paper.supplement import paper_supplement
    from negsample.report.page import write_report

    study = read_study(folder)
    write_report(study, say, supplement=paper_supplement if paper or reproduced(study) else None)
    _say_study(study)


class StudyRequest(NamedTuple):
    """What a command asks of a study.

    ``planned``: the runs of its table and those beside it, given what a tuning found (None: nothing). ``note``: kept in
    study.json. ``remarks``: said before it begins. ``tuned_runs``: whether what ``tunings`` find is for the runs.
    """

    folder: Path
    datasets: list[Dataset]
    planned: Callable[[Tuned | None], Planned]
    note: dict[str, Any]
    remarks: list[str]
    tunings: list[Tuning]
    tuned_runs: bool = True
    dial: str = "none"
    supplement: Supplementing | None = None
    forecast_only: bool = False


def carry_out(request: StudyRequest, doing: Doing) -> tuple[Study, list[str]]:
    """Do what is left of a study, seen on the terminal, and say what came of it; what failed is returned, in lines.

    Raises:
        FailedError: nothing is finished.
    """
    from negsample.analysis.reading import read_study
    from negsample.comparison import compare
    from negsample.execution.backend import parse_backend
    from negsample.studies.files import check_study_folder
    from negsample.studies.progress import progress_of
    from negsample.tracking import track, tracked

    tracking, backend = track(doing.mlflow, request.folder), parse_backend(doing.on)
    check_study_folder(request.folder)
    jobs, beside = request.planned(None)
    untuned: dict[tuple[str, str], str] = {}
    note, will_change = dict(request.note), bool(request.tunings) and request.tuned_runs
    if request.tunings or request.forecast_only:
        _forecast_searches(request, doing, backend, (jobs, beside))
        found = tuned(request.tunings, doing.at_once, backend, untuned)
        if will_change:
            jobs, beside = request.planned(found)
            note["tunings"] = [each.stem for each in request.tunings]
    failures: list[str] = []
    with tracked(tracking, say) as logging, progress_of(out, [*jobs, *beside], begun=False) as progress:
        try:
            finished = compare(
                jobs,
                request.folder,
                oversampling=beside,
                at_once=doing.at_once,
                together=doing.together,
                dial=request.dial,
                on=backend,
                before=_say_before(request, doing, backend, (jobs, beside), progress),
                watch=logging(progress.watch),
                tell=progress.tell,
                note=note,
                replace=doing.replace,
                untuned=untuned if request.tuned_runs else {},
                supplement=request.supplement,
            )
        except FailedError as failed:
            if failed.page is None:
                raise
            finished, failures = read_study(request.folder), failed.lines
    _say_study(finished)
    if not request.tuned_runs:
        failures += [f"the search of {method} on {name}: {why}" for (name, method), why in untuned.items()]
    return finished, failures


def _forecast_searches(request: StudyRequest, doing: Doing, backend: Backend, planned: Planned) -> None:
    """Say what the searches and then the runs will take, after what would refuse them later: tuning takes hours."""
    from negsample.cli.terminal import print_forecast
    from negsample.methods import POPREC
    from negsample.studies.earlier import check_adds, read_earlier
    from negsample.studies.forecast import check_fits, forecast
    from negsample.studies.study import at_a_time, unfinished

    jobs, beside = planned
    if not doing.replace:  # what is tuned is compared later, when its settings are known
        known = [job for job in jobs if job.method == POPREC] if request.tuned_runs else [*jobs, *beside]
        check_adds(request.folder, read_earlier(request.folder), known, request.note)
    left = unfinished([*jobs, *beside], request.folder, doing.together)
    check_fits(left, doing.at_once, memory=backend.here)
    _describe(request, jobs)
    searches = [(each.job, each.left) for each in request.tunings if each.left]
    if searches or request.forecast_only:
        runs_at_once = at_a_time([*jobs, *beside], doing.at_once, doing.together)
        at_once = max(min(doing.at_once, len(request.tunings)), 1)
        ahead = forecast(left, runs_at_once, searches=searches, searches_at_once=at_once)
        print_forecast(out, ahead, here=not backend.ray)
    if request.forecast_only:
        raise typer.Exit


def _describe(request: StudyRequest, jobs: Sequence[Job]) -> None:
    from negsample.cli.terminal import print_dataset

    for data in request.datasets:
        print_dataset(out, data, jobs[0].settings)
    for remark in request.remarks:
        out.plain(remark)


def _say_before(
    request: StudyRequest, doing: Doing, backend: Backend, planned: Planned, progress: Progress
) -> Callable[[Sequence[Sequence[Job]]], None]:
    """What is said once all has been checked, before the first run."""
    from negsample.cli.terminal import print_forecast
    from negsample.studies.forecast import forecast
    from negsample.studies.study import at_a_time

    every = [*planned[0], *planned[1]]

    def say_of(left: Sequence[Sequence[Job]]) -> None:
        if not request.tunings:
            _describe(request, planned[0])
        ahead = forecast(left, at_a_time(every, doing.at_once, doing.together))
        print_forecast(out, ahead, here=not backend.ray)
        progress.begin()

    return say_of


def _say_study(study: Study) -> None:
    from negsample.cli.terminal import print_study

    print_study(out, study)
    out.plain(f"Report: {study.report_path}")


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
