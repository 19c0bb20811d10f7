"""How often differences are called significant where there are none, and found where there are: simulated studies.

A small version of ``benchmarks/significance.py``, which has more studies and more worlds.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from benchmarks.significance import LEVEL, World, adjusted, errors, found_by, simulated

STUDIES = 120
SMALL = World(methods=5, users=300)


@pytest.mark.parametrize(
    "world",
    [
        SMALL._replace(seeds=2, sd=0.2),
        SMALL._replace(seeds=3, sd=0.0),
        SMALL._replace(seeds=3, sd=0.2),
        SMALL._replace(seeds=3, sd=0.0, noisy=0.4),
        SMALL._replace(seeds=5, sd=0.05, noisy=0.2),
    ],
    ids=str,
)
def test_methods_that_do_not_differ_are_told_apart_in_one_study_of_twenty_at_most(world):
    for family, studies in errors(world, STUDIES, ("NDCG@10 in total", "Balance")).items():
        assert studies <= scipy_stats.binom.ppf(0.995, STUDIES, LEVEL), family


def test_with_one_run_a_method_nothing_is_called_significant():
    for number in range(5):
        p = adjusted(simulated(SMALL._replace(seeds=1, sd=0.2, better=3.0), number), "NDCG@10 in total")
        assert np.isnan(p).all()


def test_a_real_difference_is_found():
    """The older test found all of these: that a noisy method cannot pass for a quiet one has a price with few seeds."""
    few, more = (found_by(SMALL._replace(sd=0.02, better=2.0, lean=0.2, seeds=seeds), 15)["found"] for seeds in (3, 5))
    assert few > 0.8
    assert more > 0.95


def test_the_test_is_not_so_cautious_that_it_holds_by_that_alone():
    """Without an effect of the seed, single tests (before Holm) below 5 % come nearly as often as they should."""
    world = World(methods=2, seeds=5, sd=0.0, users=300, baseline=False)
    below = sum(bool((adjusted(simulated(world, number), "NDCG@10 in total") < LEVEL).any()) for number in range(400))
    assert scipy_stats.binom.ppf(0.001, 400, 0.03) <= below <= scipy_stats.binom.ppf(0.999, 400, LEVEL)
