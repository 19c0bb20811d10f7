"""Which initial values: `normal` or `glorot`, chosen on validation over four logs.

`python -m benchmarks.initial DATA [--seeds 5]`: DATA is a folder with `amazon-beauty-5core.parquet`,
`movielens-100k.parquet` and `globo-clicks.parquet`; `online-retail` is bundled. Each log is trained with each method of
`METHODS`, each candidate of `CANDIDATES` and each seed, for the log's number of epochs, all else at its default. A
run's figure is the highest validation NDCG@10 of its epochs. **No test event is ranked.**

The rule, written before the first run. In each (log, method) the candidates are ranked by the mean over seeds of the
figure (1 is the best). The candidate with the lowest mean rank is taken; but the default stays when an exact sign-flip
test over the (log, method) pairs, of the mean log ratio of that candidate to the default, has p >= 0.05.

Runs are kept in `--out`, one line each, and are not repeated. Writes `benchmarks/results/initial.json`.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, get_args

import polars as pl
import torch

from benchmarks.common import RESULTS
from negsample import build_method, catalogue_of, fit, load_dataset, negative_settings, run_settings
from negsample.data.dataset import Dataset
from negsample.models import PopRec
from negsample.models.init import Init
from negsample.runs.job import Job, build_model
from negsample.runs.machine import machine
from negsample.settings import PrepareSettings, checked, setting_fields
from negsample.training.state import Epoch

METHODS = ("random", "mixed-log-q")
CANDIDATES: tuple[Init, ...] = get_args(Init)
LEVEL = 0.05
_FIGURE = "ndcg@10"


class Asked(NamedTuple):
    """A log, how long it is trained, and how it is cut.

    ``users_of``: one user of so many is kept; ``fraction``: of the events in each held-out part.
    """

    name: str
    epochs: int
    settings: Mapping[str, Any]
    users_of: int = 1
    fraction: float = 0.05


LOGS = (
    Asked("online-retail", 10, {}),
    Asked("amazon-beauty-5core", 8, {"eval_every": 2}),
    Asked("movielens-100k", 40, {"eval_every": 4}),
    Asked("globo-clicks", 4, {"max_length": 20}, users_of=16, fraction=0.02),
)


def main() -> None:
    """Train what is not trained yet, and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.initial")
    parser.add_argument("data", type=Path, help="the folder of the logs")
    parser.add_argument("--out", type=Path, required=True, help="folder of what is done already")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    kept = given.out / "runs.jsonl"
    done = [json.loads(line) for line in kept.read_text("utf-8").splitlines()] if kept.exists() else []
    rows = [row for row in done if row["seed"] < given.seeds]
    data = {log.name: _data(log, given.data, given.out) for log in LOGS}
    for seed, log, method, initial in itertools.product(range(given.seeds), LOGS, METHODS, CANDIDATES):
        key = {"log": log.name, "method": method, "initial": initial, "seed": seed}
        if not any(key.items() <= row.items() for row in rows):
            rows.append(key | trained(data[log.name], log, method, initial, seed))
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(rows[-1]) + "\n")
            print(rows[-1], flush=True)
    rule = " ".join(f"{__doc__}".split("\n\n")[2].split())
    found = {"machine": machine(), "rule": rule} | judged(rows, setting_fields()["init"].default)
    (RESULTS / "initial.json").write_text(json.dumps(found | {"runs": rows}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({key: found[key] for key in ("mean_rank", "against_default", "taken")}, indent=1))


def trained(data: Dataset, log: Asked, method: str, initial: Init, seed: int) -> dict[str, Any]:
    """A run's best validation NDCG@10, and the epoch it was had in."""
    settings = run_settings(**{"epochs": log.epochs, "init": initial, **log.settings})
    negatives = negative_settings(method, {})
    model = build_model(Job(data, method, seed, settings, negatives), torch.device("cpu"))
    assert not isinstance(model, PopRec)
    epochs: list[Epoch] = []
    fit(
        model,
        data,
        build_method(method, catalogue_of(data, settings.model.max_length), negatives),
        settings,
        seed=seed,
        watch=epochs.append,
    )
    figures = [(each.valid[_FIGURE], each.epoch) for each in epochs if each.valid is not None]
    best, epoch = max(figures, key=lambda each: (each[0], -each[1]))
    return {"ndcg": best, "epoch": epoch, "of": log.epochs}


def judged(rows: Sequence[Mapping[str, Any]], default: str) -> dict[str, Any]:
    """The rule of this module on ``rows``, one a run."""
    cells = list(dict.fromkeys((row["log"], row["method"]) for row in rows))
    candidates = list(dict.fromkeys(row["initial"] for row in rows))
    means: dict[tuple[str, str], dict[str, float]] = {}
    spreads: dict[tuple[str, str], dict[str, float]] = {}
    for cell in cells:
        values = {
            each: [row["ndcg"] for row in rows if (row["log"], row["method"]) == cell and row["initial"] == each]
            for each in candidates
        }
        means[cell] = {each: statistics.fmean(some) for each, some in values.items()}
        spreads[cell] = {each: statistics.stdev(some) if len(some) > 1 else 0.0 for each, some in values.items()}
    ranks = {each: statistics.fmean(_rank(means[cell], each) for cell in cells) for each in candidates}
    first = min(candidates, key=lambda each: (ranks[each], each != default))
    against = {each: _against(means, each, default) for each in candidates if each != default}
    taken = first if first == default or against[first]["p"] < LEVEL else default
    return {
        "cells": [{"log": cell[0], "method": cell[1], "mean": means[cell], "sd": spreads[cell]} for cell in cells],
        "mean_rank": ranks,
        "default": default,
        "first": first,
        "against_default": against,
        "taken": taken,
    }


def _against(means: Mapping[Any, Mapping[str, float]], candidate: str, default: str) -> dict[str, float]:
    """The geometric mean of a candidate's ratio to the default over the cells, and its p."""
    logs = [math.log(cell[candidate] / cell[default]) for cell in means.values()]
    return {"ratio": math.exp(statistics.fmean(logs)), "p": sign_flip(logs)}


def _rank(means: Mapping[str, float], candidate: str) -> float:
    """1 for the highest; ties get the mean of their ranks."""
    others = [value for each, value in means.items() if each != candidate]
    above = sum(value > means[candidate] for value in others)
    return 1 + above + sum(value == means[candidate] for value in others) / 2


def sign_flip(values: Sequence[float]) -> float:
    """Two-sided p of a mean as far from 0 as that of ``values``, over all choices of their signs."""
    seen = abs(sum(values)) * (1 - 1e-12)
    sums = [abs(sum(each * sign for each, sign in zip(values, signs, strict=True))) for signs in _signs(len(values))]
    return statistics.fmean(total >= seen for total in sums)


def _signs(number: int) -> itertools.product[tuple[int, ...]]:
    return itertools.product((-1, 1), repeat=number)


def _data(log: Asked, folder: Path, out: Path) -> Dataset:
    prepared = checked(PrepareSettings, {"valid_fraction": log.fraction, "test_fraction": log.fraction})
    path = folder / f"{log.name}.parquet"
    if not path.exists():
        return load_dataset(log.name, prepared)
    if log.users_of > 1:
        users = pl.scan_parquet(path).filter(pl.col("user") % log.users_of == 0)
        path = out / path.name
        if not path.exists():
            users.sink_parquet(path)
    return load_dataset(path, prepared)


if __name__ == "__main__":
    main()
