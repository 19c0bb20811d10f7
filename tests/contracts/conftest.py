"""A log at random with ties and repeats, for the tests of what may be known when."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from negsample.data.dataset import Dataset
from negsample.data.log.read import Log
from negsample.data.prepare.pipeline import prepare
from negsample.settings import PrepareSettings

DAY = 86_400 * 10**6
DAYS, ITEMS = 24, 30


@pytest.fixture(scope="session")
def tied(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Dataset]:
    """24 users with about 16 events each on 24 days: two of three share their day with another of their user."""

    def make(seed: int = 0) -> Dataset:
        draws = np.random.default_rng(seed)
        events = 24 * 16
        frame = pl.DataFrame(
            {
                "user": draws.integers(0, 24, events),
                "item": np.minimum(draws.zipf(1.5, events), ITEMS),
                "time": draws.integers(0, DAYS, events) * DAY,
            }
        )
        settings = PrepareSettings(valid_fraction=0.15, test_fraction=0.15)
        return prepare(Log(frame.lazy(), "tied", []), settings, tmp_path_factory.mktemp("tied") / "data")

    return make
