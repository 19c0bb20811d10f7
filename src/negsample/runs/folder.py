"""A run is a folder, written whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.errors import InputError
from negsample.files.checksums import LIST, Checksums, settled
from negsample.files.folders import arrays_of
from negsample.settings import fingerprint

_OF_CONFIG = {
    "dataset": str,
    "dataset_fingerprint": str,
    "method": str,
    "seed": int,
    "settings": dict,
    "negatives": dict,
    "identity": dict,
}
_OF_METRICS = {"valid": dict, "test": dict, "best_epoch": int, "train_seconds": int | float}
_OF_GRID = {"betas": list, "valid": list, "test": list}
_OF_LOG = {"epoch": int, "loss": int | float, "seconds": int | float, "steps": int}


class Run(NamedTuple):
    """A finished run, read back.

    ``config``: dataset, dataset_fingerprint, method, seed, settings, negatives, versions.
    ``metrics``: valid and test (fractions by name, see :mod:`negsample.evaluation.metrics`), best_epoch, train_seconds,
    steps_per_second; dial, dial_choice and dial_reached (see :mod:`negsample.runs.measure`).
    ``log``: one entry an epoch: epoch, loss, seconds, steps and, where looked at, valid.
    """

    folder: Path
    config: dict[str, Any]
    metrics: dict[str, Any]
    log: list[dict[str, Any]]


def is_run(folder: Path) -> bool:
    """Whether ``folder`` holds a finished run: its list of checksums comes last."""
    return (folder / LIST).is_file()


def read_run(folder: Path) -> Run:
    """The finished run in ``folder``.

    Raises:
        InputError: there is none, or one of its files is damaged.
    """
    if not is_run(folder) and not (folder / "config.json").exists():
        raise InputError(f"{folder} holds no finished run ({LIST}); if it was one, delete it and run again")
    return settled(folder / LIST, "run", _read_run)


def _read_run(listed: Checksums) -> Run:
    folder = listed.folder
    named = re.search("--([0-9a-f]{12})$", folder.name)
    if named and named[1] != listed.of:
        raise listed.damaged(LIST, f"it is of another run, --{listed.of}")
    config, metrics = listed.read_json("config.json"), listed.read_json("metrics.json")
    _check_fields(config, _OF_CONFIG, listed, "config.json")
    _check_fields(metrics, _OF_METRICS, listed, "metrics.json")
    if listed.of != run_fingerprint(config):
        raise listed.damaged(LIST, "it is of another run")
    log = _log(listed) if "log.jsonl" in listed.files else []
    return Run(folder, config, metrics, log)


def _log(listed: Checksums) -> list[dict[str, Any]]:
    try:
        log = [json.loads(line) for line in listed.read("log.jsonl").decode("utf-8").splitlines()]
    except (ValueError, RecursionError) as error:
        raise listed.damaged("log.jsonl", error) from None
    for entry in log:
        _check_fields(entry, _OF_LOG, listed, "log.jsonl")
    return log


def run_fingerprint(config: Mapping[str, Any]) -> str:
    """What a run is, by its configuration; a study's folders of runs end with it."""
    return fingerprint(config["identity"])


def read_grid(folder: Path) -> dict[str, Any] | None:
    """What the run in ``folder`` gave at each of G settings of the dial; None if it was measured at one alone.

    Returns:
        ``betas``, ascending, and for ``valid`` and ``test`` the figures at each.

    Raises:
        InputError: the file is damaged.
    """

    def read(listed: Checksums) -> dict[str, Any] | None:
        if "dial.json" not in listed.files:
            return None
        grid = listed.read_json("dial.json")
        _check_fields(grid, _OF_GRID, listed, "dial.json")
        if not grid["betas"] or len({len(grid[key]) for key in _OF_GRID}) != 1:
            raise listed.damaged("dial.json", "figures at other settings")
        return dict(grid)

    return settled(folder / LIST, "run", read)


def read_ranks(folder: Path, settings: int) -> dict[str, NDArray[np.float64]]:
    """``valid_GE`` and ``test_GE``: the rank of every event at each of so many ``settings`` of the dial.

    Raises:
        InputError: the file is damaged.
    """

    def read(listed: Checksums) -> dict[str, NDArray[np.float64]]:
        ranks = arrays_of(listed, "ranks.npz", ("valid_GE", "test_GE"))
        if any(each.ndim != 2 or len(each) != settings for each in ranks.values()):
            raise listed.damaged("ranks.npz", "ranks at other settings")
        return ranks

    return settled(folder / LIST, "run", read)


def _check_fields(value: Any, fields: Mapping[str, Any], listed: Checksums, name: str) -> None:
    if not isinstance(value, dict):
        raise listed.damaged(name, "no JSON object")
    for key, kind in fields.items():
        if not isinstance(value.get(key), kind):
            raise listed.damaged(name, f"'{key}' is {value[key]!r}" if key in value else f"'{key}' is missing")
