"""Rows of a table divided over processes: which one holds which, and how the others get them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from negsample.errors import InputError
from negsample.parallel.processes import Processes

BLOCK = 1 << 16
"""Rows that are read or written at once where all of them are."""


class Shards:
    """The rows ``0 .. rows - 1`` of a table over ``processes``: equally many consecutive ones in each, but the last.

    (As ``torch.chunk`` divides them, and so a ``DTensor`` with ``Shard(0)``.)

    Args:
        rows: V + 1.
        processes: of the training.

    Attributes:
        start, stop: rows ``start .. stop - 1`` are here.

    Raises:
        InputError: a process would have none.
    """

    def __init__(self, rows: int, processes: Processes) -> None:
        self.rows, self.processes = rows, processes
        self._each = -(-rows // processes.size)
        if self._each * (processes.size - 1) >= rows:
            raise InputError(
                f"{rows - 1:,} items cannot be divided over {processes.size} processes, each with {self._each} rows; "
                f"start {-(-rows // self._each)}"
            )
        self.start = self._each * processes.rank
        self.stop = min(self.start + self._each, rows)

    def fetch(self, ids_N: Tensor, rows_here: Callable[[Tensor], Tensor]) -> Tensor:
        """(N, D) the rows of ``ids_N``, from the processes that hold them, in one exchange; every process asks.

        ``rows_here``: from distinct places in the part that is here, ascending, to their rows. A gradient of what comes
        back finds its way to them, as the sum over all that asked, in one exchange more.
        """
        owner_N = torch.div(ids_N, self._each, rounding_mode="floor")
        order_N = torch.argsort(owner_N, stable=True)
        send = torch.bincount(owner_N, minlength=self.processes.size)
        sent, received = send.tolist(), self.processes.received_sizes(send)
        asked = self.processes.exchanged(ids_N.index_select(0, order_N), sent, received)
        distinct, places = torch.unique(asked - self.start, return_inverse=True)
        answers = rows_here(distinct).index_select(0, places)
        rows_ND: Tensor = _Exchange.apply(answers, self.processes, received, sent)  # type: ignore[no-untyped-call]
        return rows_ND.index_select(0, torch.argsort(order_N))

    def owners(self, start: int, stop: int) -> range:
        """The processes that have rows ``start .. stop - 1``."""
        return range(start // self._each, (stop - 1) // self._each + 1)

    def block(self, start: int, stop: int, here: Tensor) -> Tensor:
        """Rows ``start .. stop - 1``, of which each process sends those that it has ``here``, (rows here, D)."""
        parts = []
        for owner in self.owners(start, stop):
            first, last = max(start, owner * self._each), min(stop, (owner + 1) * self._each)
            if owner == self.processes.rank:
                part = here[first - self.start : last - self.start].contiguous()
            else:
                part = here.new_empty(last - first, *here.shape[1:])
            parts.append(self.processes.from_one(part, owner))
        return torch.cat(parts) if parts else here[:0]


class _Exchange(torch.autograd.Function):
    """Rows go to those that asked for them, and their gradients come back."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, processes: Processes, send: list[int], receive: list[int]) -> Tensor:
        ctx.back = processes, receive, send
        return processes.exchanged(rows, send, receive)

    @staticmethod
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor, None, None, None]:
        processes, send, receive = ctx.back
        return processes.exchanged(gradients, send, receive), None, None, None
