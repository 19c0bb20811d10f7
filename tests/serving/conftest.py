"""A small study and MODELs of it, made once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from negsample import compare, read_study
from negsample.serving.final import make_final
from negsample.serving.plan import plan_final

DAY = 86_400 * 10**6
USERS, ITEMS = 120, 50


def small_log(seed: int = 3) -> pl.DataFrame:
    """Users who come back to their own items, over 60 days; ids are text."""
    draws = np.random.default_rng(seed)
    rows = []
    for user in range(USERS):
        own = draws.choice(ITEMS, 6, p=np.arange(ITEMS, 0, -1) / (ITEMS * (ITEMS + 1) / 2))
        for time in np.sort(draws.integers(0, 60 * DAY, draws.integers(5, 30))):
            item = draws.choice(own) if draws.random() < 0.6 else draws.integers(ITEMS)
            rows.append((f"u{user}", f"item {item}", 1_600_000_000_000_000 + int(time)))
    return pl.DataFrame(rows, schema=["user", "item", "time"], orient="row").sort("time")


@pytest.fixture(scope="session")
def log() -> pl.DataFrame:
    return small_log()


@pytest.fixture(scope="session")
def study(log, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "study"
    settings = {"epochs": 3, "dim": 8, "max_length": 6, "blocks": 1, "batch_size": 32, "learning_rate": 0.01}
    with pytest.MonkeyPatch.context() as patch:  # the report takes longer than the runs
        patch.setattr("negsample.comparison.write_report", lambda *_, **__: None)
        compare(
            log, folder, ["mixed-log-q", "random", "RecentPop", "Terms"], repeats=2, settings=settings, progress=False
        )
    return folder


@pytest.fixture(scope="session")
def model(study, tmp_path_factory) -> Path:
    """An ensemble of two, on all events."""
    folder = tmp_path_factory.mktemp("model") / "MODEL"
    make_final(plan_final(read_study(study), method="mixed-log-q", seeds=2), folder)
    return folder
