"""The parts of the measurement: what each measures, the most useful first, as its time may end at any of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import torch

from benchmarks.gpu.logs import SHAPES, made
from benchmarks.gpu.training import jobs_of, looked_into, pace, products_at
from negsample import SASRec, evaluate, generator, run_settings
from negsample.evaluation.queries import queries
from negsample.methods import PAPER_SIX
from negsample.parallel.processes import together
from negsample.runs.machine import machine

TOGETHER = (20, 5, 1)
QUERIES = 4_096
LOOKED_INTO = 8  # steps: each is thousands of kernels
Row = dict[str, Any]
Figure = tuple[Row, Callable[[], Row]]
"""What is measured, and the call that measures it."""


class Asked(NamedTuple):
    """On which device, in which folder of its own, for how long each figure is measured, and whether all is small."""

    device: torch.device
    folder: Path
    seconds: float
    small: bool

    @property
    def together(self) -> tuple[int, ...]:
        """How many seeds are trained together, the most first."""
        return (2, 1) if self.small else TOGETHER


def of_device(asked: Asked) -> Iterator[Figure]:
    """The machine, and the rate of large products by type: what other figures are held against."""
    yield {}, lambda: {"machine": machine()}
    for what, products, dtype in (
        ("float32", "highest", torch.float32),
        ("float32 in TF32", "high", torch.float32),
        ("bfloat16", "highest", torch.bfloat16),
    ):
        yield {"products": what}, partial(product_rate, asked, products, dtype)


def product_rate(asked: Asked, products: str, dtype: torch.dtype) -> Row:
    """Floating-point operations a second of a large product."""
    size = 256 if asked.small else 8_192
    rng = generator(0, "init", asked.device)
    one, other = (torch.randn(size, size, device=asked.device, generator=rng).to(dtype) for _ in range(2))
    with products_at(products):
        one @ other
        _wait(asked.device)
        times, began = 0, time.perf_counter()
        while time.perf_counter() - began < asked.seconds / 2:
            for _ in range(10):
                one @ other
            times += 10
            _wait(asked.device)
    return {"size": size, "flops_per_second": 2 * size**3 * times / (time.perf_counter() - began)}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def steps(asked: Asked) -> Iterator[Figure]:
    """Steps a second of the paper's six methods and ``mixed-log-q``, by how many seeds are trained together: of most
    for each dataset, which the forecast is made of, then of fewer."""
    methods, (most, *fewer) = (*PAPER_SIX, "mixed-log-q"), asked.together
    grid = [(dataset, method, most) for dataset in SHAPES for method in methods]
    grid += [("amazon-beauty", method, seeds) for seeds in fewer for method in methods]
    grid += [] if asked.small else [("movielens-10m", method, 1) for method in methods]
    for dataset, method, seeds in grid:
        row = {"dataset": dataset, "method": method, "together": seeds}
        yield row, partial(_pace, asked, dataset, method, seeds)


def _pace(asked: Asked, dataset: str, method: str, seeds: int, products: str = "highest", **changes: Any) -> Row:
    jobs = jobs_of(dataset, method, seeds, asked.folder, small=asked.small, **changes)
    about = {"batch_size": jobs[0].settings.training.batch_size, "dim": jobs[0].settings.model.dim}
    with products_at(products):
        return about | {"max_length": jobs[0].settings.model.max_length} | pace(jobs, asked.device, asked.seconds)


def kernels(asked: Asked) -> Iterator[Figure]:
    """What a step is made of."""
    most = asked.together[0]
    for method, seeds in (("mixed-log-q", 1), ("random", most), ("mixed-log-q", most), ("random", 1)):
        row = {"dataset": "amazon-beauty", "method": method, "together": seeds}
        yield row, partial(_kernels, asked, method, seeds)


def _kernels(asked: Asked, method: str, seeds: int) -> Row:
    jobs = jobs_of("amazon-beauty", method, seeds, asked.folder, small=asked.small, steps=LOOKED_INTO)
    rate = product_rate(asked, "highest", torch.float32)["flops_per_second"]
    return looked_into(jobs, asked.device, rate)


def precision(asked: Asked) -> Iterator[Figure]:
    """The encoder in bfloat16, and float32 with products in TF32, beside float32."""
    for seeds in (asked.together[0], 1):
        for kind, products in (("float32", "highest"), ("bfloat16", "highest"), ("float32", "high")):
            row = {"precision": kind, "products": products, "together": seeds}
            yield row, partial(_pace, asked, "movielens-10m", "random", seeds, products, precision=kind)


def evaluation(asked: Asked) -> Iterator[Figure]:
    """Seconds for 4,096 queries of validation, by the catalogue; ``with_top``: with top lists too, as at the end."""
    for dataset in SHAPES:
        for with_top in (False, True):
            yield {"dataset": dataset, "with_top": with_top}, partial(_evaluation, asked, dataset, with_top)


def _evaluation(asked: Asked, dataset: str, with_top: bool) -> Row:
    data = made(dataset, 100 if asked.small else 3 * QUERIES, asked.folder, smaller=100 if asked.small else 1)
    settings = run_settings(max_length=200 if dataset == "movielens-10m" else 50)
    length = settings.model.max_length
    model = SASRec(data.catalogue_size, max_length=length, rng=generator(0, "init")).to(asked.device)

    def once() -> float:
        began = time.perf_counter()
        evaluate(model, data, "valid", settings, device=asked.device, with_top=with_top, with_groups=False)
        return time.perf_counter() - began

    number = len(queries(data, "valid", history=settings.evaluation.history, max_length=length).windows)
    once()
    return {"items": data.catalogue_size, "queries": number, "seconds": once() * QUERIES / number}


def sharded(asked: Asked) -> Iterator[Figure]:
    """``table=sharded`` in one process, which talks to itself (on a GPU by NCCL), beside ``table=rows``."""
    yield {"table": "sharded"}, partial(_divided, asked)
    yield {"table": "rows"}, partial(_pace, asked, "amazon-beauty", "mixed-log-q", 1, table="rows")


def _divided(asked: Asked) -> Row:
    with together():
        return _pace(asked, "amazon-beauty", "mixed-log-q", 1, table="sharded")


PARTS: Mapping[str, tuple[Callable[[Asked], Iterator[Figure]], float]] = MappingProxyType(
    {
        "device": (of_device, 0.08),
        "steps": (steps, 0.46),
        "kernels": (kernels, 0.14),
        "evaluation": (evaluation, 0.12),
        "precision": (precision, 0.1),
        "sharded": (sharded, 0.1),
    }
)
"""What each measures, and its share of the time."""
