"""How long the paper's runs would take on the device: its three datasets, six methods and twenty seeds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.gpu.logs import SHAPES
from negsample.methods import PAPER_SIX
from negsample.paper.presets import PRESETS

SEEDS, PART = 20, 0.05  # runs of a method; share of the events for validation, and for test
Row = dict[str, Any]


def forecast(steps: Sequence[Row], evaluations: Sequence[Row], queries: int) -> Row:
    """Hours of all runs, and of those of each dataset and method, with as many seeds together as were fastest.

    A run has the paper's 200 epochs of one sequence a user, a validation every 25 of them, and validation and test with
    top lists at the end. At most a twentieth of the events are measured, each a query of its own. What was not measured
    is left out and named.
    """
    common, rows, missing = PRESETS["paper"].training, list[Row](), list[str]()
    for dataset, shape in SHAPES.items():
        for method in PAPER_SIX:
            found = max(_rows(steps, dataset=dataset, method=method), key=_pace, default=None)
            plain, top = (next(_rows(evaluations, dataset=dataset, with_top=each), None) for each in (False, True))
            if found is None or plain is None or top is None:
                missing.append(f"{dataset} {method}")
                continue
            an_epoch = math.ceil(shape.users / found["batch_size"])
            blocks = min(shape.users, PART * shape.events) / queries
            training = SEEDS * common["epochs"] * an_epoch / found["steps_per_second"]
            validations = common["epochs"] // common["eval_every"]
            measuring = SEEDS * blocks * (validations * plain["seconds"] + 2 * top["seconds"])
            rows.append(
                {
                    "dataset": dataset,
                    "method": method,
                    "runs": SEEDS,
                    "together": found["together"],
                    "steps_an_epoch": an_epoch,
                    "training_hours": training / 3600,
                    "evaluation_hours": measuring / 3600,
                }
            )
    return {
        "runs": SEEDS * len(rows),
        "hours": sum(row["training_hours"] + row["evaluation_hours"] for row in rows),
        "missing": missing,
        "shapes": {name: shape._asdict() for name, shape in SHAPES.items()},
        "rows": rows,
    }


def _pace(row: Row) -> float:
    return float(row["steps_per_second"])


def _rows(rows: Sequence[Row], **wanted: Any) -> Iterator[Row]:
    """The rows of these values that were measured."""
    return (row for row in rows if wanted.items() <= row.items() and "error" not in row)
