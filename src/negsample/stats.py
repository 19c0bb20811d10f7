"""Resampling: how far a figure would move on other users and other seeds, and which differences are real."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REPLICATES = 1000
INTERVAL = (0.05, 0.95)
"""The quantiles between which a resampled figure lies in 90 % of the replicates."""
CONFIDENCE = 0.95
"""Of the interval of a difference; what remains is the level of its test."""
_GROUPS = 8192  # resampled as a whole: beyond so many users, some share a group
_PART = 1024  # replicates drawn at a time
_DEFINED = 0.95  # of the replicates at least: what is undefined more often is not tested
_LEAST = 0.05  # quantile of the ratio of seeds to chance that is taken where less was seen
_ROUNDING = 1e-12


def groups_of(user_E: NDArray[np.int64]) -> NDArray[np.int64]:
    """(E,) the group that each event is resampled with: its user, or where there are many users, some of them.

    Users and not events are drawn, because the events of one user stand and fall together (cluster bootstrap).
    """
    return user_E % _GROUPS


def draws(groups: int, replicates: int, rng: np.random.Generator) -> Floats:
    """(R, N) how often each of N groups is in each replicate: N draws with replacement."""
    drawn = rng.integers(0, groups, (replicates, groups)) + groups * np.arange(replicates)[:, None]
    return np.bincount(drawn.ravel(), minlength=replicates * groups).reshape(replicates, groups).astype(np.float64)


def draws_in_parts(groups: int, replicates: int, rng: np.random.Generator) -> Iterator[Floats]:
    """:func:`draws`, some replicates at a time: no more than 64 MiB of them are held."""
    for begin in range(0, replicates, _PART):
        yield draws(groups, min(_PART, replicates - begin), rng)


def sums_of(values_FE: Floats, group_E: NDArray[np.int64], groups: int) -> Floats:
    """(N, F) sum of each of F values over the events of each group."""
    return np.stack([np.bincount(group_E, each, groups) for each in values_FE], axis=1)


def picks(runs: int, replicates: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(R, S) which of S runs are in each replicate: S draws with replacement."""
    return rng.integers(0, runs, (replicates, runs))


def interval(values: Floats, axis: int = 0) -> tuple[Floats, Floats]:
    """The ends of the 90 % interval of the replicates that are defined."""
    low, high = np.nanquantile(values, INTERVAL, axis=axis)
    return low, high


class Sample(NamedTuple):
    """A figure of one method: of each of its S runs, and of R resamples of the N groups of users.

    ``influence_SN``: what each group of users moves the figure of each run by, to first order (for a ratio of sums
    ``(sum_n - figure * count_n) / count``). ``resampled_R``: mean over the runs in each replicate; NaN where it is
    undefined. ``seeds``: of the runs, in their order; empty for a method that draws nothing at random.
    """

    figures_S: Floats
    influence_SN: Floats
    resampled_R: Floats
    seeds: tuple[int, ...]


class Compared(NamedTuple):
    """A difference of means over runs, its 95 % interval, and the two-sided p of no difference."""

    difference: float
    low: float
    high: float
    p: float


class _Parts(NamedTuple):
    """Squared standard errors of a difference: by users in all, by chance of a run at each user, by seeds as seen."""

    users: float
    runs: float
    seeds: float


def compare(
    samples: Sequence[Sample],
    pairs: Sequence[tuple[int, int]],
    rng: np.random.Generator,
    models: int | None = None,
) -> list[Compared]:
    """The difference of each of ``pairs`` of ``samples``, by a paired bootstrap over users and seeds.

    A difference ``D`` of means over S seeds and U users varies with the users (their own differences), with the seeds
    (a seed that is better for everybody), and with what is neither (a hit that one seed has and another has not)::

        var D = var_user / U + var_seed / S + var_both / (S U)

    The first is resampled: users are drawn with replacement, the same for all methods. Their spread has the third part
    in it, which is taken out again by scale (it is known from how the runs differ user by user). The other two
    together are what the means of the seeds scatter by: ``f var_both / (S U)``, where ``f`` is 1 without an effect of
    the seed. A replicate draws it from Student's t. ``f`` is pooled over all pairs of the M methods that draw at
    random, which gives it ``(M - 1) (S - 1)`` degrees of freedom: three seeds alone would have two. It is the
    analysis of several readers and cases (Dorfman, Berbaum and Metz, 1992; Hillis, 2007), readers being seeds, with
    users resampled; combined as Behrens and Fisher do. That ``f`` is one number for all methods is assumed.
    Where one method alone has an effect of the seed, its own pairs are called different too often (12 to 17 % of single
    tests below 5 % in simulations with a strong effect, 7 % of studies after Holm; ``docs/log.md``).

    ``p = (1 + #{|D* - mean D*| >= |D|}) / (1 + R)``; the interval is symmetric and has 0 outside where ``p < 0.05``.
    With a single seed, users alone are resampled: nothing is said of other seeds then.

    ``models``: how many of the samples are different models, where some are the same at another setting (else all).

    Seeds are paired where two methods have the same ones, and independent otherwise. What other forms gave is in
    ``docs/log.md`` (2026-11-28).
    """
    parts = _squares(samples)
    chance = {}
    for both in (True, False):
        ratio, freedom = _pooled(samples, parts, both, models or len(samples))
        replicates = len(samples[0].resampled_R)
        # Hits are whole numbers: two seeds can have as many, and would seem not to scatter at all.
        least = np.quantile(rng.chisquare(freedom, replicates), _LEAST) / freedom
        chance[both] = np.sqrt(max(ratio, least)) * rng.standard_t(freedom, replicates)
    found = []
    for a, b in pairs:
        difference = float(samples[a].figures_S.mean() - samples[b].figures_S.mean())
        difference = 0.0 if abs(difference) < _ROUNDING else difference
        moved_R = samples[a].resampled_R - samples[b].resampled_R
        moved_R = moved_R - np.nanmean(moved_R) if np.isfinite(moved_R).any() else moved_R
        users, runs, _ = parts[a, b]
        if runs > 0:
            both = bool(samples[a].seeds and samples[b].seeds)
            scale = np.sqrt(max(0.0, 1 - runs / users)) if users > 0 else 0.0
            moved_R = scale * moved_R + np.copysign(np.sqrt(runs), b - a) * chance[both]  # b against a: the same p
        found.append(_judged(difference, np.abs(moved_R)))
    return found


