"""The paper's study as a verb."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from negsample.cli.console import out
from negsample.cli.options import (
    Changes,
    Epochs,
    Jobs,
    MLflow,
    On,
    Replace,
    Seed,
    Together,
    given_to_training,
    settings_of,
    whole_numbers,
)
from negsample.cli.studies import carry_out, command_line, tuned
from negsample.errors import FailedError


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
    repeats: Annotated[int, typer.Option(min=1, max=1000, help="Runs of each method, from different seeds.")] = 20,
    epochs: Epochs = None,
    seed: Seed = 0,
    osf: Annotated[
        str | None,
        typer.Option(
            metavar="N,N,...|none", help="Oversampling factors of Figure A1, each run once. (default: the paper's)"
        ),
    ] = None,
    response: Annotated[
        int, typer.Option(min=0, max=10_000, help="Trials of Figure 5, on the first dataset; 0 leaves it out.")
    ] = 16,
    forecast_only: Annotated[bool, typer.Option("--forecast", help="Say what it will take, and stop.")] = False,
    at_once: Jobs = 1,
    on: On = "local",
    together: Together = 1,
    mlflow: MLflow = None,
    replace: Replace = False,
    changes: Changes = None,
) -> None:
    """The paper again: its datasets, six methods, tables and figures, beside what was published."""
    from negsample.cli.terminal import print_dataset, print_forecast
    from negsample.data.load import load_dataset
    from negsample.execution.backend import parse_backend
    from negsample.methods import PAPER_SIX
    from negsample.paper.presets import PRESETS, remarks
    from negsample.paper.reproduce import FACTORS, note_of, plan_reproduction, what_is_missing, which_data
    from negsample.paper.supplement import paper_supplement
    from negsample.studies import study
    from negsample.studies.earlier import check_adds, read_earlier
    from negsample.studies.files import check_study_folder
    from negsample.studies.forecast import check_fits, forecast
    from negsample.tracking import track

    chosen = PRESETS[preset]
    settings, negatives = settings_of(epochs, changes, chosen.training)
    tracking, backend = track(mlflow, folder), parse_backend(on)
    factors = FACTORS if osf is None else [] if osf == "none" else whole_numbers("--osf", osf)
    there = which_data(datasets, data)
    loaded = {name: load_dataset(each, split=chosen.split) for name, each in there.items()}
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
    note = {"command": command_line()} | note_of(loaded, chosen, planned)
    if not replace:
        check_adds(folder, read_earlier(folder), [*planned.jobs, *planned.oversampling], note)
    left = study.unfinished([*planned.jobs, *planned.oversampling], folder, together)
    check_fits(left, at_once, memory=backend.here)
    for each in loaded.values():
        print_dataset(out, each, settings)
    splits = {each.name: each.split for each in loaded.values()}
    for line in [*remarks(chosen, splits, PAPER_SIX, splits), *what_is_missing(loaded, planned)]:
        out.plain(line)
    every = [*planned.jobs, *planned.oversampling]
    searches = [(each.job, each.left) for each in planned.tunings if each.left]
    ahead = forecast(left, study.at_a_time(every, at_once, together), searches=searches)
    print_forecast(out, ahead, here=not backend.ray)
    if forecast_only:
        return
    unanswered: dict[tuple[str, str], str] = {}
    tuned(planned.tunings, at_once, backend, unanswered)
    _, failures = carry_out(
        planned.jobs,
        folder,
        oversampling=planned.oversampling,
        at_once=at_once,
        together=together,
        on=backend,
        tracking=tracking,
        note=note,
        replace=replace,
        supplement=paper_supplement,
    )
    failures += [f"Figure 5, {method} on {name}: {why}" for (name, method), why in unanswered.items()]
    if failures:
        raise FailedError(failures)
