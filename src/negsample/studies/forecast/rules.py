"""The time of a rule that takes long: EASE, by the third power of the catalogue."""

from __future__ import annotations

import time

import numpy as np

from negsample.rules.ease import LAMBDAS, inverted
from negsample.runs.job import Job
from negsample.studies.forecast.trial import on_threads

_TRIED = 2048  # items of the matrix that is inverted instead
_MEASURED = 2  # fits beside those of the choice: one for validation, one for test


def takes_long(job: Job) -> bool:
    """Whether the time of a run depends on more than the events: it is that of EASE."""
    return job.method == "EASE"


def seconds_of_rule(job: Job, *, threads: int) -> float:
    """Seconds of a run of EASE: an inversion for each lambda that is tried at first, and two to measure the chosen
    one. A smaller matrix is inverted just now, and the third power of the sizes taken."""
    size = min(_TRIED, job.data.catalogue_size)

    def once() -> float:
        matrix = np.asfortranarray(2 * np.eye(size, dtype=np.float32))
        began = time.perf_counter()
        inverted(matrix)
        return time.perf_counter() - began

    with on_threads(threads):
        taken = min(once() for _ in range(3))  # the first starts the threads
    return (len(LAMBDAS) + _MEASURED) * taken * (job.data.catalogue_size / size) ** 3
