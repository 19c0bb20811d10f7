"""A finished run, measured again: another setting of its dial, other cut-offs, or all from its saved model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from negsample.data.dataset import Dataset
from negsample.runs.folder import read_run
from negsample.runs.job import default_device
from negsample.runs.load import load_run
from negsample.runs.measure import Chosen, choose_among_measured, measure, of_training, write_measured
from negsample.scoring.dial import Choice, parse_choice

_AS_IT_WAS: Mapping[str, Any] = MappingProxyType({})


def set_dial(
    folder: Path, dial: Choice, data: Dataset | None = None, *, settings: Mapping[str, Any] = _AS_IT_WAS
) -> Chosen:
    """Choose the dial of a finished run: from what was measured, or where that lacks it from the saved model.

    ``data``, ``settings``, and what is raised: see :func:`remeasure`.
    """
    run = read_run(folder)
    if settings.items() <= run.config["settings"].items() and (chosen := choose_among_measured(run, dial)):
        return chosen
    return remeasure(folder, dial, data=data, settings=settings)


def remeasure(
    folder: Path,
    dial: Choice | None = None,
    *,
    data: Dataset | None = None,
    settings: Mapping[str, Any] = _AS_IT_WAS,
    must_reach: bool = False,
) -> Chosen:
    """Measure a finished run from its saved model, choose its dial, and write ``metrics.json`` and the like anew.

    Args:
        folder: of the run.
        dial: how to choose; None: as it was chosen.
        data: what it was trained on; None: where it was then.
        settings: by name, that take the place of those in ``config.json`` and train the same model, such as ``k``.
        must_reach: a dial that cannot be had leaves the run as it is.

    Raises:
        InputError: there is no run, its dataset is not where it was or has changed, or as ``must_reach`` says.
    """
    run, job, model = load_run(folder, data, fitted=False)
    if dial is None:
        dial = parse_choice(run.metrics["dial_choice"])
    now = job._replace(settings=job.settings.replaced(**settings))
    assert now.identity() == job.identity(), "only what trains the same model is changed"
    measured = measure(now, model, dial, default_device(), folder)
    config = run.config | {"settings": run.config["settings"] | settings} if settings else None
    return write_measured(folder, measured, dial, of_training(run), config=config, must_reach=must_reach)
