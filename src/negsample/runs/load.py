"""A finished run with its trained model."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from negsample.data.dataset import Dataset
from negsample.errors import InputError, guarded
from negsample.models import Backbone
from negsample.models.build import set_terms
from negsample.models.terms import TermWeights
from negsample.plugins import check_sources
from negsample.runs.folder import Run, read_run
from negsample.runs.job import Job, build_model, default_device, divided
from negsample.runs.kept import dataset_of
from negsample.runs.weights import load_weights
from negsample.settings import run_settings


class LoadedRun(NamedTuple):
    """A finished run, read back.

    ``run``: its configuration, figures and log. ``job``: dataset, method, seed and settings. ``model``: as tested (with
    a refit, the refitted one, which was trained on validation too), on the GPU where there is one.
    """

    run: Run
    job: Job
    model: Backbone


@guarded
def load_run(folder: Path, data: Dataset | None = None, *, fitted: bool = True) -> LoadedRun:
    """The finished run in ``folder``, with its trained model.

    Args:
        folder: of the run, such as ``STUDY/runs/...``.
        data: what it was trained on. (default: the dataset where it was then, or in the study around the run)
        fitted: with the terms that were fitted after training, if any were.

    Example:
        >>> loaded = load_run("out/clicks/runs/clicks--random--seed-0--0123456789ab")  # doctest: +SKIP
        >>> evaluate(loaded.model, loaded.job.data, "test", loaded.job.settings).figures  # doctest: +SKIP

    Raises:
        InputError: there is no run, a file of it is damaged, it needs a plugin, or its dataset is in neither
            place, or damaged.
    """
    folder = Path(folder)
    run = read_run(folder)
    if data is not None and data.fingerprint != run.config["dataset_fingerprint"]:
        raise InputError(
            f"{data.name} is another dataset (fingerprint {data.fingerprint}) than {folder} was trained on "
            f"({run.config['dataset_fingerprint']}); give the same log, prepared with the same settings"
        )
    job = job_of(run, data)
    model = build_model(divided(job), default_device())
    load_weights(model, folder)
    if fitted and (weights := run.metrics["terms"].get("weights")):
        set_terms(model, TermWeights.of(weights).to(model.table.weight.device))
    return LoadedRun(run, job, model)


def job_of(run: Run, data: Dataset | None = None) -> Job:
    """What ``run`` was made of; ``data``: as of :func:`load_run`."""
    given = run.config["settings"]
    parts = {"method": run.config["method"], "backbone": given["backbone"], "terms": given.get("terms", ())}
    check_sources(f"the run in {run.folder}", run.config.get("plugins", {}), **parts)
    settings = run_settings(**given)
    return Job(data or dataset_of(run), run.config["method"], run.config["seed"], settings, run.config["negatives"])
