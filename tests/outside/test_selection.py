"""Selectors that draw at random, on the scores of real batches: how often each outcome comes, against its law."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from one_step import third_step
from scipy import stats as known
from slow import steps

from negsample import BatchMix, OneOfHardest, Resample, generator
from negsample.miners import Scored

TIMES = 3000


@pytest.fixture(scope="module")
def position(world_of):
    """One of a real batch: scores and log q of the different items that were proposed for it."""
    at = third_step(world_of("online-retail"), "mixed-log-q").positions()[0]
    first = [at.ids.index(item) for item in sorted(set(at.ids))]
    return at.scores.detach()[first].float(), at.log_q[first].float()


def scored(position, rows=TIMES):
    scores, log_q = (values.unsqueeze(0).expand(rows, -1) for values in position)
    return Scored(torch.zeros(rows), scores, log_q, ids_TK=torch.arange(scores.shape[1]).expand(rows, -1))


def test_one_of_the_hardest_is_any_of_them(position):
    gave = OneOfHardest(5)(scored(position), rng=generator(1, "negatives")).neg_TK[:, 0]
    counted = [int((gave == score).sum()) for score in steps.hardest(position[0], 5)]
    assert sum(counted) == TIMES
    assert known.chisquare(counted).pvalue > 1e-4


def test_resampling_is_in_proportion_to_exp_s_over_q(position):
    picked = Resample(4)(scored(position), rng=generator(2, "negatives")).ids_TK
    share = torch.exp(position[0] - position[1]).double().numpy()
    share /= share.sum()
    found = np.bincount(picked.flatten().numpy(), minlength=len(share))
    likely = share > 0.002
    counted, expected = [*found[likely], found[~likely].sum()], [*share[likely], share[~likely].sum()]
    assert len(counted) > 8
    assert known.chisquare(counted, 4 * TIMES * np.array(expected)).pvalue > 1e-4


@pytest.mark.parametrize("a", [0.5, 2.0])
def test_mixtures_are_of_any_two_by_beta(position, a):
    """``lambda ~ Beta(a, a)``, both items any of the proposed: the mean is theirs, and so is the spread."""
    given = scored(position, rows=1)
    gave = BatchMix(TIMES, a=a)(given, rng=generator(3, "negatives")).neg_TK[0, -TIMES:].double().numpy()
    scores = position[0].double().numpy()
    both = known.beta(a, a).expect(lambda share: share**2 + (1 - share) ** 2)
    mean, variance = scores.mean(), both * scores.var()  # the two are drawn apart
    assert abs(gave.mean() - mean) < 4.5 * np.sqrt(variance / len(gave))
    spread = (gave - mean) ** 2
    assert abs(spread.mean() - variance) < 4.5 * spread.std() / np.sqrt(len(gave))
