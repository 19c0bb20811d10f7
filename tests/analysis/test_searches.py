"""What a search brought: its course, and which settings mattered in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from negsample.analysis.searches import LEAST, best_so_far, importance_of
from negsample.runs.tunings import Trial, TuningSummary

Value = Callable[[dict[str, Any], float], float]


def tuning(trials: list[Trial], **more: Any) -> TuningSummary:
    about = {"format": 1, "dataset": "a", "dataset_fingerprint": "0", "method": "random", "objective": "hr@10"}
    rest = {"epochs": 3, "planned": max(len(trials), 1), "seed": 0, "best": None, "seconds": 1.0}
    return TuningSummary(**about, **rest, trials=trials, **more)


def trial(number: int, value: float | None, state: str = "complete", **params: Any) -> Trial:
    ndcg = None if value is None else value / 2
    return Trial(number=number, state=state, params=params, value=value, ndcg=ndcg, epochs=1, seconds=1)


def tried(count: int, value: Value, rng: np.random.Generator, pruned: float = 0.0) -> TuningSummary:
    trials = []
    for number in range(count):
        params = {
            "learning_rate": float(10 ** rng.uniform(-4, -2)),
            "batch_size": int(rng.choice([64, 128, 256])),
            "random_negatives": round(float(np.exp(rng.uniform(np.log(5), np.log(500))))),
        }
        state = "pruned" if number and rng.random() < pruned else "complete"
        reached = value(params, rng.normal()) * (0.5 if state == "pruned" else 1)
        trials.append(trial(number, reached, state, **params))
    space = {"learning_rate": "0.0001 to 0.01", "batch_size": "64, 128, 256", "random_negatives": "5 to 500"}
    bounds = {"learning_rate": (1e-4, 1e-2), "batch_size": (64.0, 256.0), "random_negatives": (5.0, 500.0)}
    return tuning(trials, space=space, bounds=bounds)


def by_rate(params: dict[str, Any], noise: float) -> float:
    return 0.2 - 0.05 * abs(np.log10(params["learning_rate"]) + 3) + 0.002 * noise


def by_negatives(params: dict[str, Any], noise: float) -> float:
    return 0.05 + 0.02 * np.log10(params["random_negatives"]) + 0.001 * noise


@pytest.mark.parametrize(("value", "name"), [(by_rate, "learning_rate"), (by_negatives, "random_negatives")])
@pytest.mark.parametrize("pruned", [0.0, 0.3])
def test_what_decides_has_nearly_all_of_the_importance(value: Value, name: str, pruned: float) -> None:
    found = [importance_of(tried(40, value, np.random.default_rng(seed), pruned)).shares for seed in range(5)]
    assert all(sum(each.share for each in shares.values()) == pytest.approx(1) for shares in found)
    assert all(shares[name].share > 0.5 and shares[name].told for shares in found)
    assert sum(each.told for shares in found for each in shares.values()) <= 6  # one by chance


def test_what_comes_by_chance_is_not_told() -> None:
    """Trials that differ by noise alone: of each 100 settings about one is above all shuffles."""
    found = [
        importance_of(tried(25, lambda params, noise: 0.1 + 0.01 * noise, np.random.default_rng(seed))).shares
        for seed in range(15)
    ]
    assert sum(each.told for shares in found for each in shares.values()) <= 3
    assert max(each.share for shares in found for each in shares.values()) > 0.6  # though shares are large


def test_nothing_of_it_is_random() -> None:
    search = tried(30, by_rate, np.random.default_rng(1))
    assert importance_of(search) == importance_of(search)


@pytest.mark.parametrize(
    ("trials", "why"),
    [
        ([], "0 of the 20 trials"),
        ([trial(0, 0.1, rate=0.1)], "1 of the 20 trials"),
        ([trial(n, None, "failed", rate=0.1 * n) for n in range(30)], "0 of the 20 trials"),
        ([trial(n, 0.1 * n / 30, rate=0.1) for n in range(30)], "fewer than two settings vary"),
        ([trial(n, 0.1 * n / 30, rate=0.1 + n) for n in range(30)], "fewer than two settings vary"),
        ([trial(n, 0.0, rate=0.1 + n, size=n + 1) for n in range(30)], "all trials are equal"),
        ([trial(n, 0.1, rate=0.1 + n, size=n + 1) for n in range(LEAST - 1)], "19 of the 20 trials"),
    ],
)
def test_where_there_is_none_it_says_why(trials: list[Trial], why: str) -> None:
    found = importance_of(tuning(trials))
    assert not found.shares
    assert why in found.why


def test_words_and_numbers_may_stand_together() -> None:
    trials = [
        trial(
            n,
            0.01 * (n % 3) + 0.0001 * n,
            negatives="all" if n % 3 else 10 * n + 1,
            flag=n % 2 == 0,
            rate=0.1 * (n + 1),
        )
        for n in range(30)
    ]
    assert set(importance_of(tuning(trials)).shares) == {"negatives", "flag", "rate"}


def test_the_course_is_that_of_the_trials_as_they_came() -> None:
    trials = [
        trial(0, None, "failed"),
        trial(1, 0.3, "pruned"),
        trial(2, 0.1),
        trial(3, 0.2),
        trial(4, 0.15),
        trial(5, 0.2),
        trial(6, 0.25),
    ]
    course = best_so_far(tuning(trials[::-1]))
    assert [(each.trials, each.taken.number) for each in course] == [(3, 2), (4, 3), (5, 3), (6, 3), (7, 6)]
    assert best_so_far(tuning(trials[:2])) == []
    assert best_so_far(tuning([])) == []
