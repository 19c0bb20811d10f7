"""What was looked up since the last step, and the gradients that came back to it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

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
    """Any number of lookups between two steps.

    A lookup is kept from when a gradient has come back to it, so that one whose loss was never computed, or whose step
    was broken off, takes no memory and changes nothing.
    """

    def __init__(self) -> None:
        self._with_gradient: dict[int, Lookup] = {}

    def fetch(self, ids_N: Tensor, current: Current, step: int) -> Tensor:
        """The rows of ``ids_N`` as a leaf of the gradient, whose return is noticed."""
        rows_ND, state = current(ids_N)
        leaf_ND = rows_ND.requires_grad_()
        returned = partial(self._came_back, ids_N, state, step)
        leaf_ND.register_post_accumulate_grad_hook(returned)  # type: ignore[no-untyped-call]
        return leaf_ND

    def _came_back(self, ids_N: Tensor, state: tuple[Tensor, ...], step: int, leaf_ND: Tensor) -> None:
        self._with_gradient[id(leaf_ND)] = Lookup(ids_N, leaf_ND, state, step)

    def forget(self) -> None:
        """The gradients that came back so far."""
        for each in self._with_gradient.values():
            each.rows_ND.grad = None
        self._with_gradient.clear()

    def take(self, current: Current, step: int) -> tuple[Lookup, Tensor] | None:
        """All rows that a gradient came back to, each once, and the sum of what came back; they are forgotten.

        None where nothing came back.
        """
        found = self._with_gradient.values()
        taken = [(each, gradient) for each in found if (gradient := each.rows_ND.grad) is not None]
        self.forget()
        if not taken:
            return None
        (lookup, gradient), *others = taken
        if others or lookup.step != step:
            ids_N, gradient = _summed(taken)
            return Lookup(ids_N, *current(ids_N), step), gradient
        return lookup._replace(rows_ND=lookup.rows_ND.detach()), gradient


def _summed(taken: Sequence[tuple[Lookup, Tensor]]) -> tuple[Tensor, Tensor]:
    """The distinct ids of several lookups, and the sum of the gradients of each."""
    ids_N, positions = distinct_ids(torch.cat([lookup.ids_N for lookup, _ in taken]))
    gradients = torch.cat([gradient for _, gradient in taken])
    return ids_N, gradients.new_zeros(len(ids_N), gradients.shape[1]).index_add_(0, positions, gradients)
