"""The kinds of studies that are generated: the usual ones, and each way in which a study can be degenerate."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.reliability.studies.plan import Plan, Strength
from negsample.methods import METHODS

Random = np.random.Generator
_USUAL = ("random", "popularity", "in-batch", "mixed", "adaptive", "adaptive-mixed")
_RULES = ("RecentPop", "Repeat", "ItemKNN", "PopRec")


def methods(
    rng: Random, trained: int = 4, rules: int = 2, level: float = 0.12, rule: float = 0.06, spread: float = 0.35
) -> dict[str, Strength]:
    """So many trained methods and baselines, whose hit rates are about ``level`` and ``rule``; PopRec last."""
    names = [*_USUAL, *(each for each in METHODS if each not in _USUAL)][:trained]
    found = {}
    for name in [*names, *_RULES[len(_RULES) - rules :]]:
        of_rule = name in _RULES
        tilt = rng.normal(0, spread)
        mean = (rule if of_rule else level) * np.exp(rng.normal(0, 0 if of_rule else spread / 2))
        rates = np.clip(mean * np.exp([tilt + 0.5, 0.0, -tilt - 0.9]), 0, 0.8)
        if name == "PopRec":
            rates = np.array([2.2 * rule, 0.0, 0.0])
        test = (float(rates[0]), float(rates[1]), float(rates[2]))
        found[name] = Strength(test, test, name, 0.0 if of_rule else float(rng.choice([0.02, 0.05, 0.15])))
    return found


def _usual(rng: Random) -> Plan:
    users, seeds = int(rng.choice([50, 100, 200])), int(rng.choice([2, 3, 3, 4]))
    strengths = methods(rng, int(rng.integers(2, 5)), int(rng.integers(1, 4)))
    betas = ((-0.5, 0.0, 0.5), (-0.5, 0.0, 0.5), (-1.0, -0.5, 0.0, 0.5, 1.0))[rng.integers(0, 3)]
    cut_offs = ((10,), (10,), (5, 10))[rng.integers(0, 3)]
    return Plan(strengths, seeds=seeds, users=users, events=5 * users // 2, betas=betas, cut_offs=cut_offs)


def _many(rng: Random) -> Plan:
    strengths = methods(rng, int(rng.choice([9, 14, 27], p=[0.5, 0.3, 0.2])), 3)
    return Plan(strengths, seeds=2, users=60, events=150, betas=(-0.5, 0.0, 0.5), cut_offs=(10,))


def _like(rng: Random, test: Callable[[Strength], Strength], **more: int) -> dict[str, Strength]:
    return {name: test(of) if name not in _RULES else of for name, of in methods(rng, **more).items()}


def _equal(rng: Random) -> Plan:
    return _usual(rng)._replace(
        strengths=_like(rng, lambda of: of._replace(test=(0.2, 0.1, 0.05), valid=(0.2, 0.1, 0.05)))
    )


def _ties(rng: Random) -> Plan:
    same = Strength((0.2, 0.1, 0.05), (0.2, 0.1, 0.05), "same", 0.03)
    return _usual(rng)._replace(strengths=_like(rng, lambda of: same))


def _reversed(rng: Random) -> Plan:
    made = methods(rng, 3, 2, spread=0.2)
    first, second = list(made)[:2]
    low, high = (0.1, 0.06, 0.03), (0.35, 0.25, 0.15)
    turned = {first: Strength(low, high, first, 0.02), second: Strength(high, low, second, 0.02)}
    return _usual(rng)._replace(strengths=made | turned, users=300, events=900)


def _nothing_hit(rng: Random) -> Plan:
    nothing = (0.0, 0.0, 0.0)
    valid = bool(rng.integers(0, 2))
    return _usual(rng)._replace(
        strengths=_like(rng, lambda of: of._replace(test=nothing, valid=of.valid if valid else nothing))
    )


def _no_tail_hits(rng: Random) -> Plan:
    def without(of: Strength) -> Strength:
        return of._replace(test=(*of.test[:2], 0.0), valid=(*of.valid[:2], 0.0))

    return _usual(rng)._replace(strengths=_like(rng, without))


def _some_failed(rng: Random) -> Plan:
    plan = _usual(rng)
    first, second = list(plan.strengths)[:2]
    return plan._replace(failed={first: int(rng.integers(1, 4)), second: 1})


def _some_missing(rng: Random) -> Plan:
    plan = _usual(rng)
    return plan._replace(
        missing={name: int(rng.integers(1, 4)) for name in list(plan.strengths)[: 1 + rng.integers(0, 3)]}
    )


def _late(rng: Random) -> Plan:
    return _usual(rng)._replace(late=0.9, epochs=int(rng.choice([4, 15])), early_stop=int(rng.choice([0, 2])))


def _tuned(rng: Random) -> Plan:
    return _usual(rng)._replace(trials=int(rng.choice([3, 7, 11, 45])), late=float(rng.choice([0.0, 0.9])))


KINDS: Mapping[str, Callable[[Random], Plan]] = {
    "usual": _usual,
    "tuned": _tuned,
    "fixed-epochs": lambda rng: _usual(rng)._replace(early_stop=0, late=float(rng.choice([0.0, 0.4, 0.6]))),
    "cut-off": _late,
    "refitted": lambda rng: _usual(rng)._replace(refit=True, fitted=bool(rng.integers(0, 2))),
    "published": lambda rng: _tuned(rng)._replace(preset="beauty", early_stop=0),
    "folds": lambda rng: _usual(rng)._replace(folds=int(rng.integers(2, 4)), seeds=int(rng.integers(1, 4))),
    "datasets": lambda rng: _usual(rng)._replace(datasets=("shop", "news", "films")[: rng.integers(2, 4)], seeds=2),
    "dial-auto": lambda rng: _usual(rng)._replace(dial="auto"),
    "dial-balance": lambda rng: _usual(rng)._replace(dial=f"balance:{rng.choice([0.5, 0.8, 0.99])}"),
    "dial-number": lambda rng: _usual(rng)._replace(dial="-0.5"),
    "no-dial": lambda rng: _usual(rng)._replace(betas=(0.0,)),
    "many-methods": _many,
    "one-method": lambda rng: _usual(rng)._replace(strengths=methods(rng, 1, int(rng.integers(1, 4)))),
    "two-methods": lambda rng: _usual(rng)._replace(strengths=methods(rng, 2, 1), seeds=int(rng.integers(2, 5))),
    "one-run": lambda rng: _usual(rng)._replace(seeds=1),
    "two-runs": lambda rng: _usual(rng)._replace(seeds=2),
    "only-baselines": lambda rng: _usual(rng)._replace(strengths=methods(rng, 0, int(rng.integers(1, 5)))),
    "no-baseline": lambda rng: _usual(rng)._replace(strengths=methods(rng, 3, 0)),
    "below-poprec": lambda rng: _usual(rng)._replace(strengths=methods(rng, 4, 2, level=0.03, rule=0.2)),
    "some-below": lambda rng: _usual(rng)._replace(strengths=methods(rng, 5, 2, level=0.1, rule=0.1)),
    "equal": _equal,
    "ties": _ties,
    "reversed": _reversed,
    "no-hits": _nothing_hit,
    "no-tail-hits": _no_tail_hits,
    "no-tail-events": lambda rng: _usual(rng)._replace(cohorts=(0.6, 0.4, 0.0)),
    "no-test-events": lambda rng: _usual(rng)._replace(events=0),
    "few-users": lambda rng: _usual(rng)._replace(users=int(rng.integers(2, 40)), events=60),
    "heavy-user": lambda rng: _usual(rng)._replace(heavy=0.7),
    "many-users": lambda rng: _usual(rng)._replace(users=1500, events=4000, strengths=methods(rng, 3, 1)),
    "noisy-seeds": lambda rng: _usual(rng)._replace(
        strengths=_like(rng, lambda of: of._replace(seed_sd=0.5)), seeds=int(rng.integers(2, 6))
    ),
    "failed": _some_failed,
    "missing": _some_missing,
    "left-out": lambda rng: _usual(rng)._replace(left_out=0.3, more={"filter_seen": True}),
    "not-in-time": lambda rng: _usual(rng)._replace(in_time=False),
    "chosen": lambda rng: _usual(rng)._replace(strengths=methods(rng, 3, 3), chosen=str(rng.choice(["inside", "end"]))),
    "oversampling": lambda rng: _usual(rng)._replace(factors=(1, 4), early_stop=0),
}
"""A plan of each kind, from chance."""


def plan_of(kind: str, seed: int) -> Plan:
    """The ``seed``-th study of a ``kind``."""
    return KINDS[kind](np.random.default_rng([seed, list(KINDS).index(kind)]))
