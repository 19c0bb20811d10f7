"""The commands that do studies: compare, tune."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from negsample.cli import complete
from negsample.cli.commands import command_line, command_to_train
from negsample.cli.console import keeps_work, notes, out, result
from negsample.cli.given import settings_of, whole_numbers
from negsample.cli.options import (
    Changes,
    Cutoffs,
    DatasetName,
    Dial,
    Doing,
    EarlyStop,
    Epochs,
    FitTerms,
    MethodName,
    OutStudy,
    Plugins,
    Preset,
    Refit,
    Seed,
    Users,
)
from negsample.cli.study import Planned, StudyRequest, Tuned, carry_out, tuned
from negsample.errors import InputError
from negsample.settings import ADVISED, PrepareSettings


def compare_command(
    datasets: Annotated[
        list[str],
        typer.Argument(
            help="Names of `negsample data list`, prepared folders, or logs.",
            metavar="DATASET",
            autocompletion=complete.datasets,
        ),
    ],
    folder: OutStudy,
    methods: Annotated[
        str | None,
        typer.Option(
            help="Names of `negsample methods`, with commas, or 'all'. (default: the paper's six and mixed-log-q; with "
            "--preset paper or reference the six)",
            autocompletion=complete.methods,
        ),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="Runs of each method, from different seeds.")] = 3,
    epochs: Epochs = None,
    early_stop: EarlyStop = None,
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
    refit: Refit = None,
    terms: FitTerms = None,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2,
            max=100,
            help="Test on so many windows that follow each other in time, each with all that came before it as train "
            "and validation. (default: on the last window alone)",
        ),
    ] = None,
    *,
    doing: Doing,
    changes: Changes = None,
    cutoffs: Cutoffs = None,
    plugins: Plugins = None,
    users: Users = True,
    preparing: PrepareSettings,
) -> None:
    """Compare methods on the same data. The baselines are always added."""
    keeps_work()
    from negsample.data.description import no_future
    from negsample.data.load import load_dataset, load_folds
    from negsample.methods import POPREC, method_names
    from negsample.paper.presets import PRESETS, check_untuned, remarks, whose
    from negsample.scoring.dial import parse_choice
    from negsample.studies.study import oversampled, plan
    from negsample.studies.tuning import plan_tunings

    chosen = PRESETS[preset]
    check_untuned(chosen, tune_trials)
    given = settings_of(epochs, changes, cutoffs, chosen.training, early_stop=early_stop, refit=refit, terms=terms)
    asked = list(chosen.compared) if methods is None else method_names(methods)
    factors = whole_numbers("--oversampling", oversampling)
    parse_choice(dial)
    split = None if "split" in preparing.model_fields_set else chosen.split
    if folds is None:
        loaded = [load_dataset(each, preparing, split=split) for each in datasets]
    else:
        loaded = [data for each in datasets for data in load_folds(each, folds, preparing, split=split)]
    tuned_on = [data for data in loaded if data.name == data.tuned_as]
    names = chosen.methods(asked)
    common: dict[str, Any] = {"seed": seed, "settings": given.settings, "changes": given.negatives}
    published = chosen.overrides(
        {data.name: whose(data.log).published for data in tuned_on}, [*names, POPREC], given.names
    )

    most = given.settings.training.epochs
    not_used_again = [
        f"--oversampling {factor} uses no batch again in {most} epochs: the run without it stands for it"
        for factor in factors
        if factor >= most
    ]

    left_out = [words for data in tuned_on for words in no_future(data.manifest.not_in_time)[1:]]

    def planned(tuned: Tuned | None) -> Planned:
        jobs = plan(loaded, names, repeats=repeats, tuned=published if tuned is None else tuned, **common)
        return jobs, oversampled(jobs, factors)

    request = StudyRequest(
        folder,
        loaded,
        planned,
        {"command": command_line(), "preset": preset, "folds": folds},
        [*remarks(chosen, {data.log: data.split for data in tuned_on}, asked), *not_used_again, *left_out],
        dial=dial,
        users=users,
    )
    if tune_trials is not None:
        tunings = plan_tunings(
            tuned_on, names, trials=tune_trials, given=given.names, folder=folder / "tuning", **common
        )
        request = request._replace(tunings=tunings, note={**request.note, "tune_trials": tune_trials})
    carry_out(request, doing)


def tune_command(
    dataset: DatasetName,
    method: MethodName,
    trials: Annotated[
        int, typer.Option(min=1, max=10_000, help="Number of trials; a larger number continues an earlier tuning.")
    ],
    folder: Annotated[
        Path, typer.Option("--out", help="Folder of the tuning; the same command resumes an interrupted one.")
    ],
    epochs: Epochs = None,
    early_stop: EarlyStop = None,
    seed: Seed = 0,
    refit: Refit = None,
    changes: Changes = None,
    plugins: Plugins = None,
    *,
    preparing: PrepareSettings,
) -> None:
    """Tune one method on validation: learning rate, batch size, numbers of negatives."""
    keeps_work()
    from negsample.cli.forecast import print_forecast
    from negsample.cli.terminal import print_best, print_dataset
    from negsample.data.load import load_dataset
    from negsample.execution.backend import LOCAL
    from negsample.files.folders import check_place
    from negsample.methods import method_names
    from negsample.models.baselines import is_baseline
    from negsample.runs.job import tuned_job
    from negsample.studies.forecast import forecast
    from negsample.studies.tuning import check_alone, plan_tunings, write_best

    settings, negatives, given = settings_of(epochs, changes, common=ADVISED, early_stop=early_stop, refit=refit)
    names = method_names(method)
    if len(names) > 1 or is_baseline(names[0]):
        raise InputError(f"tune takes one method that is trained, got {', '.join(names)}")
    check_place(folder)
    data = load_dataset(dataset, preparing)
    print_dataset(notes, data, settings)
    (tuning,) = plan_tunings(
        [data], names, trials=trials, seed=seed, settings=settings, changes=negatives, given=given, folder=folder
    )
    check_alone(tuning)
    print_forecast(notes, forecast([], searches=[(tuning.job, tuning.left)] if tuning.left else []))
    tuned([tuning], 1, LOCAL)
    best = tuned_job(tuning.job, {"refit": settings.training.refit, **tuning.best().params})
    command, path = command_to_train(dataset, preparing, best), write_best(tuning)
    print_best(out, tuning, command)
    out.plain(f"Best: {path}")
    tried = [each.model_dump(mode="json") for each in tuning.trials()]
    result({"best": tuning.best().params, "file": path, "command": command, "trials": tried})
