"""Item embeddings: one row an item, looked up once a step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from negsample.models import pages
from negsample.models.init import Init, fill, filled_part
from negsample.parallel.shards import Shards


class Rows(NamedTuple):
    """Vectors that are not looked up yet: those of ``matrix_ND`` at ``positions``, (..., D)."""

    matrix_ND: Tensor
    positions: Tensor

    def vectors(self) -> Tensor:
        """(..., D), looked up."""
        taken = self.matrix_ND.index_select(0, self.positions.reshape(-1))
        taken = taken.float() if taken.dtype == torch.bfloat16 else taken
        return taken.view(*self.positions.shape, self.matrix_ND.shape[1])


def looked_up(vectors: Tensor | Rows) -> Tensor:
    """``vectors``, looked up if they are not yet."""
    return vectors.vectors() if isinstance(vectors, Rows) else vectors


class RowOptimizer(Protocol):
    """What updates the rows of an :class:`ItemTable` by rows; see :mod:`negsample.optim`."""

    def fetch(self, ids_N: Tensor) -> Tensor:
        """(N, D) the rows of these distinct ids as they are now, float32, the leaves of this step's gradient."""


class ItemTable(nn.Module):
    """(V + 1, D) embeddings; row 0 is for id 0 and stays zero. Initial values are N(0, 0.02) for every catalogue size.

    (The reference's Glorot uniform shrinks with V: its deviation is 0.013 at 12 thousand items, 0.0004 at ten million.)

    Dense: one parameter, trained as such. By rows: a step touches no more than the rows of its batch. The distinct ones
    are gathered once, the step trains on that small matrix, and ``optimizer`` writes it back: time and traffic of a
    step do not know V. Nothing of such a table is a parameter, so no optimizer of PyTorch passes over it. A saved model
    of one kind is one of the other.

    Args:
        items: V.
        dim: D.
        rng: where the initial values come from, the same for either kind.
        by_rows: which kind it is.
        dtype: of the storage, float32, or bfloat16 by rows. What is computed with is float32 in either case.
        init: what the initial values are.
        shards: which rows are here, of a sharded one; the initial values are those of a whole one.

    Attributes:
        weight: (V + 1, D), or the rows that are here.
        optimizer: what updates rows (:class:`~negsample.optim.RowAdam`); None: they are only read, or dense.
    """

    weight: Tensor

    def __init__(
        self,
        items: int,
        dim: int,
        *,
        rng: torch.Generator,
        by_rows: bool = False,
        dtype: torch.dtype = torch.float32,
        init: Init = "normal",
        shards: Shards | None = None,
    ) -> None:
        super().__init__()
        if dtype != torch.float32 and not (by_rows and dtype == torch.bfloat16):
            raise ValueError(f"a table's dtype must be float32 or bfloat16, got {dtype}; bfloat16 is for one by rows")
        if shards is None:
            weight = fill(pages.empty((items + 1, dim), dtype), init, rng=rng)
        else:
            here = pages.empty((shards.stop - shards.start, dim), dtype)
            weight = filled_part(here, shards.start, items + 1, init, rng=rng)
        if shards is None or shards.start == 0:
            weight[0] = 0
        if by_rows:
            self.register_buffer("weight", weight)
        else:
            self.weight = nn.Parameter(weight)
        self.by_rows, self.shards, self._items = by_rows, shards, items
        self.optimizer: RowOptimizer | None = None

    @classmethod
    def stacked(cls, tables: Sequence[ItemTable]) -> ItemTable:
        """One table with the rows of all ``tables``, one after another, which become parts of it; all of one kind."""
        stack = cls.__new__(cls)
        nn.Module.__init__(stack)
        rows, dim = tables[0].weight.shape
        weight = pages.empty((len(tables) * rows, dim), tables[0].weight.dtype, device=tables[0].weight.device)
        for part, table in zip(torch.split(weight, rows), tables, strict=True):
            part.copy_(table.weight.detach())
            table.weight.data = part
        stack.by_rows, stack.shards, stack._items, stack.optimizer = tables[0].by_rows, None, len(weight) - 1, None
        if stack.by_rows:
            stack.register_buffer("weight", weight)
        else:
            stack.weight = nn.Parameter(weight)
        return stack

    @property
    def items(self) -> int:
        """V."""
        return self._items

    def lookup(self, *ids: Tensor) -> list[Tensor]:
        """The rows of each tensor of ids, (..., D), float32, through which a gradient finds its way back.

        Gathered in one go, so that a step has one scatter back. With an ``optimizer`` and gradients enabled they come
        from the batch's distinct rows, which its next step updates; by the sum of what comes back, where there are
        several lookups before it.
        """
        return apart(self._joined(ids).vectors(), ids)

    def rows(self, *ids: Tensor) -> list[Rows]:
        """The same, for callers that look them up piece by piece."""
        matrix_ND, positions = self._joined(ids)
        return [Rows(matrix_ND, each) for each in apart(positions, ids)]

    def block(self, start: int, stop: int) -> Tensor:
        """Rows of items ``start .. stop - 1``, without gradient, float32, or float64 where the table is."""
        weight = self.weight.detach()
        rows = weight[start:stop] if self.shards is None else self.shards.block(start, stop, weight)
        return rows.to(torch.promote_types(self.weight.dtype, torch.float32))

    def block_here(self, start: int, stop: int) -> Tensor:
        """The same of a sharded table, of items whose rows are all here."""
        assert self.shards is not None
        rows = self.weight.detach()[start - self.shards.start : stop - self.shards.start]
        return rows.to(torch.promote_types(self.weight.dtype, torch.float32))

    def _joined(self, ids: Sequence[Tensor]) -> Rows:
        """The rows of all ids, one after another."""
        flat = torch.cat([each.reshape(-1) for each in ids])
        if self.shards is not None:
            distinct, positions = distinct_ids(flat)
            return Rows(self.shards.fetch(distinct, self._here), positions)
        if self.optimizer is None or not torch.is_grad_enabled():
            return Rows(self.weight, flat)
        distinct, positions = distinct_ids(flat)
        return Rows(self.optimizer.fetch(distinct), positions)

    def _here(self, places_N: Tensor) -> Tensor:
        """(N, D) rows of the part that is here, as leaves of the gradient where one is wanted."""
        if self.optimizer is not None and torch.is_grad_enabled():
            return self.optimizer.fetch(places_N)
        return self.weight.index_select(0, places_N).float()


