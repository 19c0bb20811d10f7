"""What a search for settings brought: the best trial so far, and which settings told good trials from bad."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from negsample.random import resampling
from negsample.runs.tunings import Trial, TuningSummary, in_order

QUARTER = 0.25
"""The share of the trials that importance tells from all of them."""
LEAST = 20
"""Trials that importance needs, complete or pruned: five in the best quarter, fewer of which say nothing steady."""

SHUFFLES = 99
"""Of the results among the trials, to which an importance is compared: PED-ANOVA gives some to noise too."""


class SoFar(NamedTuple):
    """After ``trials`` of a search, from 1: the trial that would be taken, of the complete ones that with the highest
    HR@10, of equal ones NDCG@10."""

    trials: int
    taken: Trial


class Share(NamedTuple):
    """Of a setting in the importance of all; ``told``: it is more than with each of ``SHUFFLES`` shuffles of the
    trials' results, so that it hardly comes by chance."""

    share: float
    told: bool


class Importance(NamedTuple):
    """``shares``: of each setting that varies, 1 in all. Else ``why`` there are none."""

    shares: Mapping[str, Share]
    why: str = ""


def best_so_far(tuning: TuningSummary) -> list[SoFar]:
    """After each trial from the first complete one on.

    Trials are in the order in which they were tried. That is not random: what is given comes first, then points spread
    over the ranges, then what the earlier trials suggest. So this is the course of the search, and no mean over orders.
    """
    found: list[SoFar] = []
    for count, trial in enumerate(sorted(tuning.trials, key=lambda each: each.number), 1):
        taken = found[-1].taken if found else None
        if trial.state == "complete" and (taken is None or trial.rank > taken.rank):
            taken = trial
        if taken is not None:
            found.append(SoFar(count, taken))
    return found


def importance_of(tuning: TuningSummary) -> Importance:
    """Of each setting, its share in telling the best quarter of the trials from all of them, by HR@10.

    A pruned trial counts with what it had reached, which was below the median: it is not among the best.
    PED-ANOVA (Watanabe et al., IJCAI'23), as Optuna has it. Shuffles have a fixed seed.
    """
    trials = [trial for trial in tuning.trials if trial.state != "failed" and trial.value is not None]
    values = [trial.value or 0.0 for trial in trials]
    varied = {name: tried for name, tried in _tried(trials).items() if len(tried) > 1}
    if len(trials) < LEAST:
        return Importance({}, f"{len(trials)} of the {LEAST} trials that are needed")
    if len(varied) < 2:
        return Importance({}, "fewer than two settings vary")
    if min(values) == max(values):
        return Importance({}, "all trials are equal")
    return Importance(_ped_anova(trials, values, tuning, varied))


def _tried(trials: Sequence[Trial]) -> dict[str, list[Any]]:
    """The values of each setting that all trials have."""
    names = [name for name in trials[0].params if all(name in trial.params for trial in trials)] if trials else []
    return {name: sorted({trial.params[name] for trial in trials}, key=in_order) for name in names}


def _ped_anova(
    trials: Sequence[Trial], values: Sequence[float], tuning: TuningSummary, varied: Mapping[str, Sequence[Any]]
) -> dict[str, Share]:
    import optuna  # takes half a second; only a tuned study needs it

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kinds = {name: _distribution(tuning, name, tried) for name, tried in varied.items()}
    study = optuna.create_study(direction="maximize")
    for trial, value in zip(trials, values, strict=True):
        params = {name: trial.params[name] for name in varied}
        study.add_trial(optuna.create_trial(params=params, distributions=kinds, value=value))
    evaluator = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=QUARTER)

    def found(of: Sequence[float]) -> dict[str, float]:
        how: dict[str, Any] = {"evaluator": evaluator, "normalize": False}
        return optuna.importance.get_param_importances(study, target=lambda trial: -of[trial.number], **how)

    rng = resampling(f"searches/{tuning.dataset}/{tuning.method}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a low target is a good one
        true, shuffled = found(values), [found(rng.permutation(values).tolist()) for _ in range(SHUFFLES)]
    total = sum(true.values())
    return {
        name: Share(true[name] / total if total else 0.0, all(true[name] > each[name] for each in shuffled))
        for name in varied
    }


def _distribution(tuning: TuningSummary, name: str, tried: Sequence[Any]) -> Any:
    """The range that was searched, by its logarithm; the values that were tried where it was none."""
    from optuna import distributions

    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) and value > 0 for value in tried)
    if not numbers or " to " not in tuning.space.get(name, "1 to 2"):
        return distributions.CategoricalDistribution(tuple(tried))
    low, high = tuning.bounds.get(name, (tried[0], tried[-1]))
    low, high = min(low, tried[0]), max(high, tried[-1])
    if all(isinstance(value, int) for value in tried):
        return distributions.IntDistribution(int(low), int(high), log=True)
    return distributions.FloatDistribution(low, high, log=True)
