"""Draws by popularity cohort: head, mid and tail in given shares."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from negsample.batches.device import may_ask
from negsample.batches.packed import Batch
from negsample.samplers.base import Negatives, Per, check_draws, draw_with_log_q
from negsample.samplers.distribution import Categorical, scaled
from negsample.samplers.exclusion import draw_allowed, log_prob, taken

_COHORTS = 3


class Cohort:
    """``K`` items: a cohort by its share, then any of its items alike; excluded items are left out of the distribution.

    ``q(i) = share(cohort of i) / items of that cohort``, given that ``i`` is not excluded. A cohort without items
    leaves its share to the others.

    Args:
        cohorts: (V + 1,) 0 head, 1 mid, 2 tail; -1 for id 0, as :func:`negsample.data.popularity.cohorts` gives them.
        shares: of head, mid and tail; or three such rows, for targets in the head, mid and tail (``per="position"``).
        k: K, draws with replacement.
        per: who shares them.
    """

    def __init__(
        self, cohorts: Tensor, shares: Sequence[float] | Sequence[Sequence[float]], k: int, *, per: Per = "sequence"
    ) -> None:
        check_draws(k, per)
        wanted = torch.tensor(shares, dtype=torch.float64)
        if wanted.shape not in ((_COHORTS,), (_COHORTS, _COHORTS)):
            raise ValueError(f"shares must be those of head, mid and tail, or three such rows, got {shares!r}")
        by_target = wanted.dim() == 2
        if by_target and per != "position":
            raise ValueError(f"shares by the target's cohort need per='position', got per={per!r}")
        if not bool((torch.isfinite(wanted) & (wanted >= 0)).all()):
            raise ValueError(f"shares must be >= 0, got {shares!r}")
        self.k, self.per = k, per
        self._cohorts = cohorts.long()
        counts = torch.bincount(self._cohorts[1:], minlength=_COHORTS)
        # A cohort without items has no targets: its row is never used, whatever its shares.
        rows = (
            [row if counts[own] else torch.ones_like(row) for own, row in enumerate(wanted)] if by_target else [wanted]
        )
        self._distributions = [self._distribution(row, counts) for row in rows]

    def _distribution(self, shares: Tensor, counts: Tensor) -> Categorical:
        shares = shares / shares.max().clamp(min=torch.finfo(shares.dtype).tiny)  # whose sum would be infinite
        weights = torch.where(counts > 0, shares.to(counts.device) / counts.clamp(min=1), 0.0)
        if not bool((weights > 0).any()):
            raise ValueError(f"no item can be drawn: the cohorts with a share have no items, shares {shares.tolist()}")
        each = weights[self._cohorts.clamp(min=0)]
        return Categorical(scaled(torch.where(self._cohorts >= 0, each, 0.0)))

    sample = draw_with_log_q

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """Ids."""
        if len(self._distributions) == 1:
            return Negatives(draw_allowed(self._distributions[0], batch, self.k, self.per, rng=rng))
        of_target = self._of_targets(batch)
        if not may_ask(batch.device):  # which rows are of a cohort
            drawn = [draw_allowed(each, batch, self.k, self.per, rng=rng) for each in self._distributions]
            return Negatives(torch.stack(drawn)[of_target, torch.arange(len(of_target), device=batch.device)])
        ids = torch.empty(len(of_target), self.k, dtype=torch.int64, device=batch.device)
        for cohort, distribution in enumerate(self._distributions):
            rows = torch.nonzero(of_target == cohort).flatten()
            ids[rows] = draw_allowed(distribution, batch, self.k, self.per, rng=rng, rows=rows)
        return Negatives(ids)

    def log_prob(self, ids: Tensor, batch: Batch, *, per: Per, rows: Tensor | None = None) -> Tensor:
        """See :class:`~negsample.samplers.base.Sampler`."""
        if len(self._distributions) == 1:
            return log_prob(self._distributions[0], ids, batch, per, rows=rows)
        if per != "position":
            raise ValueError(f"shares by the target's cohort have a probability per position only, got per={per!r}")
        of_target = taken(self._of_targets(batch), rows).unsqueeze(1)
        logs = [log_prob(distribution, ids, batch, per, rows=rows) for distribution in self._distributions]
        return torch.where(of_target == 0, logs[0], torch.where(of_target == 1, logs[1], logs[2]))

    def _of_targets(self, batch: Batch) -> Tensor:
        self._cohorts = self._cohorts.to(batch.device)
        return self._cohorts[batch.targets_T]


def own_cohort(share: float) -> list[list[float]]:
    """Shares by the target's cohort: ``share`` from its own, the rest evenly from the two others.

    Raises:
        ValueError: ``share`` is not in [0, 1].
    """
    if not (math.isfinite(share) and 0 <= share <= 1):
        raise ValueError(f"the share of the target's own cohort must be in [0, 1], got {share}")
    rest = (1 - share) / (_COHORTS - 1)
    return [[share if of == own else rest for of in range(_COHORTS)] for own in range(_COHORTS)]
