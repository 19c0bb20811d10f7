"""The test of a difference between two methods on the same users: exact arithmetic, and nothing drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit  # type: ignore[import-untyped]

Floats = NDArray[np.float64]

_OUTLIER = 2.0  # a method that scatters by so much more than the others (as a share of theirs) stands for itself
_ROUNDING = 1e-12


class Sample(NamedTuple):
    """A figure of one method: of each of its S runs, and what each of N groups of users moves it by.

    ``influence_SN``: to first order, for a ratio of sums ``(sum_n - figure * count_n) / count``. ``model``: whose it
    is; another setting of the same runs has the same. ``random``: whether its runs differ by their seed; a baseline
    that draws nothing at random has no seeds to differ by.
    """

    figures_S: Floats
    influence_SN: Floats
    model: str
    random: bool = True


class TTest(NamedTuple):
    """A difference of means over runs, its standard error with its degrees of freedom, and the two-sided p; all but
    ``difference`` are NaN where nothing can be said."""

    difference: float
    error: float
    freedom: float
    p: float


class _Scatter(NamedTuple):
    """Of the mean over the runs of one sample: ``runs``, the squared standard error that chance at each user explains;
    ``ratio``, of what its figures scatter by to that, with its ``freedom``; ``others``: mean ratio of the others."""

    runs: float
    ratio: float
    freedom: int
    others: float = 0.0


def t_tests(
    samples: Sequence[Sample], pairs: Sequence[tuple[int, int]], least: Sequence[float] | None = None
) -> list[TTest]:
    """The difference ``D`` of each of ``pairs`` of ``samples``, tested by Student's t.

    ``D`` varies with the users and with the seeds. The means over the runs of a method vary user by user, which holds
    what a run hits by chance and another does not. Beyond it a whole run can be better than another::

        var D = max(users^2, sum of runs^2) + sum of (f - 1) runs^2          (sums over the two methods)

    ``users^2``: sum over the users of their squared influences on D. ``runs^2``: the squared standard error that chance
    at each user explains, from how the runs of a method differ user by user; it is in ``users^2`` already. ``f``: how
    the figures of its runs scatter, as a ratio to that: the larger of the method's own ratio and the mean over all
    methods, and no less than 1, which it is without an effect of the seed (hits are whole numbers: two runs can have as
    many and seem not to scatter at all). This is the analysis of several readers and cases (Dorfman, Berbaum and Metz,
    1992; Obuchowski and Rockette, 1995; Hillis, 2007), seeds being readers.

    Degrees of freedom by Satterthwaite, ``(var D)^2`` over the sum of each part squared by its own: users by the
    kurtosis of their influences (a few heavy users are few); the mean ratio by ``(M - 1)(S - 1)`` for M methods; a
    method's own ratio by its ``S - 1``, in the measure in which it is an outlier: not at all below the mean of the
    others, wholly from three times that on. So a noisy method does not borrow certainty from quiet ones, and quiet ones
    do from one another. With two runs of a method there is one degree of freedom, whatever the others say. A method
    with one run is not tested: nothing is known of its seeds. Two settings of one method have the same runs: their
    differences, run by run, are one sample, which stands for itself.

    ``least``: of each sample, the mean of :func:`seed_ratio` over the figures that are tested with this one (its other
    cohorts); its own ratio is no less. Three runs can look alike in one cohort, hardly in all of them.

    What this gives under simulated studies without a difference, and what it can find, is measured by
    ``benchmarks/significance.py``. Seeds are taken for independent between methods: cautious where one helps both.
    """
    if not pairs:
        return []
    scatters, mean, freedom = _pooled(samples)
    if least is not None:
        scatters = [each._replace(ratio=max(each.ratio, ratio)) for each, ratio in zip(scatters, least, strict=True)]
    tests = [
        _difference(samples[a], samples[b], [scatters[each] for each in (a, b) if samples[each].random], mean, freedom)
        for a, b in pairs
    ]
    difference_P, square_P, freedom_P = np.array(tests).T
    error_P = np.sqrt(square_P)
    with np.errstate(invalid="ignore", divide="ignore"):
        t_P = np.where(difference_P == 0, 0.0, difference_P / error_P)
        known_P = np.isfinite(difference_P) & np.isfinite(square_P) & ((square_P > 0) | (difference_P == 0))
        p_P = np.where(known_P, 2 * stdtr(freedom_P, -np.abs(t_P)), np.nan)
    known = (np.where(known_P, each, np.nan) for each in (error_P, freedom_P))
    return [TTest(*row) for row in np.stack([difference_P, *known, p_P], 1).tolist()]


def t_quantile(beyond: float, freedom_P: Floats) -> Floats:
    """(P,) the ``t`` that ``|T|`` exceeds with probability ``beyond``."""
    return np.asarray(-stdtrit(freedom_P, beyond / 2))


def seed_ratio(of: Sample) -> float:
    """How much more the figures of a sample's runs scatter than chance at each user explains; 0 where none is known."""
    return _scatter(of).ratio


