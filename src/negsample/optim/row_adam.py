"""Adam over a large table, of which a step updates the rows that it touches and defers the rest."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from negsample.batches.streams import Chance
from negsample.models import pages
from negsample.models.item_table import ItemTable
from negsample.optim.dense import BETAS, EPS, adam_step
from negsample.optim.rows import Lookups, RowWriter, write_rows

_TINY = 1e-30  # added before a root is taken: that of 0 takes a processor five times as long
_GONE = 1e-20  # what has decayed so far is 0: products of less would be denormal, which take many times as long
_NEGLIGIBLE = 1e-9  # of what is deferred of a row, relative to a step
_BLOCK = 1 << 14  # rows caught up at once: what is made of them stays in a cache


class RowAdam:
    """Adam (Kingma & Ba, ICLR'15) over a whole table, at the price of the rows that a step touches.

    Dense Adam goes on moving a row for a while after its last gradient, and its moments decay. Here a row that is
    not touched is left alone, and when it is next needed it is *caught up*: with ``r = beta1 / sqrt(beta2)``, ``n``
    steps without gradient after step ``t0`` move it by ``lr m / sqrt(v) sum_j r^j c(t0 + j)``, ``j = 1 .. n``, where
    ``c(t) = sqrt(1 - beta2^t) / (1 - beta1^t)`` corrects the bias; the moments decay by ``beta^n``. So the values are
    those of dense Adam, but for rounding and for ``eps``, which is taken as if it shrank with ``sqrt(v)``. (PyTorch's
    SparseAdam, and "lazy" Adam elsewhere, skip these updates and compute something else.)

    State: 8 bytes a value of the table, and 4 a row.

    Args:
        table: by rows, which are updated; it becomes the table's ``optimizer``.
        lr: the learning rate.
        rng: for the rounding of a bfloat16 table, on its device: up or down at random, right in the mean. To the
            nearest, steps below 1/256 of a value would be lost.

    Raises:
        ValueError: a bfloat16 table comes without ``rng``.
    """

    def __init__(self, table: ItemTable, *, lr: float, rng: Chance | None = None) -> None:
        self.table, self.lr = table, lr
        self._write = RowWriter(table.weight, rng)
        device = table.weight.device
        # Written once here: memory that the first steps touch first costs them more than all else they do.
        self._first = pages.empty(table.weight.shape, device=device).zero_()
        self._second = pages.empty(table.weight.shape, device=device).zero_()
        self._touched_at = torch.zeros(len(table.weight), dtype=torch.int32, device=device)
        self._steps_there = torch.zeros((), device=device)
        self._ratio = BETAS[0] / math.sqrt(BETAS[1])  # below 1: the series has an end
        reach = 1 if BETAS[0] == 0 else math.ceil(math.log(_NEGLIGIBLE) / math.log(self._ratio))
        self._powers = self._ratio ** torch.arange(reach, 0, -1, device=device, dtype=torch.float64)
        # By step t0: the updates deferred of a row touched last at t0, since the last `apply_deferred`.
        self._deferred = torch.zeros(1024, device=device)
        self._lookups = Lookups()
        table.optimizer = self

    def fetch(self, ids_N: Tensor) -> Tensor:
        """See :class:`negsample.models.item_table.RowOptimizer`."""
        return self._lookups.fetch(ids_N, self._current)

    def zero_grad(self) -> None:
        """Forget the gradients that came back since the last step."""
        self._lookups.forget()

    @torch.no_grad()
    def step(self) -> None:
        """Update all rows that a gradient came back to since the last step, by the sum of what came back to each."""
        taken = self._lookups.take(self._current)
        if taken is None:
            return
        (ids, rows, (first, second), _), gradient = taken
        adam_step([rows], [first], [second], [self._steps_there], [gradient], lr=self.lr)
        self._write(ids, rows)
        write_rows(self._first, ids, first)
        write_rows(self._second, ids, second)
        self._touched_at.index_fill_(0, ids, self._lookups.steps)
        self._defer_updates()

    def state_dict(self) -> dict[str, Any]:
        """What has been gathered so far, of an optimizer that is between steps."""
        return {
            "first": self._first,
            "second": self._second,
            "touched_at": self._touched_at,
            "deferred": self._deferred,
            "steps": self._lookups.steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``, of an optimizer of the same table."""
        self._first.copy_(state["first"])
        self._second.copy_(state["second"])
        self._touched_at.copy_(state["touched_at"])
        self._deferred = state["deferred"].to(self._deferred.device, copy=True)
        self._lookups.steps = state["steps"]
        self._steps_there.fill_(state["steps"])

    @torch.no_grad()
    def apply_deferred(self) -> None:
        """Catch up every row, so that the table can be read: before it is measured, copied or saved."""
        for start in range(0, len(self._touched_at), _BLOCK):
            touched_at = self._touched_at[start : start + _BLOCK].long()
            some = torch.nonzero((self._deferred[touched_at] > _NEGLIGIBLE) & (touched_at > 0)).squeeze(1)
            ids = some + start
            first, second = self._first.index_select(0, ids), self._second.index_select(0, ids)
            self._write(ids, self._caught_up(ids, first, second, touched_at.index_select(0, some)))
        self._deferred.zero_()

    @torch.no_grad()
    def _current(self, ids_N: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The rows as they are now, and their moments."""
        first, second = self._first.index_select(0, ids_N), self._second.index_select(0, ids_N)
        touched_at = self._touched_at.index_select(0, ids_N).long()
        rows = self._caught_up(ids_N, first, second, touched_at)
        rested = (self._lookups.steps - touched_at).unsqueeze(1)
        return rows, (first.mul_(_decay(BETAS[0], rested)), second.mul_(_decay(BETAS[1], rested)))

    def _caught_up(self, ids_N: Tensor, first_ND: Tensor, second_ND: Tensor, touched_at_N: Tensor) -> Tensor:
        rows = self.table.weight.index_select(0, ids_N).float()
        deferred = self._deferred.index_select(0, touched_at_N).unsqueeze(1)
        # eps matters where gradients are tiny. Its share of the divisor grows while a row rests, and grows or shrinks
        # with the bias correction: taken as it is in the middle of what moves the row.
        middle = ((self._lookups.steps - touched_at_N + 1) / 2).clamp_(max=1 / (1 - self._ratio)).unsqueeze(1)
        decay = BETAS[1]
        unbiased = (1 - torch.pow(decay, touched_at_N.unsqueeze(1) + middle)).sqrt_()
        eps = unbiased.mul_(torch.pow(decay, -middle / 2)).mul_(EPS)
        return rows.addcdiv_(first_ND * deferred, (second_ND + _TINY).sqrt_().add_(eps), value=-self.lr)

    def _defer_updates(self) -> None:
        """What the step just made would have moved the rows that it did not touch."""
        now = self._lookups.steps
        if now == len(self._deferred):
            self._deferred = torch.cat([self._deferred, torch.zeros_like(self._deferred)])
        unbiased = math.sqrt(1 - BETAS[1] ** now) / (1 - BETAS[0] ** now)
        reach = min(now, len(self._powers))
        self._deferred[now - reach : now] += self._powers[-reach:] * unbiased


def _decay(beta: float, steps: Tensor) -> Tensor:
    """``beta ** steps``, and 0 where next to nothing is left."""
    powers = torch.pow(beta, steps)
    return powers.masked_fill_(powers < _GONE, 0)
