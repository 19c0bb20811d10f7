"""Draws by how popular items were lately, as of the time of each target."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from negsample.batches.device import upload
from negsample.batches.packed import Batch
from negsample.batches.streams import uniform
from negsample.data.known import KAPPA, Floats, Ints, Known
from negsample.errors import InputError
from negsample.samplers.base import Negatives, Per, check_draws, draw_with_log_q
from negsample.samplers.distribution import Categorical, scaled
from negsample.samplers.exclusion import excluded, excludes, log_share, points_outside, rows_of, split_keys, taken

CUTS = 400
"""Times as of which popularity is counted; fewer where they would take more than ``MEMORY``, at least ``LEAST``."""
LEAST = 20
MEMORY = 1 << 30
"""Bytes that the weights of all cuts may take, 16 for an item and cut: Amazon Beauty (12,101 items) takes 74 MiB."""
_BYTES = 16  # a running sum, and what finds it
_TOTAL = 1 << 40  # of the weights of a cut
NOTHING_LEFT = 1075
"""Half-lives after which a float64 has nothing left of an event."""
_DAY = 86_400 * 10**6  # microseconds


class Recent:
    """``K`` items by their popularity lately, as of the time of the target; the excluded ones are left out.

    A target at ``t`` is drawn for as of the latest cut ``c <= t``. Cuts are the times of at most 400 train events,
    spread evenly over all of them by their order in time. The law, given that ``i`` is not excluded::

        q(i) = (c_h(i) + kappa p(i)) / (sum of c_h + kappa),   kappa = 10

    ``c_h(i)``: events of ``i`` strictly before the cut, one that was ``a`` before it counts ``2^(-a / half_life)``.
    ``p(i)``: the share of ``i`` in all events before the cut, where an item without one has one. So nothing at or
    after ``t`` is known, every item can be drawn, and before the first event all are alike. It is
    :meth:`negsample.data.known.Known.shares` as of the cut. Weights are integers, of a total of about 2^40 a cut, so
    that a probability is off by at most ``(1 + V q) / 2^40``; ``log_q`` is of these weights, exactly.

    The weights are made when they are first drawn from: one pass over the train events, and 16 bytes for each item
    and cut, at most 1 GiB. More than 168,000 items have fewer cuts, and 3.3 million are refused.

    Args:
        known: the events, by item and by time; None where only shapes are asked for.
        events: how many of them, the earliest, are train.
        k: K, draws with replacement.
        half_life: days, above 0.
        per: who shares them: ``position``, each as of its target's time, or ``sequence``, as of that of its first
            target, so that for none of its targets anything later is known.
    """

    def __init__(self, known: Known | None, events: int, k: int, *, half_life: float, per: Per = "sequence") -> None:
        check_draws(k, per)
        if per == "batch":
            raise ValueError(
                "recent popularity is as of the time of a target, which a batch does not have: got draws per batch; "
                "take sequence or position"
            )
        if not (math.isfinite(half_life) and half_life > 0):
            raise ValueError(f"half_life must be a number of days above 0, got {half_life}")
        self.k, self.per = k, per
        self._known, self._events, self._half_life = known, events, half_life * _DAY
        if known is not None:
            self._check(known.catalogue_size)

    def _check(self, items: int) -> None:
        if self._events < 1:
            raise ValueError("recent popularity needs at least one train event, got none")
        self._width = items + 1
        self._cuts = min(CUTS, MEMORY // (_BYTES * self._width))
        if self._cuts < LEAST:
            raise ValueError(
                f"recent popularity of {items:,} items takes {_BYTES * LEAST * self._width / 2**30:.1f} GiB as of "
                f"{LEAST} times, and may take {MEMORY / 2**30:.0f}; take popularity, or a log with fewer items"
            )

    sample = draw_with_log_q

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """(B, K) or (T, K) ids; a :class:`~negsample.errors.InputError` where the batch has no times."""
        rows, line = self._rows(batch, self.per, None), self._line
        starts_R, totals_R = self._stretch(rows.cuts_R)
        out = rows.out_of, line.before(rows.out) - starts_R[rows.out_of], line.weight(rows.out)
        uniform_NK = uniform(rng, [len(rows.of_N), self.k], batch.device)
        points_NK, left_N1 = points_outside(*out, totals_R, _TOTAL, rows.of_N, uniform_NK)
        at = (points_NK + starts_R[rows.of_N].unsqueeze(1)).clamp_(0, line.total - 1)
        ids = line.locate(at) - (rows.cuts_R[rows.of_N] * self._width).unsqueeze(1)
        return Negatives(torch.where(left_N1 > 0, ids, 0))

    def log_prob(self, ids: Tensor, batch: Batch, *, per: Per, rows: Tensor | None = None) -> Tensor:
        """See :class:`~negsample.samplers.base.Sampler`; per sequence or position, and not coarser than the draws."""
        found, line = self._rows(batch, per, rows), self._line
        _, totals_R = self._stretch(found.cuts_R)
        left_R = totals_R.index_add(0, found.out_of, -line.weight(found.out))
        ids_NK = ids.expand(len(found.of_N), -1)
        weight_NK = line.weight(ids_NK + (found.cuts_R[found.of_N] * self._width).unsqueeze(1))
        log_q_NK = log_share(weight_NK, left_R[found.of_N].unsqueeze(1))
        return log_q_NK.masked_fill_(excluded(ids_NK, batch, per, rows), -math.inf)

    def _rows(self, batch: Batch, per: Per, rows: Tensor | None) -> _Rows:
        sequences_N, cuts_N = rows_of(batch, per, rows), self._cuts_of(batch, per, rows)
        if not excludes(batch, per):
            none = cuts_N[:0]
            return _Rows(cuts_N, torch.arange(len(cuts_N), device=batch.device), none, none)
        if batch.exclude == "target":
            each = torch.arange(len(cuts_N), device=batch.device)
            return _Rows(cuts_N, each, each, cuts_N * self._width + taken(batch.targets_T, rows))
        pairs_R, of_N = torch.unique(sequences_N * self._cuts + cuts_N, return_inverse=True)
        sequences_R, cuts_R = pairs_R // self._cuts, pairs_R % self._cuts
        of_key, items = split_keys(batch)
        first = torch.searchsorted(of_key, torch.arange(batch.sequences + 1, device=batch.device))
        had_R = first.diff()[sequences_R]
        out_of = torch.repeat_interleave(had_R)
        within = torch.arange(len(out_of), device=batch.device) - (had_R.cumsum(0) - had_R)[out_of]
        return _Rows(cuts_R, of_N, out_of, cuts_R[out_of] * self._width + items[first[sequences_R][out_of] + within])

    def _cuts_of(self, batch: Batch, per: Per, rows: Tensor | None) -> Tensor:
        """(N,) the cut of each row of draws."""
        if batch.times_T is None:
            raise InputError(
                "recent negatives need the time of each target, which this batch does not have (a padded batch has "
                "none); take batches of a dataset, or another sampler"
            )
        if per == "batch" or (per, self.per) == ("sequence", "position"):
            raise ValueError(f"draws per {self.per} as of a time have no probability per {per}")
        self._times = self._times.to(batch.device)
        cuts_T = torch.searchsorted(self._times, batch.times_T, right=True).sub_(1).clamp_(min=0)
        if self.per == "position":
            return taken(cuts_T, rows)
        first_B = upload(torch.from_numpy(batch.target_offsets[:-1]), batch.device)
        return cuts_T.index_select(0, first_B)[rows_of(batch, per, rows)]

    def _stretch(self, cuts: Tensor) -> tuple[Tensor, Tensor]:
        """Where the line of each cut begins, and how long it is."""
        start = self._line.before(cuts * self._width)
        return start, self._line.before((cuts + 1) * self._width) - start

    @cached_property
    def _times(self) -> Tensor:
        """(C,) of the cuts, ascending."""
        if self._known is None:
            raise InputError("recent negatives need the times of the events; make the catalogue by catalogue_of")
        at = np.arange(self._cuts) * self._events // self._cuts
        return torch.from_numpy(np.unique(np.asarray(self._known.by_time_times[at])))

    @cached_property
    def _line(self) -> Categorical:
        """Item ``i`` as of cut ``c`` is the id ``c (V + 1) + i`` of it: one line for all cuts."""
        times = self._times.cpu().numpy()
        assert self._known is not None
        weights = torch.empty(len(times), self._width, dtype=torch.int64)
        for cut, (shares,) in enumerate(shares_as_of(self._known, times, self._half_life)):
            weights[cut] = scaled(torch.from_numpy(shares), _TOTAL)
        return Categorical(weights.view(-1))


class _Rows(NamedTuple):
    """N rows of draws from R lines, each of a cut and without what is excluded there.

    ``cuts_R``: the cut of each line; ``of_N``: the line of each row; ``out_of``: the line of each excluded id,
    ascending; ``out``: the id, as ``Recent._line`` has it, ascending within a line.
    """

    cuts_R: Tensor
    of_N: Tensor
    out_of: Tensor
    out: Tensor


def shares_as_of(known: Known, times: Ints, *half_lives: float) -> Iterator[list[Floats]]:
    """Of each half-life (V + 1,) the shares of all items, as of each of ``times``, ascending; see :meth:`Known.shares`.

    All events are added up once, where ``known.shares`` would search for each item at each time.
    """
    counts, seen = np.zeros((len(half_lives), known.catalogue_size + 1)), np.zeros(known.catalogue_size + 1)
    start, before = 0, int(times[0])
    for time in times.tolist():
        stop = int(np.searchsorted(known.by_time_times, time, side="left"))
        for half_life, counts_V in zip(half_lives, counts, strict=True):
            oldest = max(time - NOTHING_LEFT * half_life, -(2.0**62))
            left = slice(max(start, int(np.searchsorted(known.by_time_times, int(oldest)))), stop)
            items, ages = known.by_time_items[left], time - known.by_time_times[left]
            with np.errstate(over="ignore"):  # of an age in half-lives: the event counts nothing
                counts_V *= np.exp2((before - time) / half_life)
                counts_V += np.bincount(items, np.exp2(-ages / half_life), len(counts_V))
        seen += np.bincount(known.by_time_items[start:stop], minlength=len(seen))
        share = np.maximum(seen, 1)
        share[0] = 0
        of_all_time = KAPPA * share / share.sum()
        yield [(counts_V + of_all_time) / (counts_V.sum() + KAPPA) for counts_V in counts]
        start, before = stop, time