def _judged(difference: float, moved_R: Floats) -> Compared:
    """``moved_R``: how far each replicate is from the middle; NaN where it is undefined."""
    defined = moved_R[np.isfinite(moved_R)]
    if len(defined) < _DEFINED * len(moved_R) or not np.isfinite(difference):
        return Compared(difference, np.nan, np.nan, np.nan)
    moved_R = defined
    reach = float(np.quantile(moved_R, CONFIDENCE))
    count = np.count_nonzero(moved_R >= abs(difference) - _ROUNDING)  # what is equal but for rounding is reached
    return Compared(difference, difference - reach, difference + reach, (1 + count) / (1 + len(moved_R)))


def _squares(samples: Sequence[Sample]) -> dict[tuple[int, int], _Parts]:
    """Of every pair. Where the seeds are the same, what the runs have in common drops out of the difference."""
    mean_MN = np.stack([each.influence_SN.mean(0) for each in samples])
    runs = [_scattered(each.influence_SN, each) for each in samples]
    seeds = [_scattered(each.figures_S[:, None], each) for each in samples]
    users_MM, own_runs, own_seeds = mean_MN @ mean_MN.T, [_square(each) for each in runs], [_square(e) for e in seeds]
    together: dict[tuple[int, ...], list[int]] = {}
    for number, each in enumerate(samples):
        together.setdefault(each.seeds, []).append(number)
    shared_MM = np.zeros((2, len(samples), len(samples)))
    for members in (some for names, some in together.items() if names):
        for kind, scattered in enumerate((runs, seeds)):
            flat = np.stack([scattered[number].ravel() for number in members])
            shared_MM[kind][np.ix_(members, members)] = flat @ flat.T
    found = {}
    for a, b in ((a, b) for one, two in combinations(range(len(samples)), 2) for a, b in ((one, two), (two, one))):
        lone = any(len(samples[each].seeds) == 1 for each in (a, b))
        found[a, b] = _Parts(
            _apart(users_MM[a, a], users_MM[b, b], users_MM[a, b]),
            0.0 if lone else _apart(own_runs[a], own_runs[b], shared_MM[0, a, b]),
            0.0 if lone else _apart(own_seeds[a], own_seeds[b], shared_MM[1, a, b]),
        )
    return found


def _apart(a: float, b: float, shared: float) -> float:
    """``|x - y|^2`` from ``|x|^2``, ``|y|^2`` and ``x y``; what is left of rounding is 0."""
    found = a + b - 2 * shared
    return float(found) if found > _ROUNDING * (a + b) else 0.0


def _scattered(values_SN: Floats, of: Sample) -> Floats:
    """Deviations from the mean over the runs, scaled so that their squares add up to that of its standard error."""
    runs = len(of.seeds)
    if runs < 2:
        return np.zeros_like(values_SN)
    scattered: Floats = (values_SN - values_SN.mean(0)) / np.sqrt(runs * (runs - 1))
    return scattered


def _square(values: Floats) -> float:
    return float((values * values).sum())


def _pooled(
    samples: Sequence[Sample], parts: dict[tuple[int, int], _Parts], both: bool, models: int
) -> tuple[float, float]:
    """How much more seeds scatter than chance at each user alone would have it, and its degrees of freedom.

    ``both``: of pairs of methods that both draw at random; else of one with a method that does not.
    """
    drawn = [number for number, each in enumerate(samples) if each.seeds]
    fixed = [number for number, each in enumerate(samples) if not each.seeds]
    pairs = list(combinations(drawn, 2)) if both else [(a, b) for a in drawn for b in fixed[:1]]
    seen = [(a, parts[a, b]) for a, b in pairs if parts[a, b].runs > 0]
    if not seen:
        return 1.0, 1.0
    methods = {a for a, b in pairs if parts[a, b].runs > 0} | {b for a, b in pairs if both and parts[a, b].runs > 0}
    freedom = [len(samples[number].seeds) - 1 for number in methods]
    return (
        float(np.mean([each.seeds / each.runs for _, each in seen])),
        float(np.mean(freedom) * max(min(len(methods), models) - 1, 1)),
    )


def holm(p_C: Floats) -> Floats:
    """(C,) p-values adjusted for C comparisons (Holm, 1979): those below 5 % hold together at that level.

    ``max over j <= i of min(1, (C - j + 1) p_(j))``, p ascending. NaN (not tested) is left out and stays.
    """
    found = np.full(len(p_C), np.nan)
    tested = np.flatnonzero(~np.isnan(p_C))
    order = tested[np.argsort(p_C[tested], kind="stable")]
    steps = p_C[order] * np.arange(len(order), 0, -1)
    found[order] = np.minimum(1.0, np.maximum.accumulate(steps))
    return found
