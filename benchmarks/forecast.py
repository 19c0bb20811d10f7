"""What `negsample train` says that a run will need, and what it takes: memory and time of whole processes.

Settings that differ in what is largest (table, step, evaluation, kept batches), on a log and on a synthetic one of
half a million items. Memory is the peak of the process as the system counts it; time that of the process, start and
forecast included.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from benchmarks.prepare import watched
from negsample import PrepareSettings, load_dataset, plan, prepare, read_log
from negsample.settings import checked, run_settings, setting_fields
from negsample.studies.forecast import forecast
from negsample.studies.forecast.words import in_bytes, in_time

ITEMS, EVENTS_AN_ITEM, EVENTS_A_USER = 500_000, 3, 30
SPLIT = {"valid_fraction": 0.001, "test_fraction": 0.001}  # of the synthetic log: ranks over so many items take long


class Case(NamedTuple):
    """A run: on the ``large`` catalogue or on the log, by which method, with which settings."""

    large: bool
    method: str
    changes: dict[str, Any]


CASES = (
    Case(False, "random", {}),
    Case(False, "adaptive-mixed", {"oversampling_factor": 3, "epochs": 4}),
    Case(False, "in-batch-log-q", {"batch_size": 1024, "dim": 128}),
    Case(False, "bpr-max", {"batch_size": 512, "score_memory": 256}),
    Case(False, "gsasrec", {"batch_size": 1024}),
    Case(False, "sampled-softmax", {"dim": 256, "heads": 4, "blocks": 3, "batch_size": 1024}),
    Case(False, "cross-batch", {"batch_size": 1024, "warm_up": 1}),
    Case(False, "full-ce", {"batch_size": 512}),
    Case(False, "mixed", {"history": "rolling", "filter_seen": True}),
    Case(False, "popularity", {"model": "gru4rec", "batch_size": 1024}),
    Case(True, "random", {"batch_size": 1024, "dim": 256}),
    Case(True, "random", {"batch_size": 1024, "dim": 256, "table": "dense"}),
    Case(True, "random", {"dim": 256, "table": "rows", "table_dtype": "bfloat16", "table_optimizer": "adagrad"}),
    Case(True, "gsasrec", {"batch_size": 1024}),
    Case(True, "popularity", {"batch_size": 1024, "draws_per": "position", "popularity_negatives": 200}),
)


def write_log(path: Path) -> None:
    """Every item once, and the others by Zipf's law; users uniform, whole seconds over three years."""
    chance = np.random.default_rng(0)
    events = ITEMS * EVENTS_AN_ITEM
    zipf = np.exp(chance.random(events - ITEMS) * np.log(ITEMS)).astype(np.int64)
    item = np.concatenate([np.arange(ITEMS), zipf])
    user = chance.integers(0, events // EVENTS_A_USER, events)
    pl.DataFrame({"user": user, "item": item, "time": chance.integers(10**9, 11 * 10**8, events)}).write_parquet(path)


def measure(log: str = "online-retail") -> dict[str, Any]:
    """A row a case."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_log(folder / "large.parquet")
        prepare(read_log(folder / "large.parquet"), checked(PrepareSettings, SPLIT), folder / "large")
        known = load_dataset(log)
        rows = []
        for number, case in enumerate(CASES):
            data = load_dataset(str(folder / "large")) if case.large else known
            rows.append(about(case, str(data.folder), folder / f"run-{number}"))
            print(rows[-1], file=sys.stderr, flush=True)
    return {"dataset": known.name, "rows": rows}


def about(case: Case, dataset: str, out: Path) -> dict[str, Any]:
    """What was said of a case, and what it took."""
    data = load_dataset(dataset)
    changes = {"epochs": 1} | case.changes
    own = {key: changes.pop(key) for key in list(changes) if key not in setting_fields()}
    job = plan([data], [case.method], repeats=1, seed=0, settings=run_settings(**changes), changes=own)[-1]
    said = forecast([[job]])
    options = [part for key, value in (changes | own).items() for part in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "negsample", "train", dataset, "--method", case.method, "--out", str(out)]
    command += ["--no-refit", "--terms", "none"]  # as planned above
    took = watched([*command, *options])
    return {
        "items": data.catalogue_size,
        "method": case.method,
        "settings": case.changes,
        "said_mb": said.memory / 1e6,
        "took_mb": took["peak_gib"] * 2**30 / 1e6,
        "said_s": said.seconds,
        "took_s": took["seconds"],
    }


def lines(found: dict[str, Any]) -> list[str]:
    """Markdown."""
    return [
        f"What was said before a run and what it took, on {found['dataset']} and on a synthetic log of {ITEMS:,} "
        "items. Time is that of the process; some four seconds of it are its start and the forecast itself.",
        "",
        "| items | method | settings | memory said | taken | said / taken | time said | taken |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {r['items']:,} | {r['method']} | {', '.join(f'{k}={v}' for k, v in r['settings'].items())} "
            f"| {in_bytes(round(1e6 * r['said_mb']))} | {in_bytes(round(1e6 * r['took_mb']))} "
            f"| {r['said_mb'] / r['took_mb']:.2f} | {in_time(r['said_s'])} | {in_time(r['took_s'])} |"
            for r in found["rows"]
        ),
    ]
