"""What the benchmarks share: where results go, medians, the first batches of a log."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from negsample import generator, run_settings
from negsample.batches.epochs import batches_of
from negsample.batches.packed import Batch
from negsample.data.dataset import Dataset

RESULTS = Path(__file__).parent / "results"
SETTINGS = run_settings()


def of_machine(about: dict[str, Any]) -> str:
    """The machine, in a line."""
    return f"{about['processor']}, {about['cores']} cores, torch {about['torch']}."


def median_ms(call: Callable[[], object], repeats: int) -> float:
    """Median milliseconds of a call, after one that is not counted."""
    call()
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def first_batches(data: Dataset, number: int) -> list[Batch]:
    """The first batches of an epoch."""
    batches = batches_of(data, SETTINGS, "history", rng=generator(0, "order"))
    return [batch for batch, _ in zip(batches, range(number), strict=False)]
