"""What must not be drawn: who is a member, and draws that leave it out exactly.

Exclusion is never by trial and error. A law over the catalogue is a line of integer weights; leaving out a user's
items cuts their stretches from it. A draw falls on the shortened line and is moved past the stretches before it, so
its law is exactly the stated one, given that it is none of them. Where nothing is left there is nothing: id ``0``.

What can be left out at the draw depends on who shares it. ``history``: for draws per sequence and per position; what
the batch shares is masked when it is scored. ``target``: for draws per position; else masked when scored.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from negsample.data.batches import Batch
from negsample.negatives.base import Per
from negsample.negatives.law import Law, Weights

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


def rows_of(batch: Batch, per: Per) -> Tensor:
    """The sequence of each row of draws: (B,) or (T,)."""
    return batch.inputs.rows_T if per == "position" else torch.arange(batch.sequences, device=batch.device)


def excludes(batch: Batch, per: Per) -> bool:
    """Whether anything is left out at the draw in the granularity ``per``."""
    return per == "position" if batch.collisions == "target" else per != "batch" and batch.collisions == "history"


def excluded_share(log_q_of: Callable[[Tensor], Tensor], batch: Batch, per: Per) -> Tensor:
    """(N, 1) probability of what is left out at the draw for each row in the granularity ``per``.

    ``log_q_of``: log-probability of ids (1-D) before any exclusion.
    """
    if batch.collisions == "target":
        return log_q_of(batch.targets_T).exp().unsqueeze(1)
    rows, items = _split_keys(batch)
    share = log_q_of(items).exp()
    had = torch.zeros(batch.sequences, dtype=share.dtype, device=batch.device).index_add_(0, rows, share)
    return had[rows_of(batch, per)].unsqueeze(1)


def excluded(ids: Tensor, batch: Batch, per: Per, rows: Tensor | None = None) -> Tensor:
    """Whether each of ``ids``, in the granularity ``per``, is left out at the draw; ``rows``: for these rows alone."""
    if per != "batch" and batch.collisions == "history":
        return in_history(ids, _taken(rows_of(batch, per), rows), batch)
    if per == "position" and batch.collisions == "target":
        return ids == _taken(batch.targets_T, rows).unsqueeze(1)
    return torch.zeros_like(ids, dtype=torch.bool)


def allowed_total(law: Weights, batch: Batch, per: Per) -> Tensor:
    """Weight of ``law`` that is left for each row of draws: (1,), (B, 1) or (T, 1)."""
    if per != "batch" and batch.collisions == "history":
        rows, items = _split_keys(batch)
        had = torch.zeros(batch.sequences, dtype=torch.int64, device=batch.device)
        left = law.total - had.index_add_(0, rows, law.weight(items))
        return (left[batch.inputs.rows_T] if per == "position" else left).unsqueeze(1)
    if per == "position" and batch.collisions == "target":
        return law.total - law.weight(batch.targets_T).unsqueeze(1)
    return torch.full((1,), law.total, device=batch.device)


def log_prob(law: Weights, ids: Tensor, batch: Batch, per: Per) -> Tensor:
    """Log-probability of one draw of ``ids`` from ``law`` after exclusion; ``-inf`` for what cannot be drawn."""
    weight = law.weight(ids)
    log_q = torch.log(weight.double()) - torch.log(allowed_total(law, batch, per).double())
    return torch.where((weight > 0) & ~excluded(ids, batch, per), log_q, -math.inf).float()


def draw_allowed(
    law: Law, batch: Batch, k: int, per: Per, *, rng: torch.Generator, rows: Tensor | None = None
) -> Tensor:
    """Independent draws from ``law`` given that they are not left out; 0 where nothing is left.

    ``rows``: for these rows of draws alone, sequences or positions by ``per``.
    """
    of_row = _taken(rows_of(batch, per), rows)
    if per != "batch" and batch.collisions == "history":
        return _draw_without_history(law, batch, k, of_row, rng)
    shape = [k] if per == "batch" else [len(of_row), k]
    uniform = torch.rand(shape, generator=rng, dtype=torch.float64, device=batch.device)
    if per == "position" and batch.collisions == "target":
        target = _taken(batch.targets_T, rows).unsqueeze(1)
        left = law.total - law.weight(target)
        points = torch.minimum((uniform * left).long(), left - 1)
        points = points + torch.where(points >= law.before(target), law.weight(target), 0)
        return torch.where(left > 0, law.locate(points.clamp_(0, law.total - 1)), 0)
    return law.locate((uniform * law.total).long().clamp_(max=law.total - 1))


def _taken(values: Tensor, rows: Tensor | None) -> Tensor:
    return values if rows is None else values[rows]


def _draw_without_history(law: Law, batch: Batch, k: int, of_row: Tensor, rng: torch.Generator) -> Tensor:
    """``of_row``: the sequence of each row of draws, ascending."""
    rows, items = _split_keys(batch)
    most = max(1, _LARGEST_KEY // (law.total + 1))
    if batch.sequences <= most:
        return _draw_rows(law, rows, items, batch.sequences, of_row, k, rng)
    drawn = []
    for start in range(0, batch.sequences, most):
        stop = min(start + most, batch.sequences)
        keys = (rows >= start) & (rows < stop)
        mine = (of_row >= start) & (of_row < stop)
        drawn.append(_draw_rows(law, rows[keys] - start, items[keys], stop - start, of_row[mine] - start, k, rng))
    return torch.cat(drawn)


def _draw_rows(
    law: Law, rows: Tensor, items: Tensor, sequences: int, of_row: Tensor, k: int, rng: torch.Generator
) -> Tensor:
    """Draws for the sequences ``0 .. sequences - 1``, of which ``rows[i]`` has ``items[i]``; both ascending."""
    weights = law.weight(items)
    cut = torch.cumsum(weights, 0)
    first = torch.searchsorted(rows, torch.arange(sequences + 1, device=rows.device))
    cut_until = torch.cat([cut.new_zeros(1), cut])  # weight cut by all items before each
    # Where each cut lies on its user's shortened line; ascending within a row, so (row, place) is sorted.
    places = law.before(items) - (cut_until[:-1] - cut_until[first[rows]])
    keys = rows * (law.total + 1) + places
    of_row = of_row.unsqueeze(1)
    cut_before_row = cut_until[first[of_row]]
    left = law.total - (cut_until[first[of_row + 1]] - cut_before_row)
    uniform = torch.rand(len(of_row), k, generator=rng, dtype=torch.float64, device=rows.device)
    points = torch.minimum((uniform * left).long(), left - 1)
    passed = torch.searchsorted(keys, of_row * (law.total + 1) + points, right=True)
    points = points + cut_until[passed] - cut_before_row
    return torch.where(left > 0, law.locate(points.clamp_(0, law.total - 1)), 0)


def _split_keys(batch: Batch) -> tuple[Tensor, Tensor]:
    width = batch.catalogue_size + 1
    rows = torch.div(batch.history_keys, width, rounding_mode="floor")
    return rows, batch.history_keys - rows * width
