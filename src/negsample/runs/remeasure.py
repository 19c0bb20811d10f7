"""A finished run, measured again: another setting of its dial, or all from its saved model."""

from __future__ import annotations

from pathlib import Path

from negsample.data.dataset import Dataset
from negsample.methods import catalogue_of
from negsample.models.baselines import is_baseline
from negsample.runs.folder import read_run
from negsample.runs.job import default_device
from negsample.runs.load import load_run
from negsample.runs.measure import Chosen, choose_among_measured, kept_figures, measure, write_measured
from negsample.scoring.dial import Choice, parse_choice


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
    run, job, model = load_run(folder, data)
    if dial is None:
        dial = parse_choice(run.metrics["dial_choice"])
    settings, device = job.settings, default_device()
    counts = None
    if not is_baseline(job.method):
        counts = catalogue_of(
            job.data, settings.model.max_length, device, windows=settings.training.windows
        ).target_counts
    measured = measure(model, job.data, settings, counts, dial, device=device)
    kept = kept_figures(run)
    return write_measured(folder, measured, dial, kept, must_reach=must_reach)
