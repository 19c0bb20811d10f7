"""Item embeddings: one row an item, looked up once a step."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from negsample.models import pages
from negsample.models.init import Init, fill


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


class ItemTable(Protocol):
    """What a model, its training and its evaluation need of the items' embeddings."""

    @property
    def weight(self) -> Tensor:
        """(V + 1, D), row 0 for id 0: zero."""
        ...

    @property
    def items(self) -> int:
        """V."""
        ...

    def lookup(self, *ids: Tensor) -> list[Tensor]:
        """The rows of each tensor of ids, (..., D), through which a gradient finds its way back."""
        ...

    def rows(self, *ids: Tensor) -> list[Rows]:
        """The same, for callers that look them up piece by piece."""
        ...

    def block(self, start: int, stop: int) -> Tensor:
        """Rows of items ``start .. stop - 1``, without gradient."""
        ...


class RowOptimizer(Protocol):
    """What updates the rows of a :class:`RowsTable`; see :mod:`negsample.optim`."""

    def fetch(self, ids_N: Tensor) -> Tensor:
        """(N, D) the rows of these distinct ids as they are now, float32, the leaves of this step's gradient."""
        ...


class DenseTable(nn.Module):
    """(V + 1, D) embeddings, trained as one dense parameter; row 0 is for id 0 and stays zero.

    Initialised from N(0, 0.02), the same for every catalogue size. (The reference's Glorot uniform shrinks with V:
    its deviation is 0.013 at 12 thousand items, 0.0004 at ten million.)

    Args:
        items: V.
        dim: D.
        rng: where the initial values come from.
        init: what they are.
    """

    def __init__(self, items: int, dim: int, *, rng: torch.Generator, init: Init = "normal") -> None:
        super().__init__()
        self.weight = nn.Parameter(_initial(items, dim, torch.float32, rng, init))

    @property
    def items(self) -> int:
        """V."""
        return len(self.weight) - 1

    def lookup(self, *ids: Tensor) -> list[Tensor]:
        """The rows of each tensor of ids, (..., D); gathered in one go, so that a step has one scatter back."""
        return _shared_out(self.weight, _flat(ids), ids)

    def rows(self, *ids: Tensor) -> list[Rows]:
        """See :class:`ItemTable`."""
        return [Rows(self.weight, each) for each in ids]

    def block(self, start: int, stop: int) -> Tensor:
        """Rows of items ``start .. stop - 1``, without gradient."""
        return self.weight.detach()[start:stop]


class RowsTable(nn.Module):
    """(V + 1, D) embeddings of which a step touches no more than the rows of its batch; row 0 stays zero.

    The batch's distinct rows are gathered once, the step trains on that small matrix, and ``optimizer`` writes it back:
    time and traffic of a step do not know V. Nothing of the table is a parameter, so no optimiser of PyTorch passes
    over it. The same initial values and names in ``state_dict`` as :class:`DenseTable`: a saved model of one is one
    of the other.

    Args:
        items: V.
        dim: D.
        rng: where the initial values come from.
        dtype: of the storage, float32 or bfloat16. What is computed with is float32 in either case.
        init: what the initial values are.

    Attributes:
        optimizer: what updates rows (:class:`~negsample.optim.RowAdam`); None: they are only read.
    """

    weight: Tensor

    def __init__(
        self,
        items: int,
        dim: int,
        *,
        rng: torch.Generator,
        dtype: torch.dtype = torch.float32,
        init: Init = "normal",
    ) -> None:
        super().__init__()
        if dtype not in (torch.float32, torch.bfloat16):
            raise ValueError(f"a table's dtype must be float32 or bfloat16, got {dtype}")
        self.register_buffer("weight", _initial(items, dim, dtype, rng, init))
        self.optimizer: RowOptimizer | None = None

    @property
    def items(self) -> int:
        """V."""
        return len(self.weight) - 1

    def lookup(self, *ids: Tensor) -> list[Tensor]:
        """The rows of each tensor of ids, (..., D), float32.

        With an optimizer and gradients enabled they come from the batch's distinct rows, which its next step updates;
        by the sum of what comes back, where there are several lookups before it.
        """
        flat = _flat(ids)
        if self.optimizer is None or not torch.is_grad_enabled():
            return _shared_out(self.weight, flat, ids)
        distinct, positions = distinct_ids(flat)
        return _shared_out(self.optimizer.fetch(distinct), positions, ids)

    def rows(self, *ids: Tensor) -> list[Rows]:
        """See :class:`ItemTable`; of the batch's distinct rows, where these are updated."""
        if self.optimizer is None or not torch.is_grad_enabled():
            return [Rows(self.weight, each) for each in ids]
        distinct, positions = distinct_ids(_flat(ids))
        matrix = self.optimizer.fetch(distinct)
        parts = torch.split(positions, [each.numel() for each in ids])
        return [Rows(matrix, part.view(each.shape)) for part, each in zip(parts, ids, strict=True)]

    def block(self, start: int, stop: int) -> Tensor:
        """Rows of items ``start .. stop - 1``, without gradient, float32."""
        return self.weight[start:stop].float()


def table_for(
    items: int, dim: int, *, rng: torch.Generator, given: DenseTable | RowsTable | None, init: Init = "normal"
) -> DenseTable | RowsTable:
    """The table that was ``given``, once it is known to be (V + 1, D), or a new dense one.

    Raises:
        ValueError: it is of another size.
    """
    if given is None:
        return DenseTable(items, dim, rng=rng, init=init)
    if given.weight.shape != (items + 1, dim):
        raise ValueError(f"the table must be ({items + 1}, {dim}), items + 1 by dim, got {tuple(given.weight.shape)}")
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


def _initial(items: int, dim: int, dtype: torch.dtype, rng: torch.Generator, init: Init) -> Tensor:
    weight = fill(pages.empty((items + 1, dim), dtype), init, rng=rng)
    weight[0] = 0
    return weight


def _flat(ids: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([each.reshape(-1) for each in ids])


def _shared_out(rows_ND: Tensor, positions: Tensor, ids: tuple[Tensor, ...]) -> list[Tensor]:
    """``rows_ND`` at ``positions`` (of all ids, one after another), in the shape of each tensor of ids."""
    taken = rows_ND.index_select(0, positions)
    if taken.dtype == torch.bfloat16:
        taken = taken.float()
    parts = torch.split(taken, [each.numel() for each in ids])
    return [part.view(*each.shape, rows_ND.shape[1]) for part, each in zip(parts, ids, strict=True)]
