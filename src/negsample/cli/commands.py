"""Commands as a person would type them, made from settings."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from negsample.plugins import loaded, sources_of
from negsample.settings import PrepareSettings, checked, run_settings

if TYPE_CHECKING:
    from negsample.runs.job import Job


def command_to_train(dataset: str, prepared: PrepareSettings, job: Job, folder: str = "RUN") -> str:
    """The ``negsample train`` that makes the run of ``job``, seed included: all that differs from the defaults.

    Args:
        dataset: as it was given.
        prepared: how a log is prepared.
        job: what to train.
        folder: where the run shall be.
    """
    from negsample.methods import negative_settings

    given = job.settings.flat()
    usual = run_settings().flat()
    changes = dict(_differing(given, usual)) | dict(_differing(job.negatives, negative_settings(job.method, {})))
    parts = ["negsample", "train", dataset, *_options(prepared), "--method", job.method, "--seed", str(job.seed)]
    if "epochs" in changes:
        parts += ["--epochs", str(changes.pop("epochs"))]
    for key, value in changes.items():
        parts += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value, allow_nan=False)}"]
    for plugin in loaded():
        if plugin.name in sources_of(job.method):
            parts += ["--plugin", plugin.path or plugin.name]
    return shlex.join([*parts, "--out", folder])


def _options(prepared: PrepareSettings) -> Iterator[str]:
    usual = checked(PrepareSettings, {}).model_dump()
    for key, value in _differing(prepared.model_dump(), usual):
        yield f"--{key.replace('_', '-')}"
        if value is not True:
            yield str(value)


def _differing(given: Mapping[str, Any], usual: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in given.items() if value != usual.get(key))
