"""A finished run, measured again: another setting of its dial, or all from its saved model."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file

from negsample.data.dataset import Dataset, open_dataset
from negsample.errors import InputError
from negsample.files.checksums import LIST, read_list
from negsample.methods import catalogue_of
from negsample.models.baselines import is_baseline
from negsample.plugins import check_sources
from negsample.runs.folder import Run, read_run
from negsample.runs.job import Job, build_model, default_device
from negsample.runs.measure import Chosen, choose_among_measured, kept_figures, measure, write_measured
from negsample.scoring.dial import Choice, parse_choice
from negsample.settings import run_settings


def set_dial(folder: Path, dial: Choice, data: Dataset | None = None) -> Chosen:
    """Choose the dial of a finished run: from what was measured, or where that lacks it from the saved model.

    ``data``: what it was trained on; None: where it was then.

    Raises:
        InputError: see :func:`remeasure`.
    """
    return choose_among_measured(read_run(folder), dial) or remeasure(folder, dial, data=data)


def remeasure(
    folder: Path, dial: Choice | None = None, *, data: Dataset | None = None, must_reach: bool = False
) -> Chosen:
    """Measure a finished run from its saved model, choose its dial, and write ``metrics.json`` and the like anew.

    Args:
        folder: of the run.
        dial: how to choose; None: as it was chosen.
        data: what it was trained on; None: where it was then.
        must_reach: a dial that cannot be had leaves the run as it is.

    Raises:
        InputError: there is no run, its dataset is not where it was or has changed, or as ``must_reach`` says.
    """
    run = read_run(folder)
    if dial is None:
        dial = parse_choice(run.metrics["dial_choice"])
    parts = {"method": run.config["method"], "backbone": run.config["settings"]["backbone"]}
    check_sources(f"the run in {folder}", run.config.get("plugins", {}), **parts)
    data = data or _dataset_of(run)
    settings = run_settings(**run.config["settings"])
    job = Job(data, run.config["method"], run.config["seed"], settings, run.config["negatives"])
    device = default_device()
    model = build_model(job, device)
    listed = read_list(folder / LIST, "run")
    listed.check("model.safetensors")
    try:
        model.load_state_dict(load_file(folder / "model.safetensors", device=str(device)))
    except Exception as error:  # safetensors and torch each have errors of their own
        raise listed.damaged("model.safetensors", error) from None
    counts = None
    if not is_baseline(job.method):
        counts = catalogue_of(data, settings.model.max_length, device, windows=settings.training.windows).target_counts
    measured = measure(model, data, settings, counts, dial, device=device)
    kept = kept_figures(run)
    return write_measured(folder, measured, dial, kept, must_reach=must_reach)


def _dataset_of(run: Run) -> Dataset:
    place = Path(run.config["dataset_folder"])
    try:
        data = open_dataset(place)
    except InputError as error:
        raise InputError(f"the dataset of {run.folder} cannot be opened: {error}") from None
    if data.fingerprint != run.config["dataset_fingerprint"]:
        raise InputError(
            f"the dataset in {place} has changed since {run.folder} was trained (fingerprint {data.fingerprint}, "
            f"was {run.config['dataset_fingerprint']}); train again"
        )
    return data
