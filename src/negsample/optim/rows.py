"""The rows of a table that a step touches: looked up, their gradients gathered, and written back."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from negsample.batches.device import may_ask
from negsample.batches.streams import Chance, parts
from negsample.models.item_table import distinct_ids

Current = Callable[[Tensor], tuple[Tensor, tuple[Tensor, ...]]]
"""From distinct ids to their rows as they are now, (N, D), and what else the optimizer takes of them."""


class Lookup(NamedTuple):
    """N rows that were looked up together, or are to be updated together.

    ``rows_ND``: a leaf with a gradient. ``state``: what else the optimizer took of them. ``step``: after how many steps
    they were looked up: ``state`` is current for as long as there was no other.
    """

    ids_N: Tensor
    rows_ND: Tensor
    state: tuple[Tensor, ...]
    step: int


class Lookups:
    """Any number of lookups between two steps, of which there were ``steps``.

    A lookup is kept from when a gradient has come back to it, so that one whose loss was never computed, or whose step
    was broken off, takes no memory and changes nothing.
    """

    def __init__(self) -> None:
        self.steps = 0
        self._with_gradient: dict[int, Lookup] = {}

    def fetch(self, ids_N: Tensor, current: Current) -> Tensor:
        """The rows of ``ids_N`` as a leaf of the gradient, whose return is noticed."""
        rows_ND, state = current(ids_N)
        leaf_ND = rows_ND.requires_grad_()
        returned = partial(self._came_back, ids_N, state, self.steps)
        leaf_ND.register_post_accumulate_grad_hook(returned)  # type: ignore[no-untyped-call]
        return leaf_ND

    def _came_back(self, ids_N: Tensor, state: tuple[Tensor, ...], step: int, leaf_ND: Tensor) -> None:
        self._with_gradient[id(leaf_ND)] = Lookup(ids_N, leaf_ND, state, step)

    def forget(self) -> None:
        """The gradients that came back so far."""
        for each in self._with_gradient.values():
            each.rows_ND.grad = None
        self._with_gradient.clear()

    def take(self, current: Current) -> tuple[Lookup, Tensor] | None:
        """A step: all rows that a gradient came back to, each once, and the sum of what came back; they are forgotten.

        None, and no step, where nothing came back.
        """
        found = self._with_gradient.values()
        taken = [(each, gradient) for each in found if (gradient := each.rows_ND.grad) is not None]
        self.forget()
        if not taken:
            return None
        (lookup, gradient), *others = taken
        if others or lookup.step != self.steps:
            ids_N, positions = distinct_ids(torch.cat([each.ids_N for each, _ in taken]))
            gradients = torch.cat([gradient for _, gradient in taken])
            gradient = gradients.new_zeros(len(ids_N), gradients.shape[1]).index_add_(0, positions, gradients)
            lookup = Lookup(ids_N, *current(ids_N), self.steps)
        self.steps += 1
        return lookup._replace(rows_ND=lookup.rows_ND.detach()), gradient


class RowWriter:
    """Writes float32 rows into ``weight``, float32 or bfloat16; into the latter with stochastic rounding by ``rng``.

    A table of several models has equally many rows of each, and a generator for each. On a GPU, which would have to be
    asked which rows are whose, the first is all models'.
    """

    def __init__(self, weight: Tensor, rng: Chance | None) -> None:
        if weight.dtype == torch.bfloat16 and rng is None:
            raise ValueError("a bfloat16 table is rounded stochastically; hand a generator as rng")
        self._weight, self._rng = weight, rng

    def __call__(self, ids_N: Tensor, rows_ND: Tensor) -> None:
        """Row ``ids_N[n]`` becomes ``rows_ND[n]``."""
        if self._weight.dtype == torch.bfloat16:
            # It is the upper half of float32: add random bits to the lower half, and cut it off.
            bits = rows_ND.view(torch.int32)
            random_bits = torch.empty_like(bits)
            for rng, part in self._parts(ids_N, random_bits):
                part.random_(1 << 16, generator=rng)
            rows_ND = ((bits + random_bits) & -(1 << 16)).view(torch.float32).bfloat16()
        write_rows(self._weight, ids_N, rows_ND)

    def _parts(self, ids_N: Tensor, values_ND: Tensor) -> Iterable[tuple[torch.Generator, Tensor]]:
        assert self._rng is not None
        if isinstance(self._rng, torch.Generator) or not may_ask(ids_N.device):
            return [(self._rng if isinstance(self._rng, torch.Generator) else self._rng.rngs[0], values_ND)]
        models = len(self._rng.rngs)
        ends = np.arange(models + 1) * (len(self._weight) // models)
        return parts(self._rng, values_ND, np.searchsorted(ids_N.numpy(), ends).tolist())


def write_rows(table_VD: Tensor, ids_N: Tensor, rows_ND: Tensor) -> None:
    """Write rows; sixteen bytes at a time where a row is a multiple of that, which PyTorch's copy does faster."""
    if table_VD.shape[1] * table_VD.element_size() % 16 == 0:
        table_VD, rows_ND = table_VD.view(torch.complex128), rows_ND.view(torch.complex128)
    table_VD.index_copy_(0, ids_N, rows_ND)
