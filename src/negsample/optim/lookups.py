"""What was looked up since the last step, and the gradients that came back to it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from negsample.models.item_table import distinct_ids


class Lookup(NamedTuple):
    """N rows that were looked up together: their ids, their values, and what else the rule took of them.

    ``rows_ND``: a leaf with a gradient. ``step``: after how many steps they were looked up: what was taken is as it is
    now for as long as there was no other.
    """

    ids_N: Tensor
    rows_ND: Tensor
    state: tuple[Tensor, ...]
    step: int


class Lookups:
    """Any number of lookups between two steps.

    A lookup is held from when a gradient has come back to it, so that one whose loss was never computed, or whose step
    was broken off, holds no memory and changes nothing.
    """

    def __init__(self) -> None:
        self._learned: dict[int, Lookup] = {}

    def leaf(self, ids_N: Tensor, rows_ND: Tensor, state: tuple[Tensor, ...], step: int) -> Tensor:
        """``rows_ND`` as a leaf of the gradient, whose return is noticed."""
        leaf_ND = rows_ND.requires_grad_()
        returned = partial(self._came_back, ids_N, state, step)
        leaf_ND.register_post_accumulate_grad_hook(returned)  # type: ignore[no-untyped-call]
        return leaf_ND

    def _came_back(self, ids_N: Tensor, state: tuple[Tensor, ...], step: int, leaf_ND: Tensor) -> None:
        self._learned[id(leaf_ND)] = Lookup(ids_N, leaf_ND, state, step)

    def forget(self) -> None:
        """The gradients that came back so far."""
        for each in self._learned.values():
            each.rows_ND.grad = None
        self._learned.clear()

    def take(self) -> list[tuple[Lookup, Tensor]]:
        """The lookups that a gradient came back to, each with it; they are forgotten."""
        taken = [(each, gradient) for each in self._learned.values() if (gradient := each.rows_ND.grad) is not None]
        self.forget()
        return taken


def summed(taken: Sequence[tuple[Lookup, Tensor]]) -> tuple[Tensor, Tensor]:
    """The distinct ids of several lookups, and the sum of the gradients of each."""
    ids_N, positions = distinct_ids(torch.cat([lookup.ids_N for lookup, _ in taken]))
    gradients = torch.cat([gradient for _, gradient in taken])
    return ids_N, gradients.new_zeros(len(ids_N), gradients.shape[1]).index_add_(0, positions, gradients)
