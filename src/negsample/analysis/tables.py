"""The study's tables: a row a method, and a row a run at every setting of the dial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from negsample.analysis.measures import ALONE, COHORTS, measures_of
from negsample.analysis.study import Study
from negsample.errors import InputError
from negsample.files.atomic import replacing
from negsample.models.baselines import is_baseline
from negsample.runs.folder import Run

TableRow = Mapping[str, Any]
"""A row of a table, by column."""
SPREAD = (
    "hr@10",
    "ndcg@10",
    *(f"{cohort}_hr@10" for cohort in COHORTS),
    *(f"{cohort}_ndcg@10" for cohort in COHORTS),
    "balance@10",
)
"""The measures that every run has, with their standard deviation in the table."""
_MEANS = ("mrr@10", "warm_hr@10", "warm_ndcg@10", "arp@10")
_NEEDED = (*SPREAD, "coverage@10", *_MEANS)
_OF_RUN = ("train_seconds", "steps_per_second")
_OF_RUN_LAST = ("best_epoch", "dial", "age_days", "peak_memory_bytes")
_KEYS = {"dataset": pl.String, "method": pl.String}


def study_table(study: Study) -> pl.DataFrame:
    """One row a (dataset, method) with a finished run, in the study's order; ``failed``: how many of its runs failed.

    Fractions, not %. A measure is the mean over the runs where it is defined, ``_sd`` the sample standard
    deviation over the same runs (null with fewer than two). Both are null where it is defined in no run. Over folds a
    measure is the mean of the folds' means, and ``_sd`` that over the seeds that have it in every fold, each with its
    mean over the folds: how much windows differ is in ``folds.csv``. ``folds``: how many have a finished run. Measures
    that a study has beyond the usual ones stand in columns at the end.

    Raises:
        InputError: a run's metrics lack one of the usual measures.
    """
    others = [name for name in measures_of(study.runs) if name not in _NEEDED]
    rows = [
        {"dataset": dataset, "method": method, "failed": _failed(study, dataset, method)}
        | averaged(study.runs_of(dataset, method), others=others)
        for dataset in study.datasets()
        for method in study.methods_of(dataset)
    ]
    usual, more = ([column for name in names for column in (name, f"{name}_sd")] for names in (SPREAD, others))
    numbers = dict.fromkeys([*usual, "coverage@10", *_OF_RUN, *_MEANS, *_OF_RUN_LAST], pl.Float64)
    schema = {
        **_KEYS,
        "runs": pl.Int64,
        **numbers,
        "failed": pl.Int64,
        "folds": pl.Int64,
        ALONE: pl.Float64,
        **dict.fromkeys(more, pl.Float64),
    }
    return pl.DataFrame(rows, schema=schema, orient="row")


def table_with_failures(study: Study, table: pl.DataFrame | None = None) -> pl.DataFrame:
    """The same with a row of no figures for each method of which every run that was tried failed.

    ``table``: of :func:`study_table`, where it is known already.
    """
    table = study_table(study) if table is None else table
    rows = {(row["dataset"], row["method"]): row for row in table.iter_rows(named=True)}
    for key in ((dataset, method) for dataset in study.manifests for method in study.about["methods"]):
        row = rows.pop(key, None)  # and put back, so that all are in the study's order
        if row or (failed := _failed(study, *key)):
            rows[key] = row or {"dataset": key[0], "method": key[1], "runs": 0, "failed": failed}
    return pl.DataFrame(list(rows.values()), schema=table.schema, orient="row")


def _failed(study: Study, dataset: str, method: str) -> int:
    return sum(each.method == method for each in study.failures_of(dataset))


def write_table(table: pl.DataFrame, path: Path) -> Path:
    """``table`` as CSV, in place of what was there in one step."""
    with replacing(path) as temporary:
        table.write_csv(temporary)
    return path


def frontier_table(study: Study) -> pl.DataFrame:
    """One row a (dataset, method, seed, dial): every measure on test, at each setting that the run was measured at.

    Fractions, not %. ``dataset``: of a fold its name. ``chosen``: whether the run's own dial stands there;
    ``valid_ndcg@10`` and ``valid_balance@10``: what a choice goes by.
    """
    names = (*SPREAD, "coverage@10")
    seen = {f"valid_{name}": name for name in ("ndcg@10", "balance@10")}
    rows = []
    for dataset in study.datasets():
        for run in (run for method in study.methods_of(dataset) for run in study.runs_of(dataset, method)):
            valid = study.figures(run, "valid")
            key = {name: run.config[name] for name in ("dataset", "method", "seed")}
            for beta, test in study.figures(run, "test").items():
                row = key | {"dial": beta, "chosen": beta == run.metrics["dial"]}
                row |= {name: test[name] for name in names}
                rows.append(row | {column: valid[beta][name] for column, name in seen.items()})
    schema = {**_KEYS, "seed": pl.Int64, "dial": pl.Float64, "chosen": pl.Boolean}
    return pl.DataFrame(rows, schema=schema | dict.fromkeys([*names, *seen], pl.Float64), orient="row")


def common_betas(study: Study, runs: Sequence[Run]) -> tuple[float, ...]:
    """The settings of the dial that all of ``runs`` were measured at, ascending."""
    return tuple(sorted(set.intersection(*(set(study.figures(run, "test")) for run in runs))))


def dialled_rows(study: Study, dataset: str, part: str = "test") -> list[TableRow]:
    """A row a (method, dial) of ``dataset``, as of the table; ``dial`` is None for what has no dial."""
    others = [name for name in measures_of(study.runs) if name not in _NEEDED]
    rows: list[TableRow] = []
    for method in study.methods_of(dataset):
        runs = study.runs_of(dataset, method)
        for beta in common_betas(study, runs):
            figures = [study.figures(run, part)[beta] for run in runs]
            key = {"dataset": dataset, "method": method}
            rows.append(key | averaged(runs, figures, others) | {"dial": None if is_baseline(method) else beta})
    return rows


def averaged(
    runs: Sequence[Run], figures: Sequence[Mapping[str, Any]] | None = None, others: Sequence[str] = ()
) -> dict[str, Any]:
    """The columns of a row: means over ``runs`` of one log, of what stands in their metrics for test, or of
    ``figures``; see :func:`study_table`."""
    given = [run.metrics["test"] for run in runs] if figures is None else figures
    for run, each in zip(runs, given, strict=True):
        if lacking := [name for name in _NEEDED if name not in each]:
            raise InputError(f"{run.folder / 'metrics.json'} has no '{lacking[0]}' for test; delete the run, run again")
    row: dict[str, Any] = {"runs": len(runs), "folds": len({run.config["dataset"] for run in runs})}
    for name in (*_NEEDED, *others):
        row[name], row[f"{name}_sd"] = mean_sd(runs, [each.get(name) for each in given])
    for name in (*_OF_RUN, *_OF_RUN_LAST):
        row[name] = mean_sd(runs, [run.metrics.get(name) for run in runs])[0]
    alone = [run.metrics.get("without_terms", {}).get("test", {}).get("ndcg@10") for run in runs]
    row[ALONE] = mean_sd(runs, alone)[0]
    return row


def mean_sd(runs: Sequence[Run], values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """Of a value of each run: the mean of the folds' means where it is defined, and the standard deviation over seeds
    of their means over all folds."""
    folds: dict[str, dict[int, float]] = {}
    for run, value in zip(runs, values, strict=True):
        if value is not None:
            folds.setdefault(run.config["dataset"], {})[run.config["seed"]] = float(value)
    if not folds:
        return None, None
    first, *others = folds.values()
    by_seed = [_mean([first[seed], *(each[seed] for each in others)]) for seed in first if _in_all(seed, others)]
    return _mean([_mean([*each.values()]) for each in folds.values()]), _sd(by_seed)


def _in_all(seed: int, folds: Sequence[Mapping[int, float]]) -> bool:
    return all(seed in each for each in folds)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _sd(values: Sequence[float]) -> float | None:
    """The sample standard deviation, to the last bits; ``statistics.stdev`` takes 20 times as long, for the very last.

    By differences from the first, so that equal values have none.
    """
    if len(values) < 2:
        return None
    moved = [value - values[0] for value in values]
    mean = _mean(moved)
    return math.sqrt(math.fsum([(value - mean) ** 2 for value in moved]) / (len(values) - 1))
