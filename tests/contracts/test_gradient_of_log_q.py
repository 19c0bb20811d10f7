"""With log-q, sampled softmax has in the mean the gradient of full cross-entropy; without it, or with another's, not.

The world, its exact gradient and the measure are those of ``benchmarks/gradient.py``.
"""

from __future__ import annotations

import math

import pytest
import torch

from benchmarks import gradient as bench
from negsample.losses import sampled_softmax
from negsample.samplers import Popularity, Uniform

MOST = 4096
REPEATS = 150


@pytest.mark.parametrize("proposal", bench.PROPOSALS)
def test_with_log_q_the_error_falls_below_the_limit(proposal):
    few = bench.relative_error(proposal, 64, corrected=True, repeats=REPEATS, seed=1)
    many = bench.measure(proposal, MOST, bench.CORRECTED, repeats=REPEATS, seed=2)
    assert many.noise < bench.LIMIT / 2
    assert many.error < bench.LIMIT
    assert many.error < few / 3


@pytest.mark.parametrize("proposal", bench.PROPOSALS)
def test_without_correction_it_stays(proposal):
    assert bench.relative_error(proposal, 64, corrected=False, repeats=50, seed=1) > 0.1
    assert bench.relative_error(proposal, MOST, corrected=False, repeats=50, seed=2) > 0.1


def test_uniform_draws_as_many_as_items_need_no_correction():
    # log(m q) = log(300 / 300) = 0: the same scores, so the same gradient
    with_it, without = (
        bench.measure("uniform", bench.ITEMS, form, repeats=bench.GROUPS, seed=1)
        for form in (bench.CORRECTED, bench.UNCORRECTED)
    )
    assert without.error == pytest.approx(with_it.error)


def test_corrected_log_q_has_the_gradient_of_sampled_softmax():
    softmax, paper = (
        bench.measure("in-batch", 256, form, repeats=bench.GROUPS, seed=1)
        for form in (bench.CORRECTED, "corrected log-q")
    )
    assert paper.error == pytest.approx(softmax.error, rel=0.01)  # its q is without the target


def test_correcting_the_targets_too_is_biased():
    assert bench.measure("in-batch", MOST, bench.ON_TARGETS, repeats=50, seed=2).error > 0.1


class SaysPopularity(Uniform):
    """Draws uniformly, and says of its draws what their popularity is."""

    def log_prob(self, ids, batch, *, per):
        return Popularity(bench.small_world().counts, self.k, per="batch").log_prob(ids, batch, per=per)


class WrongSign:
    """Adds ``log(m q)``."""

    needs = frozenset(("log_q",))

    def __call__(self, scored, *, rng):
        return scored._replace(neg_TK=scored.neg_TK + scored.log_q_TK + math.log(scored.neg_TK.shape[1]))


class ForgetsM(Uniform):
    """Says ``q / m`` for ``q``, so that nothing is left of m."""

    def log_prob(self, ids, batch, *, per):
        return super().log_prob(ids, batch, per=per) - math.log(self.k)


@pytest.mark.parametrize(
    ("sampler", "form"),
    [
        (SaysPopularity(bench.ITEMS, MOST, per="batch"), bench.FORMS[bench.CORRECTED]),
        (Uniform(bench.ITEMS, MOST, per="batch"), bench.Form(WrongSign(), sampled_softmax)),
        (ForgetsM(bench.ITEMS, MOST, per="batch"), bench.FORMS[bench.CORRECTED]),
    ],
    ids=["another's law", "the wrong sign", "m forgotten"],
)
def test_a_wrong_correction_is_found_out(sampler, form):
    rng = torch.Generator().manual_seed(2)
    world = bench.small_world()
    means = bench.mean_gradients(world, sampler, form, in_batch=0, repeats=50, rng=rng)
    assert bench.compared(means, bench.exact_gradient(world)).error > 0.1
