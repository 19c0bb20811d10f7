"""A run is a folder, written whole or not at all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.checksums import LIST, Checksums, settled
from negsample.config import InputError, fingerprint
from negsample.whole import place_beside, replacing

_OF_CONFIG = {
    "dataset": str,
    "dataset_fingerprint": str,
    "method": str,
    "seed": int,
    "settings": dict,
    "negatives": dict,
}
_OF_METRICS = {"valid": dict, "test": dict, "best_epoch": int, "train_seconds": int | float}
_OF_GRID = {"betas": list, "valid": list, "test": list}
_OF_LOG = {"epoch": int, "loss": int | float, "seconds": int | float, "steps": int}


class Run(NamedTuple):
    """A finished run, read back.

    ``config``: dataset, dataset_fingerprint, method, seed, settings, negatives, versions.
    ``metrics``: valid and test (fractions by name, see :mod:`negsample.metrics`), best_epoch, train_seconds,
    steps_per_second; dial, dial_choice and dial_reached (see :mod:`negsample.measure`).
    ``log``: one entry an epoch: epoch, loss, seconds, steps and, where looked at, valid.
    """

    folder: Path
    config: dict[str, Any]
    metrics: dict[str, Any]
    log: list[dict[str, Any]]


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """``value`` as JSON, in place of what was there in one step; NaN is written as null."""
    text = json.dumps(finite(value), indent=1, allow_nan=False) + "\n"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """``arrays`` compressed in one ``.npz``, in place of what was there in one step."""
    with replacing(path) as temporary:
        np.savez_compressed(temporary, **dict(arrays))  # type: ignore[arg-type]


def finite(value: Any) -> Any:
    """``value`` with None for every number that JSON cannot say: NaN (a figure that is undefined) and infinity."""
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


def check_new_folder(folder: Path) -> None:
    """Refuses a folder that could not be written later, when the work for it is done.

    Raises:
        InputError: something else is there, or the system forbids it.
    """
    try:
        if folder.exists() and (folder.samefile(Path.cwd()) or not folder.is_dir() or any(folder.iterdir())):
            raise InputError(f"{folder} exists already; choose another --out, a new folder")
        with _scratch_beside(folder):
            pass
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}; choose another --out") from None


def check_study_folder(folder: Path) -> None:
    """Refuses a folder that holds something else than a study, or a part of one, or whose name is no text.

    Raises:
        InputError: as it says.
    """
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise InputError(f"the name of {folder} is not UTF-8 text; choose another --out") from None
    check_place(folder)
    if not folder.is_dir() or (folder / "study.json").exists() or (folder / LIST).exists():
        return
    other = sorted(
        {each.name for each in folder.iterdir() if each.name[0] != "."} - {"runs", "datasets", "tuning", "failed"}
    )
    if other:
        raise InputError(f"{folder} holds no study but {other[0]}; choose another --out, a new folder")


def check_place(folder: Path) -> None:
    """Refuses a folder that cannot be made or written in, when the work for it is yet to be done.

    Raises:
        InputError: as it says.
    """
    try:
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        if not there.is_dir():
            raise InputError(f"{there} is a file; choose another --out")
        if folder != there:
            with _scratch_beside(folder):
                pass
        elif not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"{folder} cannot be written in; choose another --out")
    except OSError as error:
        raise InputError(f"cannot write {folder}: {error.strerror}; choose another --out") from None


def make_folders(folder: Path, *names: str) -> None:
    """Make ``folder`` and those in it, where they are not there yet.

    Raises:
        InputError: the system forbids it.
    """
    try:
        for name in names:
            (folder / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to {folder}: {error.strerror}; choose another --out") from None


@contextmanager
def _scratch_beside(folder: Path) -> Iterator[Path]:
    made = [each for each in folder.parents if not each.exists()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with place_beside(folder) as place:
            scratch = place / "whole"
            scratch.mkdir()
            yield scratch
    finally:
        with suppress(OSError):  # what has something in it stays
            for each in made:
                each.rmdir()


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A scratch folder beside ``folder`` that becomes it when the block ends well, and vanishes otherwise."""
    with _scratch_beside(folder) as scratch:
        yield scratch
        scratch.rename(folder)


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
    return fingerprint({key: config[key] for key in _OF_CONFIG})


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


def arrays_of(listed: Checksums, file: str, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The arrays ``names`` of an ``.npz``.

    Raises:
        DamagedError: the file is damaged, or lacks one.
    """
    content = listed.read(file)
    try:
        with np.load(BytesIO(content), allow_pickle=False) as stored:
            return {name: stored[name] for name in names}
    except Exception as error:  # zipfile, zlib and numpy each have errors of their own
        raise listed.damaged(file, error) from None


def _check_fields(value: Any, fields: Mapping[str, Any], listed: Checksums, name: str) -> None:
    if not isinstance(value, dict):
        raise listed.damaged(name, "no JSON object")
    for key, kind in fields.items():
        if not isinstance(value.get(key), kind):
            raise listed.damaged(name, f"'{key}' is {value[key]!r}" if key in value else f"'{key}' is missing")
