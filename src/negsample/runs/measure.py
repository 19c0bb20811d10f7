"""What a finished training is measured at: every setting of the dial, one of which is chosen on validation."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from negsample.errors import InputError
from negsample.evaluation.evaluate import Evaluation, evaluate_by_dial
from negsample.evaluation.metrics import own_kinds, own_metrics
from negsample.evaluation.queries import Part
from negsample.files.checksums import LIST, read_list
from negsample.files.folders import write_arrays, write_json
from negsample.files.together import rewriting
from negsample.models import Backbone
from negsample.models.baselines import Terms, is_baseline
from negsample.models.build import set_terms, terms_of
from negsample.runs.fitted import Fit, best_terms, terms_alone
from negsample.runs.folder import Grid, Metrics, Run, read_grid, read_ranks
from negsample.runs.weights import BEFORE_REFIT, load_weights
from negsample.scoring.dial import BETAS, NO_DIAL, Choice, Dials, dials

if TYPE_CHECKING:
    from negsample.runs.job import Job


class Measured(NamedTuple):
    """What a run gave at each of G settings of the dial: ``grid``, and ``ranks`` of every event: ``valid_GE`` and
    ``test_GE``. ``fit_seconds``: what it took to fit a baseline as it was tested; 0 for a trained model. ``terms``,
    ``without_terms``: as of :class:`~negsample.runs.folder.Metrics`."""

    grid: Grid
    ranks: Mapping[str, NDArray[np.float64]]
    fit_seconds: float = 0.0
    terms: Mapping[str, Any] = MappingProxyType({})
    without_terms: Mapping[str, Mapping[str, Any]] = MappingProxyType({})


class Chosen(NamedTuple):
    """A choice and what it led to. ``unreached``: why it could not be followed; the setting is then 0."""

    choice: Choice
    beta: float
    unreached: str | None


def measure(job: Job, model: Backbone, choice: Choice, device: torch.device, folder: Path) -> Measured:
    """Measure the trained ``model`` of ``job`` on validation and test, at every setting of the dial and at the number
    that is asked for. A baseline has no dial, and is measured as it is.

    With a refit, ``model`` is the refitted one and ``folder``, of the run, has the weights of both. The one before it
    is measured on both parts, the refitted one on test, each with a dial by the targets that it was trained on. One of
    them is held at a time. With ``fit_terms`` they are fitted to validation before that, with the model trained on
    train alone; a refitted model has the same weights, added to those that it was trained with.
    """

    def by_dial(part: Part, grid: Dials) -> list[Evaluation]:
        return evaluate_by_dial(model, job.data, part, job.settings, grid, device=device)

    def plain(part: Part) -> dict[str, Any]:
        return dict(by_dial(part, NO_DIAL)[0].figures)

    def grid_of(trained: Job) -> Dials:
        if is_baseline(job.method):
            return NO_DIAL
        asked = [] if choice.number is None else [choice.number]
        return dials(trained.catalogue(device).target_weights, sorted({*BETAS, *asked}))

    fit: Fit | None = None
    without: dict[str, dict[str, Any]] = {}
    if job.refits:
        load_weights(model, folder, BEFORE_REFIT)
    trained = terms_of(model)
    if job.fits_terms:
        without = {"valid": plain("valid"), "test_before_refit" if job.refits else "test": plain("test")}
        fit = best_terms(model, job.data, job.settings, device, without["valid"]["ndcg@10"])
        set_terms(model, fit.weights or trained)
    elif isinstance(model, Terms):
        fit = terms_alone(model, job.data, job.settings, device)
        set_terms(model, fit.weights)
    grid = grid_of(job)
    valid, test = by_dial("valid", grid), by_dial("test", grid)
    figures = {"valid": [dict(each.figures) for each in valid]}
    if job.refits:
        figures["test_before_refit"] = [dict(each.figures) for each in test]
        before = copy.deepcopy(trained)
        set_terms(model, trained)
        load_weights(model, folder)
        if fit is not None:
            without["test"] = plain("test")
            fit = fit.carried(before, trained)
            set_terms(model, fit.weights or trained)
        test = by_dial("test", grid_of(job.refitted()))
    figures["test"] = [dict(each.figures) for each in test]
    ranks = {
        "valid_GE": np.stack([each.ranks_E for each in valid]),
        "test_GE": np.stack([each.ranks_E for each in test]),
    }
    seconds = fit.seconds if fit and is_baseline(job.method) else test[0].fit_seconds
    return Measured(Grid(betas=list(grid.betas), **figures), ranks, seconds, fit.entry() if fit else {}, without)


def write_measured(
    folder: Path,
    measured: Measured,
    choice: Choice,
    training: Mapping[str, Any],
    *,
    config: Mapping[str, Any] | None = None,
    must_reach: bool = False,
) -> Chosen:
    """``ranks.npz``, ``dial.json`` and ``metrics.json`` of a run, and the list of all its files, in one step.

    Args:
        folder: of the run.
        measured: at every setting.
        choice: which one the run is to have.
        training: what training gave, for the metrics: see :func:`of_training`.
        config: takes the place of ``config.json``. (default: as it is)
        must_reach: a choice that cannot be followed changes nothing.

    Raises:
        InputError: as ``must_reach`` says.
    """
    grid, ranks = measured.grid, measured.ranks
    chosen = _choose(grid, choice)
    if must_reach and chosen.unreached:
        raise InputError(chosen.unreached)
    at = grid.betas.index(chosen.beta)
    best = {"best_epoch": training["best_epoch"]}
    metrics = Metrics(
        valid=grid.valid[at] | best,
        test=grid.test[at] | best,
        test_before_refit=grid.test_before_refit[at] | best if grid.test_before_refit else {},
        **training,
        dial=chosen.beta,
        dial_choice=chosen.choice.text,
        dial_reached=chosen.unreached is None,
        own_metrics=own_metrics(),
        metric_kinds=own_kinds(),
        terms=dict(measured.terms),
        without_terms={part: dict(each) for part, each in measured.without_terms.items()},
    )
    with rewriting(folder, "run", read_list(folder / LIST, "run").of) as scratch:
        write_arrays(scratch / "ranks.npz", {part.removesuffix("_GE"): ranks[part][at] for part in ranks} | dict(ranks))
        write_json(scratch / "dial.json", grid.model_dump())
        write_json(scratch / "metrics.json", metrics.model_dump())
        if config is not None:
            write_json(scratch / "config.json", config)
    return chosen


def choose_among_measured(run: Run, choice: Choice) -> Chosen | None:
    """Choose the dial of a finished run from what was measured; None if that lacks what the choice needs, or a
    metric."""
    grid = read_grid(run.folder)
    if run.metrics["own_metrics"] != own_metrics():
        return None
    if len(grid.betas) > 1 and choice.number is not None and choice.number not in grid.betas:
        return None
    chosen = _choose(grid, choice)
    if run.metrics["dial_choice"] == chosen.choice.text:
        return chosen
    terms = {key: run.metrics[key] for key in ("terms", "without_terms")}
    measured = Measured(grid, read_ranks(run.folder, len(grid.betas)), **terms)
    return write_measured(run.folder, measured, choice, of_training(run))


def of_training(run: Run) -> dict[str, Any]:
    """What training gave, and no measuring changes."""
    kept = ("best_epoch", "train_seconds", "steps_per_second", "peak_memory_bytes", "age_days", "refit", "chosen")
    return {key: run.metrics[key] for key in kept}


def _choose(grid: Grid, choice: Choice) -> Chosen:
    if len(grid.betas) == 1:
        return Chosen(Choice(grid.betas[0]), grid.betas[0], None)
    try:
        return Chosen(choice, choice.of(grid.valid, grid.betas), None)
    except InputError as error:
        return Chosen(choice, 0.0, str(error))
