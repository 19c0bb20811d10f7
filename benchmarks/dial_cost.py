"""What nine settings of the dial cost, against one evaluation of the same model on the same log.

`python -m benchmarks.dial_cost LOG...`: medians, all in turn, of whole evaluations of an untrained SASRec on a log's
test events: histories encoded, ranks, figures and the first 20 items (one evaluation); histories encoded and ranks at
nine settings; the same with the first 20 items at each. Writes `benchmarks/results/dial-cost.json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from benchmarks.common import RESULTS
from negsample import SASRec, generator, load_dataset, run_settings
from negsample.data.dataset import Dataset
from negsample.evaluation.encode import encode
from negsample.evaluation.evaluate import evaluate
from negsample.evaluation.figures import CUTOFFS
from negsample.evaluation.queries import queries
from negsample.evaluation.ranks import rank
from negsample.runs.machine import machine
from negsample.scoring.dial import dials

CPU = torch.device("cpu")


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dial_cost")
    parser.add_argument("logs", nargs="+", help="bundled names, prepared folders or logs")
    parser.add_argument("--repeats", type=int, default=12)
    given = parser.parse_args()
    rows = [measured(load_dataset(log, split="paper"), given.repeats) for log in given.logs]
    (RESULTS / "dial-cost.json").write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
    for row in rows:
        print(row)


def measured(data: Dataset, repeats: int) -> dict[str, Any]:
    """Milliseconds, and ratios to one evaluation."""
    settings = run_settings()
    model = SASRec(data.catalogue_size, rng=generator(0, "init"))
    asked = queries(data, "test", history="frozen", max_length=settings.model.max_length)
    grid = dials(torch.from_numpy(np.array(data.train_counts)))

    def nine(top_k: int) -> None:
        states = encode(model, data.items, asked.windows, device=CPU)
        rank(states, model.table, asked.query_E, asked.targets_E, grid, top_k=top_k)

    calls: dict[str, Callable[[], object]] = {
        "one_ms": lambda: evaluate(model, data, "test", settings, device=CPU),
        "nine_ms": lambda: nine(0),
        "nine_with_top_ms": lambda: nine(max(CUTOFFS)),
    }
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            taken[name].append(1000 * (time.perf_counter() - began))
    found = {name: round(statistics.median(each[1:]), 1) for name, each in taken.items()}
    row: dict[str, Any] = {"dataset": data.name, "events": len(asked.query_E), "queries": len(asked.windows)}
    row |= {"items": data.catalogue_size, **found}
    return row | {f"{name[:-3]}_ratio": round(found[name] / found["one_ms"], 2) for name in list(calls)[1:]}


if __name__ == "__main__":
    main()
