"""Why a run failed, in a sentence: what happened, and the setting that is most likely at fault."""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterator
from typing import Any, NamedTuple

from negsample.data.dataset import Dataset
from negsample.errors import InputError
from negsample.methods import METHODS
from negsample.runs.failed import Failed, Kind
from negsample.runs.job import Job
from negsample.runs.shortage import WAYS_OUT, is_shortage
from negsample.settings import RunSettings, setting_fields
from negsample.training.divergence import DivergedError

_USERS = 5  # named of a batch
_FAR = 0.3  # a factor of two, in decades
_SCALES = {"temperature": False, "regularization": True, "mix_concentration": False, "popularity_exponent": True}
"""Settings of methods: whether scores or losses grow with them, or else with their inverse."""


def failed_by(job: Job, error: Exception) -> Failed:
    """What is to be kept of ``error``, which ended ``job``."""
    if isinstance(error, DivergedError):
        return _diverged(job, error)
    if is_shortage(error):
        return failed_for(job, "memory", WAYS_OUT)
    if isinstance(error, InputError):
        return failed_for(job, "refused", str(error))
    said = str(error).strip().splitlines() or [""]
    reason = f"an unexpected {type(error).__name__}: {said[0]}"
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
    users = _external(job.data, error.users[:_USERS])
    more = len(error.users) - len(users)
    whose = f"; users of the batch: {', '.join(users)}{f' and {more} more' if more else ''}" if users else ""
    blamed = suspect(job, begun=error.begun)
    return failed_for(
        job,
        "diverged",
        f"training diverged: {error.what}; {blamed.words}{whose}",
        epoch=error.epoch,
        step=error.step,
        setting=blamed.setting,
        users=users,
    )


def _external(data: Dataset, users: list[int]) -> list[str]:
    """The log's ids, where the dataset still has them."""
    try:
        ids = data.user_ids()
    except InputError:
        return []
    return [str(ids[user]) for user in users]


class Suspect(NamedTuple):
    """``setting``: its name, None where nothing stands out; ``words``: a sentence on it; ``decades``: how far from its
    default it is, in powers of ten, in the direction that makes numbers large."""

    setting: str | None
    words: str
    decades: float


def suspect(job: Job, *, begun: bool) -> Suspect:
    """The setting that most likely made numbers overflow: the one that is farthest from its default.

    Before the first update (``begun`` is false) step sizes cannot be at fault: only what scales scores and activations.
    """
    worst: Suspect = max([*_of_scores(job), *(_of_steps(job.settings) if begun else ())], key=lambda each: each.decades)
    if worst.decades >= _FAR:
        return worst
    remedy = f"; try a learning_rate below {job.settings.training.learning_rate:g}" if begun else ""
    return Suspect(None, f"no setting is far from its default{remedy}", 0.0)


def _of_scores(job: Job) -> Iterator[Suspect]:
    """What scales scores, activations or losses: the method's settings, and those of number types."""
    defaults = METHODS[job.method].defaults
    for key, rising in _SCALES.items():
        value, default = job.negatives.get(key), defaults.get(key)
        if isinstance(value, int | float) and isinstance(default, int | float):
            yield _suspect(key, value, default, (value, default) if rising else (default, value))
    settings = job.settings
    default = float(setting_fields()["dropout"].default)
    yield _suspect("dropout", settings.model.dropout, default, (1 - default, 1 - settings.model.dropout))
    for key in ("precision", "table_dtype"):
        if settings.flat()[key] == "bfloat16":
            yield Suspect(key, f"the setting most likely at fault is {key}=bfloat16: try float32", _FAR)


def _of_steps(settings: RunSettings) -> Iterator[Suspect]:
    """What scales updates."""
    default = float(setting_fields()["learning_rate"].default)
    for key in ("learning_rate", "table_learning_rate"):
        value = settings.flat()[key]
        if value is not None:
            yield _suspect(key, value, default, (value, default))


def _suspect(key: str, value: float, default: float, scale: tuple[float, float]) -> Suspect:
    """``scale``: what numbers grow with, and what that is by default."""
    now, usual = (math.log10(max(abs(each), 1e-45)) for each in scale)
    way_out = "smaller" if (value > default) == (now > usual) else "larger"
    words = f"the setting most likely at fault is {key}={value:g} (default {default:g}): take a {way_out} one"
    return Suspect(key, words, now - usual)
