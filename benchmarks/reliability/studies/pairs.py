"""The kinds of several studies that are generated: of one log, of several, and each way to be degenerate together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from benchmarks.reliability.studies.kinds import KINDS, Random, methods
from benchmarks.reliability.studies.plan import Plan, Strength


class Part(NamedTuple):
    """One of several studies. ``events``: those with the same have the same test events."""

    plan: Plan
    events: int = 0


Pair = Mapping[str, Part]
"""By the name of the folder."""


def _changed(rng: Random, plan: Plan) -> Plan:
    """The same study after a change of settings: some methods are better, some worse, some as good."""

    def better(of: Strength, by: float) -> Strength:
        head, mid, tail = (min(0.8, rate * by) for rate in of.test)
        return of._replace(test=(head, mid, tail), valid=(head, mid, tail), noise=f"{of.noise} anew")

    ways = {name: float(rng.choice([0.5, 1.0, 1.0, 1.8])) for name in plan.strengths}
    trained = {name: better(of, ways[name]) if of.seed_sd else of for name, of in plan.strengths.items()}
    return plan._replace(strengths=trained, more={**plan.more, "learning_rate": 0.003, "dim": 64})


def _two(rng: Random, kind: str = "usual") -> Pair:
    plan = KINDS[kind](rng)
    return {"before": Part(plan), "after": Part(_changed(rng, plan))}


def _same(rng: Random) -> Pair:
    plan = KINDS["usual"](rng)
    return {"before": Part(plan), "after": Part(plan)}


def _other_methods(rng: Random) -> Pair:
    plan = KINDS["usual"](rng)._replace(strengths=methods(rng, 4, 2))
    names = list(plan.strengths)
    gone = names[:4] if rng.integers(0, 2) else names[:1]
    left = {name: of for name, of in plan.strengths.items() if name not in gone}
    last = {"bpr": Strength((0.2, 0.1, 0.05), (0.2, 0.1, 0.05), "bpr")}
    trained = {name: of for name, of in left.items() if of.seed_sd}
    rules = {name: of for name, of in left.items() if not of.seed_sd}
    return {"before": Part(plan), "after": Part(plan._replace(strengths={**trained, **last, **rules}))}


def _nothing_common(rng: Random) -> Pair:
    plan = KINDS["usual"](rng)
    one, other = methods(rng, 1, 0), {"bpr": Strength((0.2, 0.1, 0.05), (0.2, 0.1, 0.05), "bpr")}
    return {"before": Part(plan._replace(strengths=one)), "after": Part(plan._replace(strengths=other))}


def _other_events(rng: Random) -> Pair:
    found = _two(rng)
    return {"before": found["before"], "after": found["after"]._replace(events=1)}


def _logs(rng: Random, kind: str = "usual") -> Pair:
    plan = KINDS[kind](rng)
    other = KINDS[kind](rng)._replace(datasets=("news",), dial=plan.dial)
    return {"one": Part(plan), "other": Part(other)}


def _one_without_hits(rng: Random) -> Pair:
    return {"one": Part(KINDS["usual"](rng)), "other": Part(KINDS["no-hits"](rng)._replace(datasets=("news",)))}


def _many_logs(rng: Random) -> Pair:
    plan = Plan(methods(rng, 2, 1, spread=1.2), seeds=2, users=50, events=120, betas=(0.0,), cut_offs=(10,))
    first = plan._replace(datasets=("a", "b", "c", "d"))
    return {"one": Part(first), "other": Part(plan._replace(datasets=("e", "f", "g")))}


def _logs_and_studies(rng: Random) -> Pair:
    plan = KINDS["usual"](rng)._replace(seeds=2)
    return {"both": Part(plan._replace(datasets=("shop", "news"))), "later": Part(_changed(rng, plan))}


PAIRS: Mapping[str, Callable[[Random], Pair]] = {
    "two-studies": _two,
    "two-studies-same": _same,
    "two-studies-other-methods": _other_methods,
    "two-studies-nothing-common": _nothing_common,
    "two-studies-other-events": _other_events,
    "two-studies-one-run": lambda rng: _two(rng, "one-run"),
    "two-studies-rules": lambda rng: _two(rng, "only-baselines"),
    "two-studies-no-hits": lambda rng: _two(rng, "no-hits"),
    "two-studies-no-test-events": lambda rng: _two(rng, "no-test-events"),
    "two-studies-few-users": lambda rng: _two(rng, "few-users"),
    "two-studies-failed": lambda rng: _two(rng, "failed"),
    "two-studies-folds": lambda rng: _two(rng, "folds"),
    "two-studies-chosen": lambda rng: _two(rng, "chosen"),
    "two-studies-dial": lambda rng: _two(rng, "dial-auto"),
    "two-logs": _logs,
    "two-logs-one-method": lambda rng: _logs(rng, "one-method"),
    "two-logs-rules": lambda rng: _logs(rng, "only-baselines"),
    "two-logs-one-run": lambda rng: _logs(rng, "one-run"),
    "two-logs-ties": lambda rng: _logs(rng, "ties"),
    "two-logs-no-hits": lambda rng: _logs(rng, "no-hits"),
    "two-logs-one-without-hits": _one_without_hits,
    "two-logs-no-tail-events": lambda rng: _logs(rng, "no-tail-events"),
    "two-logs-missing": lambda rng: _logs(rng, "missing"),
    "seven-logs": _many_logs,
    "logs-and-studies": _logs_and_studies,
}
"""Studies of each kind, from chance."""


def pair_of(kind: str, seed: int) -> Pair:
    """The ``seed``-th studies of a ``kind``."""
    return PAIRS[kind](np.random.default_rng([seed, 1000 + list(PAIRS).index(kind)]))
