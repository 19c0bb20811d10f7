"""What a finished training is measured at: every setting of the dial, one of which is chosen on validation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.data.dataset import Dataset
from negsample.errors import InputError
from negsample.evaluation.evaluate import Evaluation, Model, evaluate_by_dial
from negsample.evaluation.metrics import own_kinds, own_metrics
from negsample.files.checksums import LIST, read_list
from negsample.files.folders import write_arrays, write_json
from negsample.files.together import rewriting
from negsample.runs.folder import Grid, Metrics, Run, read_grid, read_ranks
from negsample.scoring.dial import BETAS, NO_DIAL, Choice, Dials, dials
from negsample.settings import RunSettings


class Measured(NamedTuple):
    """``betas``: settings of the dial, ascending; ``valid`` and ``test``: what each gave."""

    betas: tuple[float, ...]
    valid: list[Evaluation]
    test: list[Evaluation]


class Chosen(NamedTuple):
    """A choice and what it led to. ``unreached``: why it could not be followed; the setting is then 0."""

    choice: Choice
    beta: float
    unreached: str | None


def measure(
    model: Model,
    data: Dataset,
    settings: RunSettings,
    target_counts: Tensor | None,
    choice: Choice,
    *,
    device: torch.device,
) -> Measured:
    """Measure ``model`` on validation and test, at every setting of the grid and at the number that is asked for.

    ``target_counts``: (V + 1,) of training; None: the model has no dial (PopRec), and is measured as it is.
    """
    grid: Dials = NO_DIAL
    if target_counts is not None:
        asked = [] if choice.number is None else [choice.number]
        grid = dials(target_counts, sorted({*BETAS, *asked}))
    valid = evaluate_by_dial(model, data, "valid", settings, grid, device=device)
    test = evaluate_by_dial(model, data, "test", settings, grid, device=device)
    return Measured(tuple(grid.betas), valid, test)


def write_measured(
    folder: Path, measured: Measured, choice: Choice, kept: Mapping[str, Any], *, must_reach: bool = False
) -> Chosen:
    """``ranks.npz``, ``dial.json`` and ``metrics.json`` of a run, and the list of all its files, in one step.

    Args:
        folder: of the run.
        measured: at every setting.
        choice: which one the run is to have.
        kept: best_epoch and pace, for the metrics.
        must_reach: a choice that cannot be followed changes nothing.

    Raises:
        InputError: as ``must_reach`` says.
    """
    grid = Grid(
        betas=list(measured.betas),
        valid=[dict(each.figures) for each in measured.valid],
        test=[dict(each.figures) for each in measured.test],
    )
    ranks = {
        "valid_GE": np.stack([each.ranks_E for each in measured.valid]),
        "test_GE": np.stack([each.ranks_E for each in measured.test]),
    }
    unreached = _choose(grid, choice).unreached
    if must_reach and unreached:
        raise InputError(unreached)
    return _write(folder, grid, ranks, choice, kept)


def choose_among_measured(run: Run, choice: Choice) -> Chosen | None:
    """The same for a finished run, from what was measured; None if that lacks what the choice needs, or a metric."""
    grid = read_grid(run.folder)
    if run.metrics["own_metrics"] != own_metrics():
        return None
    if len(grid.betas) > 1 and choice.number is not None and choice.number not in grid.betas:
        return None
    chosen = _choose(grid, choice)
    if run.metrics["dial_choice"] == chosen.choice.text:
        return chosen
    return _write(run.folder, grid, read_ranks(run.folder, len(grid.betas)), choice, kept_figures(run))


def kept_figures(run: Run) -> dict[str, Any]:
    """What training gave, and no measuring changes."""
    kept = ("best_epoch", "train_seconds", "steps_per_second", "peak_memory_bytes")
    return {key: run.metrics[key] for key in kept}


def _choose(grid: Grid, choice: Choice) -> Chosen:
    if len(grid.betas) == 1:
        return Chosen(Choice(grid.betas[0]), grid.betas[0], None)
    try:
        return Chosen(choice, choice.of(grid.valid, grid.betas), None)
    except InputError as error:
        return Chosen(choice, 0.0, str(error))


def _write(
    folder: Path,
    grid: Grid,
    ranks: Mapping[str, NDArray[np.float64]],
    choice: Choice,
    kept: Mapping[str, Any],
) -> Chosen:
    chosen = _choose(grid, choice)
    at = grid.betas.index(chosen.beta)
    at_chosen = {part: ranks[f"{part}_GE"][at] for part in ("valid", "test")}
    best = {"best_epoch": kept["best_epoch"]}
    metrics = Metrics(
        valid=grid.valid[at] | best,
        test=grid.test[at] | best,
        **kept,
        dial=chosen.beta,
        dial_choice=chosen.choice.text,
        dial_reached=chosen.unreached is None,
        own_metrics=own_metrics(),
        metric_kinds=own_kinds(),
    )
    with rewriting(folder, "run", read_list(folder / LIST, "run").of) as scratch:
        write_arrays(scratch / "ranks.npz", at_chosen | dict(ranks))
        write_json(scratch / "dial.json", grid.model_dump())
        write_json(scratch / "metrics.json", metrics.model_dump())
    return chosen
