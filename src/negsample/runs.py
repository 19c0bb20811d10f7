"""A run is a folder, written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from negsample.config import InputError


class Run(NamedTuple):
    """A finished run, read back.

    ``config``: dataset, dataset_fingerprint, method, seed, settings, negatives, versions.
    ``metrics``: valid and test (fractions by name, see :mod:`negsample.metrics`), best_epoch, train_seconds,
    steps_per_second. ``log``: one entry an epoch: epoch, loss, seconds, steps and, where looked at, valid.
    """

    folder: Path
    config: dict[str, Any]
    metrics: dict[str, Any]
    log: list[dict[str, Any]]


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """``value`` as JSON, in place of what was there in one step; NaN is written as null."""
    text = json.dumps(_finite(value), indent=1, allow_nan=False) + "\n"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.replace(path)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A scratch folder beside ``folder`` that becomes it when the block ends well, and vanishes otherwise."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield scratch
        scratch.chmod(0o755)
        scratch.rename(folder)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def is_run(folder: Path) -> bool:
    """Whether ``folder`` holds a finished run."""
    return (folder / "config.json").is_file() and (folder / "metrics.json").is_file()


def read_run(folder: Path) -> Run:
    """The finished run in ``folder``.

    Raises:
        InputError: there is none, or one of its files is damaged.
    """
    if not is_run(folder):
        raise InputError(f"{folder} holds no finished run (config.json and metrics.json)")
    try:
        config = json.loads((folder / "config.json").read_text())
        metrics = json.loads((folder / "metrics.json").read_text())
        lines = (folder / "log.jsonl").read_text().splitlines() if (folder / "log.jsonl").exists() else []
        log = [json.loads(line) for line in lines]
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{folder} is damaged ({error}); delete it and run again") from None
    return Run(folder, config, metrics, log)
