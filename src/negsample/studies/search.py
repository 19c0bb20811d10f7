"""Which settings are tried next, and the journal of trials: Optuna's, so that its tools can read it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import optuna
import torch
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState
from torch.quasirandom import SobolEngine

from negsample.errors import InputError
from negsample.methods.fields import OneOf, Real, Space
from negsample.methods.spaces import narrowed
from negsample.runs.tunings import Trial
from negsample.training.best import validation_score
from negsample.training.state import Epoch

STARTUP = 5
"""Trials before the sampler uses the earlier ones."""
_STATES: dict[TrialState, Literal["complete", "pruned", "failed"]] = {
    TrialState.COMPLETE: "complete",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
}


def next_trial(
    kept: Sequence[FrozenTrial], space: Mapping[str, Space], given: Mapping[str, Any], *, seed: int, warm_up: int
) -> optuna.Trial:
    """What comes after the trials ``kept``: a function of these arguments, so that it can be found again.

    No setting leaves what the others allow it (:func:`negsample.methods.spaces.narrowed`).
    First what is ``given``, as near to it as the space allows; then points of a scrambled Sobol' sequence, which leave
    no part of the space out; then what Optuna's TPE proposes (Bergstra et al., NeurIPS'11). Its median pruner watches,
    after ``warm_up`` epochs.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    digest = hashlib.sha256(f"tuning/{seed}/{len(kept)}".encode()).digest()
    sampler = optuna.samplers.TPESampler(seed=int.from_bytes(digest[:4], "big"), n_startup_trials=STARTUP)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=STARTUP - 1, n_warmup_steps=warm_up)
    study = optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
    study.add_trials(kept)
    if not kept:
        study.enqueue_trial(_chosen(space, given, lambda key, each: _nearest(given[key], each)))
    elif len(kept) < STARTUP:
        sobol = SobolEngine(len(space), scramble=True, seed=seed)  # type: ignore[no-untyped-call]
        points = sobol.draw(STARTUP - 1, dtype=torch.float64)
        point = dict(zip(space, points[len(kept) - 1].tolist(), strict=True))
        study.enqueue_trial(_chosen(space, given, lambda key, each: _at(point[key], each)))
    trial = study.ask()
    _chosen(space, given, partial(_suggested, trial))
    return trial


def _chosen(space: Mapping[str, Space], given: Mapping[str, Any], pick: Callable[[str, Space], Any]) -> dict[str, Any]:
    """A value of each setting, picked one after another: each from what the earlier ones leave of its range."""
    found: dict[str, Any] = {}
    fixed = {key: value for key, value in given.items() if key not in space}
    for key in space:
        found[key] = pick(key, narrowed(key, space, fixed | found))
    return found


def kept_trials(journal: Path, name: str) -> list[FrozenTrial]:
    """The trials in ``journal``, in their order; none where there is no journal.

    Raises:
        InputError: it is damaged.
    """
    if not journal.exists():
        return []
    try:
        stored = _stored(journal, name)
        kept = [] if stored is None else stored.get_trials(deepcopy=False)
        for each in kept:
            as_trial(each)
        return kept
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError, RecursionError) as error:
        raise InputError(
            f"{journal} is damaged ({error}); delete the files of its name, and the search starts anew"
        ) from None


def keep_trial(journal: Path, name: str, trial: FrozenTrial) -> None:
    """Append ``trial`` to the journal, atomically; by the one process that has claimed the search."""
    drop_half_line(journal)
    stored = _stored(journal, name)
    if stored is None:
        stored = optuna.create_study(study_name=name, storage=_storage(journal), direction="maximize")
    stored.add_trial(trial)


def drop_half_line(journal: Path) -> None:
    """Cut off a last line without an end, which a killed process was writing; by the process that has claimed the
    search."""
    if journal.exists():
        os.truncate(journal, journal.read_bytes().rfind(b"\n") + 1)


class _NoLock(JournalFileOpenLock):
    """None: the process has claimed the search. A lock of Optuna's is a file that outlives a killed process by 30 s."""

    def acquire(self) -> bool:
        return True

    def release(self) -> None:
        pass


def _storage(journal: Path) -> JournalStorage:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return JournalStorage(JournalFileBackend(str(journal), lock_obj=_NoLock(str(journal))))


def _stored(journal: Path, name: str) -> optuna.Study | None:
    """What is in ``journal``, which is not changed; None: nothing yet."""
    storage = _storage(journal)
    if name not in {each.study_name for each in storage.get_all_studies()}:
        return None
    return optuna.load_study(study_name=name, storage=storage)


def _at(share: float, space: Space) -> Any:
    """What stands at ``share`` of ``space``, in [0, 1)."""
    if isinstance(space, OneOf):
        return space.values[int(share * len(space.values))]
    value = space.low * (space.high / space.low) ** share
    return value if isinstance(space, Real) else min(max(round(value), space.low), space.high)


def _suggested(trial: optuna.Trial, key: str, space: Space) -> Any:
    if isinstance(space, OneOf):
        return trial.suggest_categorical(key, space.values)
    if isinstance(space, Real):
        return trial.suggest_float(key, *space, log=True)
    return trial.suggest_int(key, space.low, space.high, log=True)


def _nearest(value: Any, space: Space) -> Any:
    if isinstance(space, OneOf):
        return min(space.values, key=lambda each: abs(each - value))
    return min(max(value, space.low), space.high)


def ended(trial: optuna.Trial, state: TrialState, log: Sequence[Epoch], error: str | None) -> FrozenTrial:
    """``trial`` with what came of it, to be kept: its value is the best HR@10 on validation."""
    validations = {each.epoch: validation_score(each.valid) for each in log if each.valid is not None}
    best = max(validations, key=lambda epoch: validations[epoch], default=None)
    hit_rate, ndcg = (None, None) if best is None or state == TrialState.FAIL else validations[best]
    return optuna.create_trial(
        state=state,
        value=hit_rate,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs={
            "number": trial.number,
            "best_epoch": best,
            "ndcg": ndcg,
            "epochs": log[-1].epoch if log else 0,
            "seconds": log[-1].seconds if log else 0.0,
            "error": error,
        },
        intermediate_values={epoch: found for epoch, (found, _) in validations.items()},
    )


def as_trial(kept: FrozenTrial) -> Trial:
    """The record of ``kept``."""
    return Trial(state=_STATES[kept.state], params=kept.params, value=kept.value, **kept.user_attrs)
