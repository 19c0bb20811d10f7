"""The paper's study as a command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from negsample.cli.commands import command_line
from negsample.cli.console import keeps_work
from negsample.cli.given import settings_of, whole_numbers
from negsample.cli.options import Changes, Doing, Epochs, OutStudy, Seed
from negsample.cli.study import StudyRequest, carry_out


def reproduce_command(
    folder: OutStudy,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="DIR",
            help="Folder of logs or prepared datasets. Each name begins with that of a dataset of the paper "
            "(movielens-10m, amazon-beauty, retailrocket) or with its first word, as in movielens-100k.parquet. "
            "(default: the datasets fetched by `negsample data fetch`)",
        ),
    ] = None,
    datasets: Annotated[
        str | None,
        typer.Option(help="Some of the three or their variants, with commas. (default: all; with --data those in DIR)"),
    ] = None,
    preset: Annotated[
        Literal["paper", "reference"], typer.Option(help="The settings of the paper's text, or of its code.")
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
    forecast_only: Annotated[bool, typer.Option("--forecast", help="Estimate time and memory, and stop.")] = False,
    *,
    doing: Doing,
    changes: Changes = None,
) -> None:
    """Repeat the paper: its datasets, methods, tables and figures beside the published ones."""
    keeps_work()
    from negsample.data.load import load_dataset
    from negsample.methods import PAPER_SIX
    from negsample.paper.presets import PRESETS, remarks
    from negsample.paper.reproduce import FACTORS, note_of, plan_reproduction, what_is_missing, which_data
    from negsample.paper.supplement import paper_supplement

    chosen = PRESETS[preset]
    settings, negatives, given = settings_of(epochs, changes, common=chosen.training)
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
        given=given,
        factors=factors,
        trials=response,
        folder=folder / "tuning",
    )
    splits = {each.name: each.split for each in loaded.values()}
    request = StudyRequest(
        folder,
        list(loaded.values()),
        lambda tuned: (planned.jobs, planned.oversampling),
        {"command": command_line()} | note_of(loaded, chosen, planned),
        [*remarks(chosen, splits, PAPER_SIX, splits), *what_is_missing(loaded, planned)],
        planned.tunings,
        tuned_runs=False,
        supplement=paper_supplement,
        forecast_only=forecast_only,
    )
    carry_out(request, doing)
