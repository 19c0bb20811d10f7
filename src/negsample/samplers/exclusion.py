"""What must not be drawn: who is a member, and draws that leave it out exactly.

Exclusion is never by rejection. A distribution over the catalogue is a line of integer weights; leaving out a user's
items cuts their stretches from it. A draw falls on the shortened line and is moved past the stretches before it, so
its distribution is exactly the stated one, given that it is none of them. Users with no valid negative get padding.

What can be left out at the draw depends on who shares it: ``history`` for draws per sequence and per position,
``target`` for draws per position. The rest is masked when it is scored. In-batch draws are moreover without what is a
row's own (:class:`~negsample.samplers.own_items.OwnItems`), under every policy.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from negsample.batches.packed import Batch
from negsample.batches.streams import uniform
from negsample.samplers.base import Per
from negsample.samplers.distribution import Distribution, Weights
from negsample.samplers.own_items import OwnItems

_LARGEST_KEY = 1 << 62  # of (row, weight) as one number; more rows are drawn for group by group


def contains(sorted_keys: Tensor, keys: Tensor) -> Tensor:
    """Whether each of ``keys`` (any shape) is among ``sorted_keys`` (1-D, ascending)."""
    if len(sorted_keys) == 0:
        return torch.zeros_like(keys, dtype=torch.bool)
    at = torch.searchsorted(sorted_keys, keys.contiguous()).clamp_(max=len(sorted_keys) - 1)
    return sorted_keys[at] == keys


def in_history(ids_NK: Tensor, rows_N: Tensor, batch: Batch) -> Tensor:
    """(N, K) whether the user of sequence ``rows_N[n]`` has ``ids_NK[n, k]``."""
    return contains(batch.history_keys, rows_N.unsqueeze(1) * (batch.catalogue_size + 1) + ids_NK)


def rows_of(batch: Batch, per: Per, rows: Tensor | None = None) -> Tensor:
    """The sequence of each row of draws: (B,) or (T,); ``rows``: of these alone."""
    every = batch.target_rows if per == "position" else torch.arange(batch.sequences, device=batch.device)
    return taken(every, rows)


def excludes(batch: Batch, per: Per) -> bool:
    """Whether anything is left out at the draw in the granularity ``per``."""
    return per == "position" if batch.exclude == "target" else per != "batch" and batch.exclude == "history"


def excluded(ids: Tensor, batch: Batch, per: Per, rows: Tensor | None = None) -> Tensor:
    """Whether each of ``ids``, in the granularity ``per``, is left out at the draw; ``rows``: for these rows alone."""
    if per != "batch" and batch.exclude == "history":
        return in_history(ids, rows_of(batch, per, rows), batch)
    if per == "position" and batch.exclude == "target":
        return ids == taken(batch.targets_T, rows).unsqueeze(1)
    return torch.zeros_like(ids, dtype=torch.bool)


def _allowed_total(distribution: Weights, batch: Batch, per: Per, rows: Tensor | None, own: OwnItems | None) -> Tensor:
    """(N, 1) weight of ``distribution`` that is left for each row of draws."""
    sequences_N = rows_of(batch, per, rows)
    if batch.exclude == "history":
        users, items = split_keys(batch)
        had_B = torch.zeros(batch.sequences, dtype=torch.int64, device=batch.device)
        had_B.index_add_(0, users, distribution.weight(items))
        if own is not None:  # what of it is not in the history that was given
            others_N = ~contains(batch.history_keys, own.rows_N * own.width + own.items_N)
            had_B.index_add_(0, own.rows_N, others_N.long())
        return (distribution.total - had_B)[sequences_N].unsqueeze(1)
    left_N = torch.full((len(sequences_N),), distribution.total, device=batch.device)
    if own is not None:
        left_N -= own.totals[sequences_N]
    if per == "position" and batch.exclude == "target":
        target_N = taken(batch.targets_T, rows)
        left_N -= _weight(distribution, target_N.unsqueeze(1), batch, per, rows, own).squeeze(1)
    return left_N.unsqueeze(1)


def log_prob(
    distribution: Weights, ids: Tensor, batch: Batch, per: Per, *, rows: Tensor | None, own: OwnItems | None = None
) -> Tensor:
    """Log-probability of one draw of ``ids`` from ``distribution`` after exclusion; ``-inf`` for what cannot be drawn.

    ``ids``: (N, K) for N rows, or (K,), the same for each. ``own``: what the distribution of each row is without.
    """
    if per == "batch" or (own is None and not excludes(batch, per)):
        return log_share(distribution.weight(ids), torch.full((1,), distribution.total, device=batch.device))
    total_N1 = _allowed_total(distribution, batch, per, rows, own)
    weight = _weight(distribution, ids, batch, per, rows, own)
    if not excludes(batch, per):
        return log_share(weight, total_N1)
    own_ids = ids if ids.dim() == 2 else ids.expand(len(total_N1), -1)
    return log_share(weight, total_N1).masked_fill(excluded(own_ids, batch, per, rows), -math.inf)


def log_share(weight: Tensor, total: Tensor) -> Tensor:
    """Log of the shares that weights have in ``total``."""
    return (weight.float() / total.clamp(min=1).float()).log()


def _weight(
    distribution: Weights, ids: Tensor, batch: Batch, per: Per, rows: Tensor | None, own: OwnItems | None
) -> Tensor:
    """(K,) or (N, K) weights of ``ids`` for these rows."""
    weight = distribution.weight(ids)
    if own is None:
        return weight
    if ids.dim() == 2:
        return (weight - own.count(rows_of(batch, per, rows).unsqueeze(1), ids)).clamp_(min=0)
    left_BK = (weight.float() - own.shared(ids)).clamp_(min=0)
    return left_BK if per == "sequence" and rows is None else left_BK[rows_of(batch, per, rows)]


def draw_allowed(
    distribution: Distribution, batch: Batch, k: int, per: Per, *, rng: torch.Generator, rows: Tensor | None = None
) -> Tensor:
    """Independent draws from ``distribution`` given that they are not left out; 0 where nothing is left.

    ``rows``: for these rows of draws alone, sequences or positions by ``per``; of one model.
    """
    of_row = rows_of(batch, per, rows)
    split = batch.split_of(per)
    shared = [] if split is None else [len(split) - 1, 1]
    shape = [*shared, k] if per == "batch" else [len(of_row), k]
    points_in = uniform(rng, shape, batch.device, split)
    if per != "batch" and batch.exclude == "history":
        return _draw_without_history(distribution, batch, of_row, points_in)
    if per == "position" and batch.exclude == "target":
        target = taken(batch.targets_T, rows).unsqueeze(1)
        left = distribution.total - distribution.weight(target)
        points = torch.minimum((points_in * left).long(), left - 1)
        points = points + torch.where(points >= distribution.before(target), distribution.weight(target), 0)
        return torch.where(left > 0, distribution.locate(points.clamp_(0, distribution.total - 1)), 0)
    return distribution.locate((points_in * distribution.total).long().clamp_(max=distribution.total - 1))


def taken(values: Tensor, rows: Tensor | None) -> Tensor:
    """``values`` of these rows, or all."""
    return values if rows is None else values[rows]


def _draw_without_history(distribution: Distribution, batch: Batch, of_row: Tensor, uniform_NK: Tensor) -> Tensor:
    """``of_row``: the sequence of each row of draws, ascending."""
    rows, items = split_keys(batch)
    most = max(1, _LARGEST_KEY // (distribution.total + 1))
    if batch.sequences <= most:
        return _draw_rows(distribution, rows, items, batch.sequences, of_row, uniform_NK)
    drawn = []
    for start in range(0, batch.sequences, most):
        stop = min(start + most, batch.sequences)
        keys = (rows >= start) & (rows < stop)
        mine = (of_row >= start) & (of_row < stop)
        part = rows[keys] - start, items[keys], stop - start, of_row[mine] - start
        drawn.append(_draw_rows(distribution, *part, uniform_NK[mine]))
    return torch.cat(drawn)


def _draw_rows(
    distribution: Distribution, rows: Tensor, items: Tensor, number: int, of_row: Tensor, uniform_NK: Tensor
) -> Tensor:
    """Draws for the sequences ``0 .. number - 1``, of which ``rows[i]`` has ``items[i]``; both ascending."""
    totals = torch.full((number,), distribution.total, device=rows.device)
    stretches = rows, distribution.before(items), distribution.weight(items)
    points, left = points_outside(*stretches, totals, distribution.total, of_row, uniform_NK)
    return torch.where(left > 0, distribution.locate(points.clamp_(0, distribution.total - 1)), 0)


def points_outside(
    rows: Tensor,
    starts: Tensor,
    lengths: Tensor,
    totals: Tensor,
    most: int,
    of_row: Tensor,
    uniform_NK: Tensor,
) -> tuple[Tensor, Tensor]:
    """Points drawn evenly from lines of integers ``0 .. total - 1``, outside of the stretches that are cut from them.

    Args:
        rows: of each stretch, its line; ascending.
        starts: where it begins there; ascending within a line.
        lengths: of each stretch; they do not overlap.
        totals: (R,) length of each line, at most ``most``.
        most: so long that ``R (most + 1)`` is no number above 2^63.
        of_row: (N,) the line of each row of draws.
        uniform_NK: where each of its points is to be on what is left of its line, in [0, 1).

    Returns:
        (N, K) points, anything where nothing is left, and (N, 1) what is left of each row's line.
    """
    cut = torch.cumsum(lengths, 0)
    first = torch.searchsorted(rows, torch.arange(len(totals) + 1, device=rows.device))
    cut_until = torch.cat([cut.new_zeros(1), cut])  # what is cut from all lines before each stretch
    # Where each cut lies on its shortened line; ascending within a line, so (line, position) is sorted.
    positions = starts - (cut_until[:-1] - cut_until[first[rows]])
    keys = rows * (most + 1) + positions
    of_row = of_row.unsqueeze(1)
    cut_before_row = cut_until[first[of_row]]
    left = totals[of_row] - (cut_until[first[of_row + 1]] - cut_before_row)
    points = torch.minimum((uniform_NK * left).long(), left - 1)
    passed = torch.searchsorted(keys, of_row * (most + 1) + points, right=True)
    return points + cut_until[passed] - cut_before_row, left


def split_keys(batch: Batch) -> tuple[Tensor, Tensor]:
    """Of what users have: the sequence and the item of each."""
    width = batch.catalogue_size + 1
    rows = torch.div(batch.history_keys, width, rounding_mode="floor")
    return rows, batch.history_keys - rows * width
