"""Jobs on three users and nine items."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from negsample.methods import negative_settings
from negsample.runs.job import Job
from negsample.settings import run_settings


@pytest.fixture
def job_of(dataset_of: Callable[..., Any]) -> Callable[..., Job]:
    """``job_of(method, changes of its negatives, settings by name)``."""
    data = dataset_of([([1, 2, 3], [4], [5]), ([2, 3], [1], []), ([1, 2, 3, 4, 5], [], [1])], 9)

    def make(method: str = "random", negatives: dict[str, Any] | None = None, **settings: Any) -> Job:
        return Job(data, method, 0, run_settings(**settings), negative_settings(method, negatives or {}))

    return make
