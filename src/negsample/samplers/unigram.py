"""Draws by a fixed weight of each item: uniform, a power of popularity, log-uniform by rank; and every item once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from negsample.batches.packed import Batch
from negsample.samplers.base import Negatives, Per, check_draws, draw_with_log_q
from negsample.samplers.distribution import Categorical, UniformDistribution, check_counts, power_weights, scaled
from negsample.samplers.exclusion import draw_allowed, log_prob


def _draw(self: Uniform | Popularity | LogUniform, batch: Batch, *, rng: torch.Generator) -> Negatives:
    """Ids, without those excluded at the draw."""
    return Negatives(draw_allowed(self._distribution, batch, self.k, self.per, rng=rng))


def _log_prob(self: _Unigram, ids: Tensor, batch: Batch, *, per: Per, rows: Tensor | None = None) -> Tensor:
    """Log of the item's share of the weight that is not excluded; see :class:`~negsample.samplers.base.Sampler`."""
    return log_prob(self._distribution, ids, batch, per, rows=rows)


class Uniform:
    """``K`` items, each equally likely among those that are not excluded.

    Args:
        items: V, the catalogue's size.
        k: K, draws with replacement.
        per: who shares them.
    """

    def __init__(self, items: int, k: int, *, per: Per = "sequence") -> None:
        check_draws(k, per)
        self.k, self.per = k, per
        self._distribution = UniformDistribution(items)

    draw, sample, log_prob = _draw, draw_with_log_q, _log_prob
    of_several = True


class Popularity:
    """``K`` items with probability proportional to ``count ** exponent``, the excluded ones left out.

    Items without a train event have no popularity and are never drawn, unless the exponent is 0 (uniform).
    The weights are integers: the counts themselves for exponent 1, else scaled to a total of about 2^53, so that a
    probability ``p`` is off by at most ``(1 + V p) / 2^53``, the resolution of a double. A draw is O(1), or O(log V)
    at worst.

    Args:
        counts: (V + 1,) train count of each id; ``counts[0]`` is 0.
        k: K, draws with replacement.
        exponent: 1 popularity (Mikolov et al., 2013, have 0.75), 0 uniform, -1 inverse.
        per: who shares them.
    """

    def __init__(self, counts: Tensor, k: int, *, exponent: float = 1.0, per: Per = "sequence") -> None:
        check_draws(k, per)
        if not math.isfinite(exponent):
            raise ValueError(f"popularity exponent must be a finite number, got {exponent}")
        check_counts(counts)
        self.k, self.per = k, per
        self._distribution = Categorical(power_weights(counts, exponent))

    draw, sample, log_prob = _draw, draw_with_log_q, _log_prob
    of_several = True


class LogUniform:
    """``K`` items with ``q(r) = log((r + 2) / (r + 1)) / log(V + 1)``, ``r`` the popularity rank from 0 (Zipf's law).

    TensorFlow's ``log_uniform_candidate_sampler``, without its need that ids be sorted by popularity. Every item can
    be drawn, those without train events too. Weights are integers of a total of about 2^53.

    Args:
        counts: (V + 1,) train count of each id; ``counts[0]`` is 0. Ties are ranked by id.
        k: K, draws with replacement.
        per: who shares them.
    """

    def __init__(self, counts: Tensor, k: int, *, per: Per = "sequence") -> None:
        check_draws(k, per)
        check_counts(counts)
        self.k, self.per = k, per
        order = torch.argsort(counts[1:], descending=True, stable=True) + 1
        rank = torch.arange(len(order), dtype=torch.float64, device=counts.device)
        shares = torch.zeros(len(counts), dtype=torch.float64, device=counts.device)
        shares[order] = torch.log1p(1 / (rank + 1))
        self._distribution = Categorical(scaled(shares))

    draw, sample, log_prob = _draw, draw_with_log_q, _log_prob
    of_several = True


class WholeCatalogue:
    """Every item once, shared by the batch, for full cross-entropy; what is excluded is masked when it is scored.

    ``log_q = -log V``: with V draws the log-q correction is nothing, as it must be for what is no estimate.

    Args:
        items: V.
    """

    per: Per = "batch"

    def __init__(self, items: int) -> None:
        self.k = items
        self._distribution = UniformDistribution(items)

    sample, log_prob = draw_with_log_q, _log_prob

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """(V,) ids ``1..V``; nothing is drawn."""
        return Negatives(torch.arange(1, self.k + 1, device=batch.device))


_Unigram = Uniform | Popularity | LogUniform | WholeCatalogue
