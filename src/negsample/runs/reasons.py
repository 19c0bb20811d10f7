"""Why a run failed, in a sentence: what happened, and the setting that is most likely at fault."""

from __future__ import annotations

import math
import traceback
from collections.abc import Callable
from typing import Any

from negsample.errors import InputError
from negsample.methods import METHODS
from negsample.runs.failed import Failed, Kind
from negsample.runs.job import Job
from negsample.runs.shortage import WAYS_OUT, is_shortage
from negsample.settings import setting_fields
from negsample.training.divergence import DivergedError

_USERS = 5  # named of a batch
_FAR = 0.3  # a factor of two, in decades
_SMALL = 1e-45
_SCALES: dict[str, Callable[[float], float]] = {
    "temperature": lambda value: 1 / value,
    "mix_concentration": lambda value: 1 / value,
    "regularization": lambda value: max(value, _SMALL),
    "popularity_exponent": lambda value: max(abs(value), _SMALL),
    "dropout": lambda value: 1 / (1 - value),
}
"""What scores, activations or losses grow with, by setting."""
_STEPS: dict[str, Callable[[float], float]] = dict.fromkeys(("learning_rate", "table_learning_rate"), lambda rate: rate)
"""What updates grow with."""


def failed_by(job: Job, error: Exception) -> Failed:
    """What is to be kept of ``error``, which ended ``job``."""
    if isinstance(error, DivergedError):
        return _diverged(job, error)
    if is_shortage(error):
        return failed_for(job, "memory", WAYS_OUT)
    if isinstance(error, InputError):
        return failed_for(job, "refused", str(error))
    first = (str(error).strip().splitlines() or [""])[0]
    reason = f"an unexpected {type(error).__name__}: {first}"
    return failed_for(job, "unexpected", reason, traceback="".join(traceback.format_exception(error)))


def failed_for(job: Job, kind: Kind, reason: str, **facts: Any) -> Failed:
    """``job`` failed for ``reason``."""
    return Failed(
        run=job.name,
        dataset=job.data.name,
        method=job.method,
        seed=job.seed,
        kind=kind,
        reason=reason,
        config=job.config(),
        facts=facts,
    )


def _diverged(job: Job, error: DivergedError) -> Failed:
    try:
        ids = job.data.user_ids()
        users = [str(ids[user]) for user in error.users[:_USERS]]
    except InputError:  # the dataset has them no more
        users = []
    more = len(error.users) - len(users)
    whose = f"; users of the batch: {', '.join(users)}{f' and {more} more' if more else ''}" if users else ""
    setting, words = suspect(job, begun=error.begun)
    return failed_for(
        job,
        "diverged",
        f"training diverged: {error.what}; {words}{whose}",
        epoch=error.epoch,
        step=error.step,
        setting=setting,
        users=users,
    )


def suspect(job: Job, *, begun: bool) -> tuple[str | None, str]:
    """The setting that most likely made numbers overflow, the one that is farthest from its default; and in words.

    Before the first update (``begun`` is false) step sizes cannot be at fault: only what scales scores and activations.
    """
    values = job.settings.flat() | job.negatives
    usual = {key: field.default for key, field in setting_fields(job.settings.model.backbone).items()}
    usual |= METHODS[job.method].defaults | {"table_learning_rate": usual["learning_rate"]}
    decades = {key: _FAR for key in ("precision", "table_dtype") if values.get(key) == "bfloat16"}
    for key, scale in (_SCALES | (_STEPS if begun else {})).items():
        if isinstance(values.get(key), int | float) and isinstance(usual.get(key), int | float):
            decades[key] = math.log10(scale(values[key])) - math.log10(scale(usual[key]))
    worst = max(decades, key=lambda key: decades[key], default=None)
    if worst is None or decades[worst] < _FAR:
        remedy = f"; try a learning_rate below {job.settings.training.learning_rate:g}" if begun else ""
        return None, f"no setting is far from its default{remedy}"
    value, default = values[worst], usual[worst]
    way_out = "try float32"
    if worst in _SCALES | _STEPS:
        way_out = f"take a {'smaller' if abs(value) > abs(default) else 'larger'} one"
    shown, usually = (f"{each:g}" if isinstance(each, float) else str(each) for each in (value, default))
    return worst, f"the setting most likely at fault is {worst}={shown} (default {usually}): {way_out}"