def _difference(
    one: Sample, other: Sample, parts: Sequence[_Scatter], mean: float, freedom: float
) -> tuple[float, float, float]:
    """The difference of a pair, its squared standard error and its degrees of freedom; NaN where a method ran once.

    ``parts``: of those of the two whose runs differ by their seed; ``mean``: ratio over all methods, with ``freedom``.
    """
    difference = float(one.figures_S.mean() - other.figures_S.mean())
    difference = 0.0 if abs(difference) < _ROUNDING else difference
    if any(part.freedom < 1 for part in parts):
        return difference, np.nan, np.nan
    users, of_users = _of_users(one.influence_SN.mean(0) - other.influence_SN.mean(0))
    if one.model == other.model:
        figures_S, influence_SN = one.figures_S - other.figures_S, one.influence_SN - other.influence_SN
        runs = one._replace(figures_S=figures_S, influence_SN=influence_SN)
        parts, mean, freedom = [_scatter(runs)], 1.0, len(figures_S) - 1.0
    parts = [part for part in parts if part.runs > 0]
    together = sum(part.runs for part in parts)
    square, spread = max(users, together), users * users / of_users
    if parts:
        spread += (mean * together) ** 2 / freedom
    for part in parts:
        square += (max(mean, part.ratio) - 1) * part.runs
        if part.ratio > mean:
            share = min(1.0, max(0.0, part.ratio / part.others - 1) / _OUTLIER) if part.others else 1.0
            spread += (share * part.ratio * part.runs) ** 2 / part.freedom
    found = square * square / spread if spread > 0 else of_users
    if any(part.freedom == 1 for part in parts):
        found = min(found, 1.0)
    return difference, square, found


def _of_users(moved_N: Floats) -> tuple[float, float]:
    """The squared standard error of a sum over N users, and its degrees of freedom.

    ``2 / (sum x^4 / (sum x^2)^2 - 1 / N)``, at most ``N - 1``: as many as a variance estimated from values of that
    kurtosis has.
    """
    groups = len(moved_N)
    squares_N = moved_N * moved_N
    total = float(squares_N.sum())
    most = max(groups - 1, 1)
    if total <= 0:
        return 0.0, float(most)
    uneven = float((squares_N * squares_N).sum()) / total**2 - 1 / groups
    return total * groups / most, min(2 / uneven if uneven > 2 / most else most, float(most))


def _scatter(of: Sample) -> _Scatter:
    runs = len(of.figures_S)
    if not of.random or runs < 2:
        return _Scatter(0.0, 0.0, 0)
    square = float(np.square(of.influence_SN - of.influence_SN.mean(0)).sum()) / (runs * (runs - 1))
    seen = float(of.figures_S.var(ddof=1)) / runs
    return _Scatter(square, seen / square, runs - 1) if square > 0 else _Scatter(0.0, 0.0, runs - 1)


def _pooled(samples: Sequence[Sample]) -> tuple[list[_Scatter], float, float]:
    """Of each sample how its runs scatter, and the mean ratio over the methods with its degrees of freedom; a method
    with several samples counts once."""
    scatters = [_scatter(each) for each in samples]
    of_model: dict[str, list[_Scatter]] = {}
    for each, scatter in zip(samples, scatters, strict=True):
        if scatter.runs > 0:
            of_model.setdefault(each.model, []).append(scatter)
    mean = {model: float(np.mean([each.ratio for each in some])) for model, some in of_model.items()}
    freedom = {model: some[-1].freedom for model, some in of_model.items()}

    def over(models: Sequence[str]) -> float:
        ratios, weights = [mean[model] for model in models], [freedom[model] for model in models]
        return max(1.0, float(np.average(ratios, weights=weights)) if models else 1.0)

    others = [over([model for model in mean if model != each.model]) for each in samples]
    share = (len(mean) - 1) / len(mean) if len(mean) > 1 else 0.5
    scatters = [each._replace(others=level) for each, level in zip(scatters, others, strict=True)]
    return scatters, over(list(mean)), share * sum(freedom.values())


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