def apart(values: Tensor, ids: Sequence[Tensor]) -> list[Tensor]:
    """The ``values`` of all ids, one after another, in the shape of each tensor of ids."""
    parts = torch.split(values, [each.numel() for each in ids])
    return [part.view(*each.shape, *values.shape[1:]) for part, each in zip(parts, ids, strict=True)]


def table_for(
    items: int, dim: int, *, rng: torch.Generator, given: ItemTable | None, init: Init = "normal"
) -> ItemTable:
    """The table that was ``given``, once it is known to be (V + 1, D), or a new dense one.

    Raises:
        ValueError: it is of another size.
    """
    if given is None:
        return ItemTable(items, dim, rng=rng, init=init)
    if (given.items + 1, given.weight.shape[1]) != (items + 1, dim):
        raise ValueError(
            f"the table must be ({items + 1}, {dim}), items + 1 by dim, got {(given.items + 1, given.weight.shape[1])}"
        )
    return given


def distinct_ids(flat_N: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct ids, ascending, and where each of ``flat_N`` stands among them.

    On a GPU as many as there are ids, the rest filled with id 0, so that the CPU need not wait for their number.
    """
    if flat_N.device.type == "cpu":
        found = np.unique(flat_N.numpy(), return_inverse=True)
        return torch.from_numpy(found[0]), torch.from_numpy(found[1])
    return _distinct_by_sorting(flat_N)


def _distinct_by_sorting(flat_N: Tensor) -> tuple[Tensor, Tensor]:
    ascending, order = torch.sort(flat_N)
    positions = torch.zeros_like(ascending)
    positions[1:] = torch.cumsum(ascending[1:] != ascending[:-1], 0)
    distinct = torch.zeros_like(ascending).index_copy_(0, positions, ascending)
    return distinct, torch.empty_like(positions).index_copy_(0, order, positions)
