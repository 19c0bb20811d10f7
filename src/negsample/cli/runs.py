"""The commands of one dataset, one run, one folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from negsample.cli.console import keeps_work, notes, out, result
from negsample.cli.data import check_are_logs
from negsample.cli.given import settings_of
from negsample.cli.options import (
    Changes,
    Cutoffs,
    DatasetName,
    Dial,
    EarlyStop,
    Epochs,
    FitTerms,
    MethodName,
    Plugins,
    Preset,
    Refit,
    RunLog,
    Seed,
)
from negsample.cli.sharing import shared
from negsample.cli.tables import counted
from negsample.errors import InputError
from negsample.settings import PrepareSettings

if TYPE_CHECKING:
    from negsample.parallel.processes import Processes
    from negsample.runs.job import Job
    from negsample.scoring.dial import Choice


def prepare_command(
    logs: Annotated[
        list[str],
        typer.Argument(
            help="A log: a file, or several that are its parts, a folder, a pattern, FILE::TABLE, an address, or -. "
            "Public datasets need no preparation.",
            metavar="LOG",
        ),
    ],
    folder: Annotated[Path, typer.Option("--out", help="New folder of the prepared dataset.")],
    on: Annotated[
        str,
        typer.Option(
            metavar="local|ray|ray=ADDRESS",
            help="Where it is prepared: this machine (local), or a Ray cluster whose nodes see the LOG and --out, as "
            "for compare. Each file of the LOG is read by one task.",
        ),
    ] = "local",
    *,
    preparing: PrepareSettings,
) -> None:
    """Prepare a log: split it by time, number users and items, write arrays."""
    from negsample.cli.terminal import print_dataset
    from negsample.execution.preparing import prepare

    check_are_logs(logs)
    data = prepare(logs[0] if len(logs) == 1 else logs, preparing, folder, on=on)
    print_dataset(out, data)
    out.plain(f"Prepared in {folder}")
    result({"folder": folder, **data.manifest.model_dump(mode="json")})


def train_command(
    dataset: DatasetName,
    method: MethodName,
    folder: Annotated[Path, typer.Option("--out", help="New folder of the run.")],
    epochs: Epochs = None,
    early_stop: EarlyStop = None,
    seed: Seed = 0,
    preset: Preset = "default",
    dial: Dial = "none",
    refit: Refit = None,
    terms: FitTerms = None,
    changes: Changes = None,
    cutoffs: Cutoffs = None,
    plugins: Plugins = None,
    *,
    preparing: PrepareSettings,
) -> None:
    """Train one model with one method, and evaluate it; with table=sharded in the processes that torchrun starts."""
    keeps_work()
    from negsample.data.description import no_future
    from negsample.data.load import load_dataset
    from negsample.methods import POPREC, method_names
    from negsample.paper.presets import PRESETS, remarks, whose
    from negsample.scoring.dial import parse_choice
    from negsample.studies.study import plan

    chosen_preset = PRESETS[preset]
    settings, negatives, given = settings_of(
        epochs, changes, cutoffs, chosen_preset.training, early_stop=early_stop, refit=refit, terms=terms
    )
    names, choice = method_names(method), parse_choice(dial)
    if len(names) > 1:
        raise InputError(f"train takes one method, got {', '.join(names)}; to compare them use `negsample compare`")
    split = None if "split" in preparing.model_fields_set else chosen_preset.split
    load = partial(load_dataset, dataset, preparing, split=split)
    with shared(settings.model.table) as processes:
        data = load() if processes is None else processes.first_alone(load)
        methods = chosen_preset.methods(names)
        overrides = chosen_preset.overrides({data.name: whose(data.name).published}, [*methods, POPREC], given)
        jobs = plan([data], methods, repeats=1, seed=seed, settings=settings, changes=negatives, tuned=overrides)
        job = next(each for each in jobs if each.method == methods[0])  # beside the baselines of every study
        for remark in [
            *remarks(chosen_preset, {data.name: data.split}, names),
            *no_future(data.manifest.not_in_time)[1:],
        ]:
            notes.plain(remark)
        _train(job, folder, choice, processes)


def _train(job: Job, folder: Path, choice: Choice, processes: Processes | None) -> None:
    """The run in ``folder``, made if it is not there, and its dial chosen."""
    from negsample.cli.forecast import print_divided, print_forecast
    from negsample.cli.terminal import print_dataset, print_metrics
    from negsample.execution.attempts import run_job
    from negsample.parallel.processes import each_by_first
    from negsample.runs.folder import read_run
    from negsample.runs.remeasure import set_dial
    from negsample.studies.forecast import forecast
    from negsample.studies.forecast.divided import check_divided_fits, divided_forecast
    from negsample.studies.forecast.fits import check_fits
    from negsample.studies.progress import progress_of

    if each_by_first(processes, lambda: _is_made(job, folder)):
        notes.plain(f"{folder} is finished already")
    else:
        check_fits([[job]], memory=processes is None)  # each of several has a part
        if processes is not None:
            processes.all_or_none(partial(check_divided_fits, job, processes.size))
        print_dataset(notes, job.data, job.settings)
        if processes is None:
            print_forecast(notes, forecast([[job]]))
        else:
            print_divided(notes, processes.size, processes.by_first(partial(divided_forecast, job, processes.size)))
        with progress_of(notes, [job]) as progress:
            run_job(job, folder, dial=choice, watch=lambda epoch: progress.watch(job, epoch))
    dial = {"settings": job.config()["settings"]}
    chosen = each_by_first(processes, lambda: set_dial(folder, choice, job.data, **dial))
    metrics = read_run(folder).metrics
    print_metrics(out, job.method, metrics)
    out.plain(f"Run: {folder}")
    result({"run": folder, "method": job.method, "metrics": metrics})
    if chosen.unreached:
        raise InputError(f"{chosen.unreached}. {folder} is kept, at dial 0")


def _is_made(job: Job, folder: Path) -> bool:
    """Whether ``folder`` has the run of ``job``; if not, it is free.

    Raises:
        InputError: there is something else.
    """
    from negsample.files.folders import check_place
    from negsample.runs.folder import is_run, read_run
    from negsample.studies.earlier import differs

    if not is_run(folder):
        check_place(folder, new=True)
        return False
    if not job.made(read_run(folder).config):
        other = differs(read_run(folder).config, job.config())
        raise InputError(f"{folder} holds a run of other settings ({other}); choose another --out, or delete it")
    return True


def evaluate_command(
    run: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    dial: Annotated[
        str | None,
        typer.Option(metavar="none|auto|NUMBER|balance:X", help="Choose the dial again. (default: as before)"),
    ] = None,
    data: RunLog = None,
    plugins: Plugins = None,
) -> None:
    """Evaluate the saved model of a finished run again."""
    from negsample.cli.terminal import print_metrics
    from negsample.data.load import load_as
    from negsample.runs.folder import read_run
    from negsample.runs.remeasure import remeasure
    from negsample.scoring.dial import parse_choice

    choice = None if dial is None else parse_choice(dial)
    log = None if data is None else load_as(data, read_run(run).config["prepare"])
    remeasure(run, choice, data=log, must_reach=dial is not None)
    measured = read_run(run)
    print_metrics(out, measured.config["method"], measured.metrics)
    result({"run": run, "method": measured.config["method"], "metrics": measured.metrics})


def verify_command(
    folder: Annotated[Path, typer.Argument(help="A prepared dataset, a run, a study, a tuning, a MODEL or an export.")],
) -> None:
    """Check every file of a folder against its checksum."""
    from negsample.studies.verify import verify

    damaged, lists = 0, []
    for found in verify(folder):
        counts = {"files": found.files, "bytes": found.size, "damaged": found.damaged}
        lists.append({"folder": found.path.parent, "kind": found.kind, **counts})
        if not found.damaged:
            files = counted(found.files, "file")
            out.plain(f"{found.path.parent}: {found.kind}, {files}, {found.size:,} bytes, as written")
        for sentence in found.damaged:
            out.plain(sentence, style="bold red")
        damaged += len(found.damaged)
    result({"checked": lists})
    if damaged:
        raise InputError(f"{damaged} damaged in {folder}; what to do with each is said above")
