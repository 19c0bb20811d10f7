"""Draws from the batch itself: the targets of all its sequences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.device import may_ask, upload
from negsample.batches.packed import NOBODY, Batch
from negsample.batches.streams import drawn_apart
from negsample.samplers.base import Negatives, Per, check_draws, draw_with_log_q
from negsample.samplers.distribution import Empirical
from negsample.samplers.exclusion import excluded, log_prob, rows_of, taken
from negsample.samplers.own_items import TargetLaw, own_among, own_targets

MARKS = 1 << 22  # numbers held at once to find repeats, 32 MB
KEYS = 1 << 27  # random keys that a GPU holds at once, 1 GB


class InBatch:
    """Targets of the batch, so in proportion to their occurrence in it, without the excluded ones.

    Of a batch that several processes share, targets are those of all of them (:attr:`Batch.pool`).

    **An in-batch negative is a target of another user's sequence.** A batch is made of whole sequences, so a user's
    own targets are far more likely in it than their share of all targets. They are never that user's negatives,
    whatever the policy; the same item may still come from another user. With a number ``k``: K positions drawn without
    replacement (the target of two positions can come twice); ``0`` where fewer than K are allowed. With ``"all"``:
    every target, (T,) ids shared by the batch. Draws per sequence or position leave out the user's own; shared ones
    carry whose they are (``owner``) and are masked when scored.

    ``log_q`` is that of one draw for a user u. With ``counts`` its distribution is that over all batches that u is in:
    ``q_u(i) = (n_i - c_u(i)) / (N - N_u)``, n the counts, c_u the user's own, N and N_u their sums, then without what
    is excluded. A log-q correction needs that. Without ``counts`` it is the distribution within this batch:
    the occurrences of others over all of others.

    Two approximations: draws without replacement have each the distribution of one draw, so their mean is the same and
    varies less. The other users of a batch are a sample of users: a ratio, with a bias of the order of 1 / B; on real
    logs with B = 128 it is below what can be measured: see docs/methods.md.

    Args:
        k: K, or ``"all"``.
        counts: (V + 1,) how often each id is a target in an epoch; ``counts[0]`` is 0. A batch with the counts of its
            own epoch (``Batch.target_counts``) takes precedence.
        per: who shares the draws; ``"all"`` is shared by the batch.
    """

    def __init__(self, k: int | Literal["all"], *, counts: Tensor | None = None, per: Per | None = None) -> None:
        if k != "all" and k < 1:
            raise ValueError(f"k must be >= 1 or 'all', got {k}")
        if k == "all" and per not in (None, "batch"):
            raise ValueError(f"all targets are shared by the batch, got per={per!r}; leave it out or give a number k")
        self.k: int | Literal["all"] = k
        self.per: Per = "batch" if k == "all" else per or "sequence"
        check_draws(1 if k == "all" else k, self.per)
        self._law = None if counts is None else TargetLaw(counts)

    @property
    def of_several(self) -> bool:
        """See :class:`~negsample.samplers.base.Sampler`; ``log_q`` only where it is that over all batches."""
        return self.k != "all" and self._law is not None

    sample = draw_with_log_q

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """Ids, with their owners where they are shared."""
        if self.k == "all":
            return Negatives(batch.pool.targets_N, owner=batch.pool.users_N)
        positions = _without_replacement(batch, self.k, self.per, rng)
        there, at = positions >= 0, positions.clamp(min=0)
        ids = torch.where(there, batch.pool.targets_N[at], 0)
        if self.per != "batch":
            return Negatives(ids)
        owner = torch.where(there, batch.pool.users_N[at], NOBODY)
        return Negatives(ids if ids.dim() == 1 else ids.unsqueeze(1), owner=owner)

    def log_prob(self, ids: Tensor, batch: Batch, *, per: Per, rows: Tensor | None = None) -> Tensor:
        """See :class:`~negsample.samplers.base.Sampler`."""
        if self._law is not None:
            return log_prob(self._law.of(batch), ids, batch, per, rows=rows, own=own_targets(batch))
        pool = batch.pool
        own = own_among(pool.targets_N, pool.users_N, batch)
        return log_prob(Empirical(pool.targets_N), ids, batch, per, rows=rows, own=own)


def _without_replacement(batch: Batch, k: int, per: Per, rng: torch.Generator) -> Tensor:
    """(K,), (S, K), (B, K) or (T, K) positions, uniform without replacement over those allowed; -1 where none is left.

    Uniform draws with replacement, of which repeats and forbidden ones are passed over, are draws without
    replacement. Rows for which a fixed number of draws was not enough are drawn by sorting T random keys. A GPU sorts
    for all rows, so that the CPU need not wait for which of them it is; unless these are too many numbers.
    """
    pools = _Pools.of(batch, per)
    t, rows = max(pools.sizes), pools.rows[-1]
    if not may_ask(batch.device) and rows * t <= KEYS:
        chosen = _by_sorting(batch, pools, torch.arange(rows, device=batch.device), k, per, rng)
        return chosen[0] if per == "batch" and len(pools.sizes) == 1 else chosen
    tries = [min(2 * k + 16, 4 * size) for size in pools.sizes]

    def draw(model: int, own: torch.Generator) -> Tensor:
        size = pools.sizes[model]
        drawn = torch.randint(size, (pools.of_model(model), tries[model]), generator=own, device=batch.device)
        further = drawn[:, :1].expand(-1, max(tries) - tries[model])  # repeats of a draw, which are passed over
        return torch.cat([drawn, further], 1) if further.shape[1] else drawn

    tried = torch.cat(drawn_apart(rng, draw))
    good = _first_of_its_kind(tried, t)
    tried = pools.among_all(tried)
    good &= ~_forbidden(tried, batch, per)
    rank = torch.cumsum(good, 1) - 1  # of each good draw among the good ones of its row
    chosen = torch.full((rows, k + 1), -1, dtype=torch.int64, device=batch.device)
    chosen.scatter_(1, torch.where(good & (rank < k), rank, k), tried)
    chosen = chosen[:, :k]
    short = torch.nonzero(rank[:, -1] + 1 < k).flatten()
    if len(short):
        chosen[short] = _by_sorting(batch, pools, short, k, per, rng)
    return chosen[0] if per == "batch" and len(pools.sizes) == 1 else chosen


class _Pools(NamedTuple):
    """Rows of draws ``rows[s] .. rows[s + 1] - 1`` are model s's, and draw from ``sizes[s]`` targets of the pool from
    ``firsts[s]`` on."""

    rows: list[int]
    sizes: list[int]
    firsts: list[int]

    @classmethod
    def of(cls, batch: Batch, per: Per) -> _Pools:
        split, targets = batch.split_of(per), batch.split_of("position")
        if split is None or targets is None:
            rows = {"batch": 1, "sequence": batch.sequences, "position": len(batch.targets_T)}[per]
            return cls([0, rows], [len(batch.pool.targets_N)], [0])
        return cls(split.tolist(), np.diff(targets).tolist(), targets[:-1].tolist())

    def of_model(self, model: int) -> int:
        """How many rows are its."""
        return self.rows[model + 1] - self.rows[model]

    def laid(self, until: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of rows of which model s has those from ``until[s]`` on: each one's targets, and where its first number is
        when each has as many, row after row."""
        sizes = np.repeat(self.sizes, np.diff(until))
        return sizes, np.cumsum(sizes) - sizes

    def among_all(self, positions_NM: Tensor, rows_N: Tensor | None = None) -> Tensor:
        """Positions among each row's own targets as positions in the pool; ``rows_N``: of these rows."""
        if len(self.firsts) == 1:
            return positions_NM
        firsts = upload(torch.from_numpy(np.repeat(self.firsts, np.diff(self.rows))), positions_NM.device)
        return positions_NM + taken(firsts, rows_N).unsqueeze(1)


