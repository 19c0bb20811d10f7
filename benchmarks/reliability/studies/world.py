"""A simulated dataset: items by popularity, measured events, and the ranks that a method of some strength has."""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr  # type: ignore[import-untyped]

from benchmarks.reliability.studies.plan import Plan, Rates, Strength
from negsample.data.popularity import COHORTS, cohorts
from negsample.evaluation.figures import event_percentiles, summarise
from negsample.evaluation.groups import Groups

Floats = NDArray[np.float64]
_SLOPES, _CURVE = np.array([0.6, -0.3, -1.4]), 0.25  # of the logarithm of head, mid and tail hits, by the dial
_SHARED, _OF_USER = 0.35, 0.15  # of the variance: what an event and its user are for all methods
_SPREAD = 1.6  # how fast ranks grow beyond the tenth


class Part(NamedTuple):
    """The E events of validation or test, by user; ``person_E``: the same user in all folds; ``ease_E``: how hard an
    event is for any method."""

    user_E: NDArray[np.int64]
    person_E: NDArray[np.uint64]
    target_E: NDArray[np.int64]
    cohort_E: NDArray[np.int8]
    groups: Groups
    ease_E: Floats
    time_E: NDArray[np.int64]


class World(NamedTuple):
    """A dataset or a fold of one. ``counts``: (V + 1,) train events."""

    name: str
    counts: NDArray[np.int64]
    cohort_of: NDArray[np.int8]
    valid: Part
    test: Part
    top_QK: NDArray[np.int64]
    start: int

    def figures(self, ranks_E: Floats, part: str, cut_offs: tuple[int, ...]) -> dict[str, Any]:
        """As :func:`negsample.evaluation.figures.summarise` measures a run."""
        of = self.test if part == "test" else self.valid
        return summarise(
            ranks_E, of.target_E, self.counts, self.cohort_of, self.top_QK, cutoffs=cut_offs, groups=of.groups
        )

    def events(self, fold: bool, in_time: bool) -> dict[str, NDArray[Any]]:
        """As :func:`negsample.studies.files.measured_events` writes them."""
        found: dict[str, NDArray[Any]] = {
            "user_E": self.test.user_E.astype(np.int32),
            "cohort_E": self.test.cohort_E,
            "percentile_E": event_percentiles(self.counts)[self.test.target_E].astype(np.float32),
            "valid_user_E": self.valid.user_E.astype(np.int32),
            "valid_cohort_E": self.valid.cohort_E,
        }
        of_fold = {"person_E": self.test.person_E, "valid_person_E": self.valid.person_E}
        return found | ({"time_E": self.test.time_E} if in_time else {}) | (of_fold if fold else {})


def world(plan: Plan, name: str, number: int, rng: np.random.Generator) -> World:
    """The ``number``-th dataset or fold of ``plan``."""
    cold = plan.items // 10
    counts = np.zeros(plan.items + 1, np.int64)
    counts[1 : plan.items - cold + 1] = np.maximum(1, 900 / (np.arange(plan.items - cold) + 3.0) ** 0.9)
    cohort_of = cohorts(counts)
    start = 1_600_000_000_000_000 + number * 30 * 86_400_000_000
    valid_cohorts = (0.4, 0.3, 0.3) if min(plan.cohorts) > 0 else plan.cohorts
    valid = _part(plan, counts, cohort_of, cohort_of, valid_cohorts, max(plan.events, 40), start - 10**12, rng)
    cut = cohorts(counts + np.bincount(valid.target_E, minlength=len(counts)))
    test = _part(plan, counts, cohort_of, cut, plan.cohorts, plan.events, start, rng)
    weights = counts[1:] + 0.5
    top_QK = rng.choice(np.arange(1, plan.items + 1), (60, 20), p=weights / weights.sum())
    return World(name, counts, cohort_of, valid, test, top_QK, start)


def _part(
    plan: Plan,
    counts: NDArray[np.int64],
    cohort_of: NDArray[np.int8],
    cut_of: NDArray[np.int8],
    shares: Rates,
    events: int,
    start: int,
    rng: np.random.Generator,
) -> Part:
    light = rng.integers(0, plan.users, events)
    heavy = rng.random(events) < plan.heavy
    person_E = np.sort(np.where(heavy, 0, light))
    user_E = np.unique(person_E, return_inverse=True)[1].astype(np.int64)
    cohort_E = rng.choice(3, events, p=np.array(shares) / sum(shares)).astype(np.int8)
    target_E = np.zeros(events, np.int64)
    for number in range(len(COHORTS)):
        items, at = np.flatnonzero(cohort_of == number), cohort_E == number
        weights = counts[items] + 0.3
        target_E[at] = rng.choice(items, int(at.sum()), p=weights / weights.sum())
    groups = Groups.by(user_E, rng.random(events) < 0.3, cut_of[target_E])
    of_user = rng.standard_normal(plan.users)[person_E]
    ease_E = np.sqrt(_SHARED) * rng.standard_normal(events) + np.sqrt(_OF_USER) * of_user
    time_E = start + rng.integers(0, 20 * 86_400_000_000, events)
    return Part(user_E, person_E.astype(np.uint64), target_E, cohort_E, groups, ease_E, time_E)


def ranks(world: World, plan: Plan, of: Strength, seed: int, betas: tuple[float, ...], part: str) -> Floats:
    """(G, E) ranks, in expectation with the hit rates of ``of``, turned by each of ``betas``; some are halves, as
    ties have."""
    events = world.test if part == "test" else world.valid
    rng = np.random.default_rng([zlib.crc32(f"{world.name} {of.noise} {part}".encode()), seed])
    better = np.exp(of.seed_sd * rng.standard_normal())
    own_E = rng.standard_normal(len(events.user_E))
    luck_E = ndtr(events.ease_E + np.sqrt(1 - _SHARED - _OF_USER) * own_E)
    base = np.array(of.test if part == "test" else of.valid) * better
    turned_GC = base * np.exp(np.outer(betas, _SLOPES) - _CURVE * np.square(betas)[:, None])
    rate_GE = np.minimum(turned_GC, 0.95)[:, events.cohort_E]
    with np.errstate(divide="ignore", invalid="ignore"):
        place_GE = 10 * (luck_E / rate_GE) ** np.where(luck_E < rate_GE, 1.0, _SPREAD)
    place_GE = np.where(rate_GE > 0, place_GE, 10 + luck_E * plan.items)
    ranks_GE = np.minimum(np.floor(place_GE) + np.where(own_E > 1.8, 0.5, 0.0), plan.items - 1)
    gone_E = rng_of_events(world, part).random(len(luck_E)) < plan.left_out
    return np.where(gone_E, np.inf, ranks_GE)


def rng_of_events(world: World, part: str) -> np.random.Generator:
    """For what is the same for all methods."""
    return np.random.default_rng(zlib.crc32(f"{world.name} {part}".encode()))
