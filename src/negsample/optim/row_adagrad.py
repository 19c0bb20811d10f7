"""Row-wise Adagrad: the least memory to train a large table with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from negsample.batches.streams import Chance
from negsample.models.item_table import ItemTable
from negsample.optim.dense import EPS
from negsample.optim.rows import Lookups, RowWriter


class RowAdagrad:
    """Row-wise Adagrad: one number of state a row, the sum of its mean squared gradients.

    ``G_i += mean_d g_id^2``, ``w_i -= lr g_i / (sqrt(G_i) + eps)`` (Naumov et al., 2019, DLRM; FBGEMM's exact row-wise
    Adagrad). With a bfloat16 table it is the least memory to train with: 2 bytes a value and 4 a row.

    Args:
        table: by rows, which are updated; it becomes the table's ``optimizer``.
        lr: the learning rate, usually larger than Adam's.
        rng: as for :class:`~negsample.optim.RowAdam`.
    """

    def __init__(self, table: ItemTable, *, lr: float, rng: Chance | None = None) -> None:
        self.table, self.lr = table, lr
        self._write = RowWriter(table.weight, rng)
        self._sums = torch.zeros(len(table.weight), device=table.weight.device)
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
        (ids, rows, _, _), gradient = taken
        sums = self._sums.index_select(0, ids).add_(gradient.square().mean(1))
        self._sums.index_copy_(0, ids, sums)
        self._write(ids, rows.addcdiv_(gradient, sums.sqrt_().add_(EPS).unsqueeze(1), value=-self.lr))

    @torch.no_grad()
    def _current(self, ids_N: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        return self.table.weight.index_select(0, ids_N).float(), ()

    def state_dict(self) -> dict[str, Any]:
        """What has been gathered so far."""
        return {"sums": self._sums}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from ``state``, of an optimizer of the same table."""
        self._sums.copy_(state["sums"])

    def apply_deferred(self) -> None:
        """Nothing: no update is deferred."""
