"""The study's table: one row a (dataset, method), averaged over its runs."""

from __future__ import annotations

import os
import statistics
from pathlib import Path
from typing import Any

import polars as pl

from negsample.config import InputError
from negsample.report.reading import Study
from negsample.runs import Run

COHORTS = ("head", "mid", "tail")
SPREAD = (
    "hr@10",
    "ndcg@10",
    *(f"{cohort}_hr@10" for cohort in COHORTS),
    *(f"{cohort}_ndcg@10" for cohort in COHORTS),
    "balance@10",
)
"""The measures that are shown with their standard deviation."""
EXTRA = ("mrr@10", "warm_hr@10", "warm_ndcg@10", "arp@10")


def study_table(study: Study) -> pl.DataFrame:
    """One row a (dataset, method) with a finished run, in the study's order.

    Fractions, not %. A measure is the mean over the runs where it is defined, ``_sd`` the sample standard
    deviation over the same runs (null with fewer than two). Both are null where it is defined in no run.

    Raises:
        InputError: a run's metrics lack one of the columns.
    """
    rows = [
        {"dataset": dataset, "method": method, **_row(study.runs_of(dataset, method))}
        for dataset in study.datasets()
        for method in study.methods_of(dataset)
    ]
    return pl.DataFrame(rows, schema=_schema(), orient="row")


def write_table(table: pl.DataFrame, path: Path) -> Path:
    """``table`` as CSV, in place of what was there in one step."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    table.write_csv(temporary)
    temporary.replace(path)
    return path


def _row(runs: list[Run]) -> dict[str, Any]:
    row: dict[str, Any] = {"runs": len(runs)}
    for name in SPREAD:
        values = _defined(runs, name)
        row[name] = statistics.fmean(values) if values else None
        row[f"{name}_sd"] = statistics.stdev(values) if len(values) > 1 else None
    for name in ("coverage@10", *EXTRA):
        values = _defined(runs, name)
        row[name] = statistics.fmean(values) if values else None
    for name in ("train_seconds", "steps_per_second", "best_epoch"):
        values = [float(run.metrics[name]) for run in runs if run.metrics.get(name) is not None]
        row[name] = statistics.fmean(values) if values else None
    return row


def _defined(runs: list[Run], name: str) -> list[float]:
    for run in runs:
        if name not in run.metrics["test"]:
            raise InputError(f"{run.folder / 'metrics.json'} has no '{name}' for test; delete the run, run again")
    return [float(value) for run in runs if (value := run.metrics["test"][name]) is not None]


def _schema() -> dict[str, pl.DataType | type[pl.DataType]]:
    names = [column for name in SPREAD for column in (name, f"{name}_sd")]
    names += ["coverage@10", "train_seconds", "steps_per_second", *EXTRA, "best_epoch"]
    return {
        "dataset": pl.String,
        "method": pl.String,
        "runs": pl.Int64,
        **dict.fromkeys(names, pl.Float64),
    }
