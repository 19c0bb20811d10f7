"""Training at the paper's settings, an epoch at a time: steps a second, kernels, what waits, products of matrices."""

from __future__ import annotations

import gc
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu.kernels import Kernels
from benchmarks.gpu.logs import made
from negsample import Dataset, build_method, negative_settings, run_settings
from negsample.methods import split_settings
from negsample.paper.presets import PRESETS
from negsample.runs.job import Job, build_model
from negsample.runs.machine import forget_peak, peak_memory
from negsample.training.loop import fit_together
from negsample.training.state import Epoch, TrainingState

STEPS, SMALL_STEPS = 30, 3  # of an epoch
NEVER = 10**6  # epochs; none is validated


class _EnoughError(Exception):
    """Of what was to be measured."""


def jobs_of(
    dataset: str, method: str, seeds: int, folder: Path, *, small: bool, steps: int = STEPS, **changes: Any
) -> list[Job]:
    """A job a seed, with the settings that the paper published for one of its datasets, over a synthetic log.

    New negatives are drawn in every step (the paper keeps those of 30 epochs). An epoch has so many ``steps``.
    ``small``: a model of a few numbers, for a test. ``changes``: to the settings.
    """
    published = dict(PRESETS["paper"].settings(dataset, method))
    if small:
        published |= {"batch_size": 16, "max_length": 10}
    of_training, of_method = split_settings(published | changes)
    common = {"epochs": NEVER, "eval_every": NEVER, "early_stop": 0, **({"dim": 8} if small else {})}
    settings = run_settings(**common, **of_training)
    data = _data(dataset, (SMALL_STEPS if small else steps) * settings.training.batch_size, folder, small)
    negatives = negative_settings(method, of_method)
    return [Job(data, method, seed, settings, negatives) for seed in range(seeds)]


_DATA: dict[tuple[str, int], Dataset] = {}


def _data(dataset: str, users: int, folder: Path, small: bool) -> Dataset:
    if (dataset, users) not in _DATA:
        _DATA[dataset, users] = made(dataset, users, folder, smaller=100 if small else 1)
    return _DATA[dataset, users]


def epochs_of(jobs: Sequence[Job], device: torch.device, watch: Callable[[Epoch], None]) -> None:
    """Trains all jobs together until ``watch``, called after each epoch, raises :class:`_EnoughError`."""
    catalogue = jobs[0].catalogue(device)
    trainings = [
        TrainingState(
            build_model(job, device),
            build_method(job.method, catalogue, job.negatives),
            seed=job.seed,
            watch=(lambda epoch: None) if number else watch,
        )
        for number, job in enumerate(jobs)
    ]
    try:
        fit_together(trainings, jobs[0].data, jobs[0].settings)
    except _EnoughError:
        return
    raise AssertionError("it has as many epochs as that")


def pace(jobs: Sequence[Job], device: torch.device, seconds: float) -> dict[str, Any]:
    """How long a step of all jobs takes, on average over whole epochs but the first, for at least so many seconds; and
    the most memory that was held."""
    if device.type == "cuda":
        gc.collect()  # what was trained before holds memory in cycles
        torch.cuda.empty_cache()
    forget_peak(device)
    seen: list[tuple[float, int]] = []

    def watch(epoch: Epoch) -> None:
        seen.append((time.perf_counter(), epoch.steps))
        if len(seen) > 1 and seen[-1][0] - seen[0][0] > seconds:
            raise _EnoughError

    epochs_of(jobs, device, watch)
    taken, steps = seen[-1][0] - seen[0][0], seen[-1][1] - seen[0][1]
    return {
        "step_ms": 1000 * taken / steps,
        "steps_per_second": len(jobs) * steps / taken,
        "steps": steps,
        "peak_bytes": peak_memory(device),
    }


def looked_into(jobs: Sequence[Job], device: torch.device, peak_flops: float | None) -> dict[str, Any]:
    """Of a step: kernels and what they take, what waits for the GPU, floating-point operations of matrix products; an
    epoch each, after two others. What an epoch itself does is among it.

    ``peak_flops``: of large products on this device; None: not known.
    """
    found: dict[str, Any] = {}
    kernels, waits, products = Kernels(device), Waits(device), FlopCounterMode(display=False)
    stages: list[AbstractContextManager[Any]] = [nullcontext(), nullcontext(), kernels, waits, products]
    times: list[tuple[float, int]] = []
    stages[0].__enter__()

    def watch(epoch: Epoch) -> None:
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append((time.perf_counter(), epoch.steps))
        stages.pop(0).__exit__(None, None, None)
        if not stages:
            raise _EnoughError
        stages[0].__enter__()

    epochs_of(jobs, device, watch)
    steps = times[1][1] - times[0][1]
    step = (times[1][0] - times[0][0]) / steps
    flops = products.get_total_flops() / steps
    found |= {"step_ms": 1000 * step, "waits_a_step": waits.count(steps), "waits": waits.where()}
    found |= {"product_flops_a_step": flops, "product_flops_per_second": flops / step}
    found |= {"share_of_peak": flops / step / peak_flops if peak_flops else None}
    return found | kernels.found(steps, step)


class Waits:
    """Calls for which the CPU waits for the GPU, as PyTorch warns of them; on a CPU there are none to be counted."""

    def __init__(self, device: torch.device) -> None:
        self._cuda, self._stack = device.type == "cuda", warnings.catch_warnings(record=True)
        self._seen: list[warnings.WarningMessage] = []

    def __enter__(self) -> None:
        if self._cuda:
            self._seen = self._stack.__enter__() or []
            warnings.simplefilter("always")
            torch.cuda.set_sync_debug_mode("warn")

    def __exit__(self, *error: object) -> None:
        if self._cuda:
            torch.cuda.set_sync_debug_mode("default")
            self._stack.__exit__(None, None, None)

    def _of_waits(self) -> list[Any]:
        return [each for each in self._seen if "synchroniz" in str(each.message)]

    def count(self, steps: int) -> float | None:
        """How many there were a step; None where nobody counts."""
        return len(self._of_waits()) / steps if self._cuda else None

    def where(self) -> dict[str, int]:
        """How many there were in all, by file and line."""
        found: dict[str, int] = {}
        for each in self._of_waits():
            place = f"{'/'.join(Path(each.filename).parts[-3:])}:{each.lineno}"
            found[place] = found.get(place, 0) + 1
        return found


@contextmanager
def products_at(precision: str) -> Iterator[None]:
    """``highest`` or ``high``: whether products of float32 may be made in TF32."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
