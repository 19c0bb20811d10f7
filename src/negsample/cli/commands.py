"""Commands as a person would type them, made from settings."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from negsample.plugins import loaded, sources_of
from negsample.settings import ADVISED, PrepareSettings, checked, run_settings

if TYPE_CHECKING:
    from negsample.runs.job import Job


def command_line() -> str:
    """What was called, to be called again."""
    return shlex.join(["negsample", *sys.argv[1:]]).encode("utf-8", "backslashreplace").decode()


def command_to_train(dataset: str, prepared: PrepareSettings, job: Job, folder: str = "RUN") -> str:
    """The ``negsample train`` that makes the run of ``job``, seed included: all that differs from the defaults.

    Args:
        dataset: as it was given.
        prepared: how a log is prepared.
        job: what to train.
        folder: where the run shall be.
    """
    from negsample.methods import changed_settings

    parts = ["negsample", "train", dataset]
    for key, value in _changed(prepared.model_dump(), checked(PrepareSettings, {}).model_dump()).items():
        parts += [f"--{key.replace('_', '-')}", *([] if value is True else [str(value)])]
    parts += ["--method", job.method, "--seed", str(job.seed)]
    changes = _changed(job.settings.flat(), run_settings(**ADVISED).flat())
    changes |= changed_settings(job.method, job.negatives)
    for key in ("epochs", "early_stop"):
        if key in changes:
            parts += [f"--{key.replace('_', '-')}", str(changes.pop(key))]
    for key, value in changes.items():
        parts += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value, allow_nan=False)}"]
    sources = sources_of(job.method, job.settings.model.backbone, job.settings.model.terms)
    for plugin in loaded():
        if plugin.name in sources:
            parts += ["--plugin", plugin.path or plugin.name]
    return shlex.join([*parts, "--out", folder])


def _changed(given: Mapping[str, Any], usual: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in given.items() if value != usual.get(key)}
