"""What the parts try things on: a slice of the bundled log, and settings that train in no time."""

from __future__ import annotations

from importlib.resources import as_file, files
from pathlib import Path

import polars as pl

SETTINGS = {"epochs": 3, "dim": 8, "blocks": 1, "max_length": 10, "batch_size": 64}
OPTIONS = (
    "--no-refit",
    "--set",
    "fit_terms=false",
    *(each for key, value in SETTINGS.items() for each in ("--set", f"{key}={value}")),
)


def write_log(path: Path, users: int = 100) -> Path:
    """The events of every n-th user of the bundled log, as a CSV file; returns ``path``."""
    with as_file(files("negsample.data") / "bundled" / "online-retail.parquet") as bundled:
        whole = pl.read_parquet(bundled)
    everybody = whole["user"].unique().sort()
    chosen = everybody.gather_every(len(everybody) // users)[:users]
    whole.filter(pl.col("user").is_in(chosen.implode())).write_csv(path)
    return path
