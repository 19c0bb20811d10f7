"""What terms cost where the catalogue is large: a step, an evaluation of some hundred queries, their memory.

`python -m benchmarks.terms_by_size [ITEMS...]`: writes `benchmarks/results/terms-by-size.json`. A made log a size: one
event an item and as many more by Zipf's law, of users with short histories, over three years; the last
some hundred events are validation and test. The model is SASRec with a table by rows, narrower than the default so that
all of it takes less than 9 GB; it is not trained. The ways of a step are taken in turn with one model, and so are those
of an evaluation; medians of the processor's time, with one thread (`OMP_NUM_THREADS=1`). Each peak of memory is that of
a process of its own, which does nothing else. Where terms are refused the result has the refusal, and the rest of them
are measured.
"""

from __future__ import annotations

import argparse
import gc
import json
import multiprocessing
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl
import torch

from benchmarks.common import RESULTS
from benchmarks.terms import ALONG, CPU, WITHOUT, evaluations_of, in_turn
from negsample import build_method, catalogue_of, generator, load_dataset, negative_settings, run_settings
from negsample.batches.epochs import batches_of
from negsample.data.dataset import Dataset
from negsample.errors import InputError
from negsample.evaluation.queries import queries
from negsample.models.build import build_backbone, set_terms, terms_of
from negsample.optim import optimizer_for
from negsample.runs.machine import machine, peak_memory
from negsample.scoring.lately import spread_cuts
from negsample.settings import laid_out
from negsample.training.knowledge import knowledge_for
from negsample.training.step import step

SIZES = (1_500_000, 10_000_000)
"""The largest catalogue of which all terms can be trained along has 1.6 million items."""
EVENTS_A_USER, DIM, STEPS, EVALUATIONS, QUERIES = 10, 32, 20, 3, 300
METHODS = ("random", "mixed-log-q")
CLOCK = time.process_time


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.terms_by_size")
    parser.add_argument("items", nargs="*", type=int, default=SIZES, help="of made logs")
    parser.add_argument("--out", default="terms-by-size", help="name of the result")
    given = parser.parse_args()
    rows = []
    for items in given.items:
        with TemporaryDirectory() as scratch:
            make_log(Path(scratch) / "log.parquet", items)
            prepare(Path(scratch))
            rows.append(row_of(str(Path(scratch) / "prepared")))
        print(json.dumps(rows[-1]), flush=True)
    command = f"OMP_NUM_THREADS={torch.get_num_threads()} python -m benchmarks.terms_by_size"
    about: dict[str, Any] = {"command": command, "clock": CLOCK.__name__, "machine": machine()}
    about |= {"threads": torch.get_num_threads(), "dim": DIM, "steps": STEPS}
    (RESULTS / f"{given.out}.json").write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n")


def make_log(path: Path, items: int) -> None:
    """Twice as many events as items, rows in no order: each item once, the others by Zipf's law."""
    chance = np.random.default_rng(0)
    more = np.exp(chance.random(items) * np.log(items)).astype(np.int64)  # density 1 / rank
    item = np.concatenate([np.arange(1, items + 1), more])
    user = chance.integers(0, len(item) // EVENTS_A_USER, len(item))
    second = 1_600_000_000 + chance.integers(0, 100_000_000, len(item))
    pl.DataFrame({"user": user, "item": chance.permutation(items)[item - 1], "time": second}).write_parquet(path)


def prepare(folder: Path) -> None:
    """``log.parquet`` to ``prepared``, in a process of its own, with about ``QUERIES`` events for test."""
    share = str(QUERIES / pl.scan_parquet(folder / "log.parquet").select(pl.len()).collect().item())
    command = [sys.executable, "-m", "negsample", "prepare", str(folder / "log.parquet"), "--out"]
    fractions = ["--valid-fraction", share, "--test-fraction", share]
    subprocess.run([*command, str(folder / "prepared"), *fractions], check=True)


def row_of(folder: str) -> dict[str, Any]:
    """All that is measured of a prepared log."""
    data = load_dataset(folder)
    refused = refusal(data)
    along = ALONG if refused is None else tuple(name for name in ALONG if name == "repeats")
    row: dict[str, Any] = {"items": data.catalogue_size, "events": len(data.items), "along": along, "refused": refused}
    row["queries"] = len(queries(data, "test", history="frozen", max_length=1).windows)
    row["steps"] = {}
    for name in METHODS:
        row["steps"][name] = in_turn(steps_of(data, name, along), STEPS, unseen=2, clock=CLOCK)
        gc.collect()  # the model of a method, before that of the next
    row["evaluations"] = in_turn(evaluations_of(data, along, DIM), EVALUATIONS, clock=CLOCK)
    gc.collect()
    for name in METHODS:
        for way, found in row["steps"][name].items():
            found["peak_mb"] = alone(folder, along, name, way)
    for way, found in row["evaluations"].items():
        found["peak_mb"] = alone(folder, along, None, way)
    return row


def refusal(data: Dataset) -> str | None:
    """Why the terms with features of all items cannot be trained along; None: they can."""
    try:
        spread_cuts(data, laid_out(ALONG))
    except InputError as refused:
        return str(refused)
    return None


def steps_of(data: Dataset, name: str, along: Sequence[str]) -> dict[str, Callable[[], object]]:
    """By way a call that takes the next step of one training: all ways go on with the same one."""
    settings = run_settings(terms=",".join(along), dim=DIM)
    method = build_method(name, catalogue_of(data, settings.model.max_length), negative_settings(name, {}))
    model = build_backbone(settings.model, data.catalogue_size, rng=generator(0, "init"), device=CPU)
    optimizer, order, weights = optimizer_for(model, settings), generator(0, "order"), terms_of(model)
    rngs: dict[str, Any] = {"negatives_rng": generator(0, "negatives"), "dropout_rng": generator(0, "dropout")}
    batches = (batch for _ in cycle([0]) for batch in batches_of(data, settings, method.exclude, rng=order))
    known: list[Any] = []  # made when the first step asks for it: a process without terms holds none of it

    def without() -> object:
        set_terms(model, None)
        return step(model, method, next(batches), optimizer, **rngs)

    def trained_along() -> object:
        set_terms(model, weights)
        if not known:
            known.append(knowledge_for(model, method, data, settings, CPU))
        batch = next(batches)
        return step(model, method, batch, optimizer, terms=known[0].of(batch), **rngs)

    return {WITHOUT: without, "trained along": trained_along}


def alone(folder: str, along: Sequence[str], method: str | None, way: str) -> int:
    """The peak of memory of a process that does one thing, in MiB."""
    with multiprocessing.get_context("spawn").Pool(1) as process:
        return process.apply(peak_of, (folder, along, method, way))


def peak_of(folder: str, along: Sequence[str], method: str | None, way: str) -> int:
    """In the process itself."""
    torch.set_num_threads(1)
    data = load_dataset(folder)
    calls = evaluations_of(data, along, DIM) if method is None else steps_of(data, method, along)
    for _ in range(1 if method is None else 3):  # the second step has the first update behind it
        calls[way]()
    return (peak_memory(CPU) or 0) >> 20


if __name__ == "__main__":
    main()
