"""What time costs: a step by rows, moments and horizon, each baseline, and a fold.

`python -m benchmarks.time_costs LOG...`: writes `benchmarks/results/time-costs.json`. Steps of the ways are taken in
turn; medians. A baseline's seconds are those of fitting it, choosing on validation and ranking the test events. A
fold's seconds are those of preparing it, against preparing the log once.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import torch

from benchmarks.common import RESULTS
from negsample import (
    InputError,
    PrepareSettings,
    build_method,
    catalogue_of,
    evaluate,
    generator,
    load_dataset,
    negative_settings,
    prepare,
    run_settings,
)
from negsample.batches.epochs import batches_of
from negsample.data.dataset import Dataset
from negsample.data.log.read import read_log
from negsample.data.moments import Targets
from negsample.data.prepare.pipeline import prepare_folds
from negsample.models.baselines import BASELINES
from negsample.models.build import build_backbone
from negsample.optim import optimizer_for
from negsample.runs.machine import machine
from negsample.training.step import step

CPU = torch.device("cpu")
WAYS: tuple[Targets, ...] = ("rows", "moments", "horizon")
METHODS = ("random", "mixed-log-q")
STEPS = 20


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.time_costs")
    parser.add_argument("logs", nargs="+", help="bundled names, prepared folders or logs")
    given = parser.parse_args()
    rows = []
    for log in given.logs:
        data = load_dataset(log)
        row = {"dataset": data.name, "steps": steps(data), "baselines": baselines(data)}
        rows.append(row | ({"folds": fold_seconds(log)} if Path(log).is_file() else {}))
        print(json.dumps(rows[-1]), flush=True)
    (RESULTS / "time-costs.json").write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")


def steps(data: Dataset) -> list[dict[str, Any]]:
    """Median milliseconds of making a batch and learning from it, and targets a batch, by method and way."""
    found = []
    for name in METHODS:
        runs = {way: _Training(data, name, way) for way in WAYS}
        taken: dict[str, list[float]] = {way: [] for way in WAYS}
        for turn in range(STEPS + 2):
            for way, run in runs.items():
                began = time.perf_counter()
                run.one()
                if turn >= 2:
                    taken[way].append(1000 * (time.perf_counter() - began))
        medians = {way: statistics.median(each) for way, each in taken.items()}
        for way, run in runs.items():
            row = {"method": name, "targets": way, "step_ms": round(medians[way], 2)}
            row |= {"targets_a_batch": round(run.targets / (STEPS + 2)), "steps_an_epoch": run.steps}
            found.append(row | {"ratio_to_rows": round(medians[way] / medians["rows"], 3)})
    return found


class _Training:
    """Steps of one method, one way, over and over the epoch."""

    def __init__(self, data: Dataset, name: str, way: Targets) -> None:
        self.settings = run_settings(targets=way)
        catalogue = catalogue_of(data, self.settings.model.max_length, targets=way)
        self.method = build_method(name, catalogue, negative_settings(name, {}))
        self.model = build_backbone(self.settings.model, data.catalogue_size, rng=generator(0, "init"), device=CPU)
        self.optimizer = optimizer_for(self.model, self.settings)
        self.negatives_rng, self.dropout_rng = generator(0, "negatives"), generator(0, "dropout")
        self.data, self.order, self.targets = data, generator(0, "order"), 0
        self.steps = sum(1 for _ in self._epoch())
        self._batches = self._epoch()

    def _epoch(self) -> Any:
        return batches_of(self.data, self.settings, self.method.exclude, rng=self.order)

    def one(self) -> None:
        """The next batch, and a step."""
        batch = next(self._batches, None)
        if batch is None:
            self._batches = self._epoch()
            batch = next(self._batches)
        self.targets += len(batch.targets_T)
        rngs = {"negatives_rng": self.negatives_rng, "dropout_rng": self.dropout_rng}
        step(self.model, self.method, batch, self.optimizer, **rngs)  # type: ignore[arg-type]


def baselines(data: Dataset) -> list[dict[str, Any]]:
    """Seconds of each baseline, from nothing to its figures on test."""
    found: list[dict[str, Any]] = []
    settings = run_settings()
    for name, build in BASELINES.items():
        began = time.perf_counter()
        try:
            evaluate(cast("Any", build(data)), data, "test", settings)
        except InputError as error:
            found.append({"baseline": name, "left_out": str(error)})
            continue
        found.append({"baseline": name, "seconds": round(time.perf_counter() - began, 2)})
    return found


def fold_seconds(log: str) -> dict[str, float]:
    """Seconds of preparing a log once, and of three folds of it."""
    settings = PrepareSettings()
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        began = time.perf_counter()
        prepare(read_log(log), settings, folder / "once")
        once = time.perf_counter() - began
        began = time.perf_counter()
        prepare_folds(read_log(log), settings, [folder / str(fold) for fold in range(3)])
        return {"prepare": round(once, 2), "three_folds": round(time.perf_counter() - began, 2)}


if __name__ == "__main__":
    main()
