"""The top lists that a finished run answered some users with, by its saved model."""

from __future__ import annotations

from pathlib import Path

from negsample.batches.windows import Ints
from negsample.data.dataset import Dataset
from negsample.evaluation.answers import Answers, answers
from negsample.runs.job import default_device
from negsample.runs.load import load_run
from negsample.scoring.dial import NO_DIAL, dials


def answers_of(folder: Path, data: Dataset, users: Ints, dial: float, k: int) -> Answers:
    """Of the run in ``folder``, on the test part of ``data``, at a setting of the ``dial``.

    Raises:
        InputError: see :func:`negsample.runs.load.load_run`.
    """
    _, job, model = load_run(folder, data)
    device, at = default_device(), NO_DIAL
    if dial:
        trained = job.refitted() if job.refits else job
        at = dials(trained.catalogue(device).target_weights, [dial])
    return answers(model, data, "test", job.settings, at, users, k=k, device=device)
