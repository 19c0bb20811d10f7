"""Runs made by hand, for pages that are made of studies."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from negsample.files.checksums import LIST, write_list
from negsample.settings import fingerprint

Figures = tuple[float, float | None]
"""NDCG@10 and Balance@10."""
BETAS = (-0.5, 0.0, 0.5)


def figures(of: Figures) -> dict[str, Any]:
    return {"ndcg@10": of[0], "balance@10": of[1], "hr@10": 2 * of[0]}


def write_run(
    study: Path,
    method: str,
    seed: int = 0,
    *,
    valid: Sequence[Figures],
    test: Sequence[Figures],
    before: Sequence[Figures] = (),
    without: Mapping[str, Figures] | None = None,
    refit: bool = True,
    dial: float = 0.0,
    log: str = "beauty",
    dataset: str = "0123456789ab",
    **settings: Any,
) -> None:
    """A run of ``study`` with figures at ``BETAS``, or at 0 alone; ``without``: as trained, by part. A baseline has
    no refit."""
    baseline = method[0].isupper()
    refit = refit and not baseline
    known = settings | ({"refit": True} if refit else {})
    of = {"dataset": log, "dataset_fingerprint": dataset, "method": method, "seed": seed}
    identity = {"schema": 1, **of, "settings": known, "negatives": {}}
    config = of | {"settings": {"targets": "rows", "terms": [], **known}, "negatives": {}, "identity": identity}
    grid: dict[str, Any] = {"betas": [0.0] if len(valid) == 1 else list(BETAS)}
    parts = {"valid": valid, "test": test} | ({"test_before_refit": before} if refit else {})
    grid |= {part: [figures(each) for each in of_part] for part, of_part in parts.items()}
    at = grid["betas"].index(dial)
    metrics = {part: grid[part][at] for part in parts} | {
        "best_epoch": 3,
        "train_seconds": 1.0,
        "steps_per_second": None,
        "dial": dial,
        "dial_choice": f"{dial:g}",
        "dial_reached": True,
        "age_days": None if baseline else 5.0,
        "refit": {"epochs": 3, "seconds": 1.0} if refit else {},
        "without_terms": {part: figures(each) for part, each in (without or {}).items()},
    }
    folder = study / "runs" / f"{log}--{method}--seed-{seed}--{fingerprint(identity)}"
    folder.mkdir(parents=True)
    for name, content in (("config.json", config), ("metrics.json", metrics), ("dial.json", grid)):
        (folder / name).write_text(json.dumps(content))
    (folder / "log.jsonl").touch()
    write_list(folder / LIST, "run", fingerprint(identity), [each.name for each in folder.iterdir()])


@pytest.fixture
def run_folder() -> Callable[..., None]:
    return write_run