def _forbidden(positions_NM: Tensor, batch: Batch, per: Per, rows: Tensor | None = None) -> Tensor:
    """Whether the target of a position may not be drawn for each row: it is excluded there, or the user's own."""
    left_out = excluded(batch.pool.targets_N[positions_NM], batch, per, rows)
    if per == "batch":
        return left_out
    users_N1 = batch.users_B[rows_of(batch, per, rows)].unsqueeze(1)
    return left_out | (batch.pool.users_N[positions_NM] == users_N1)


def _first_of_its_kind(values_NM: Tensor, below: int) -> Tensor:
    """(N, M) whether no equal value (all in ``[0, below)``) stands before it in its row."""
    at = torch.arange(values_NM.shape[1], device=values_NM.device)
    parts = []
    rows = min(max(1, MARKS // below), len(values_NM))
    marks = values_NM.new_empty(rows, below)  # one for all blocks: new ones would each lie between the results so far
    for values in torch.split(values_NM, max(1, rows)):
        first = marks[: len(values)].fill_(values.shape[1])
        first.scatter_reduce_(1, values, at.expand(len(values), -1), "amin")
        parts.append(torch.gather(first, 1, values) == at)
    return torch.cat(parts)


def _by_sorting(batch: Batch, pools: _Pools, rows: Tensor, k: int, per: Per, rng: torch.Generator) -> Tensor:
    """``rows``: ascending."""
    t = max(pools.sizes)
    until = pools.rows if len(rows) == pools.rows[-1] else np.searchsorted(rows.numpy(), pools.rows).tolist()

    def draw(model: int, own: torch.Generator) -> Tensor:
        numbers = (until[model + 1] - until[model]) * pools.sizes[model]
        return torch.rand(numbers, generator=own, dtype=torch.float64, device=batch.device)

    drawn = drawn_apart(rng, draw)
    everywhere = pools.among_all(torch.arange(t, device=batch.device).expand(len(rows), -1), rows)
    if len(drawn) == 1:
        keys = drawn[0].view(len(rows), t).masked_fill_(_forbidden(everywhere, batch, per, rows), math.inf)
    else:
        sizes, starts = (upload(torch.from_numpy(each), batch.device).unsqueeze(1) for each in pools.laid(until))
        beyond = torch.arange(t, device=batch.device) >= sizes
        keys = torch.cat(drawn)[(starts + everywhere - everywhere[:, :1]).masked_fill_(beyond, 0)]
        there = everywhere.clamp(max=len(batch.pool.targets_N) - 1)
        keys.masked_fill_(_forbidden(there, batch, per, rows) | beyond, math.inf)
    least = torch.topk(keys, min(k, t), dim=1, largest=False)
    chosen = torch.full((len(rows), k), -1, dtype=torch.int64, device=batch.device)
    places = everywhere.gather(1, least.indices) if len(pools.firsts) > 1 else least.indices
    chosen[:, : min(k, t)] = torch.where(torch.isfinite(least.values), places, -1)
    return chosen
