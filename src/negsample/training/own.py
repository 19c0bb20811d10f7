"""What the users of a batch had before its targets' times: own items, and the scores of all of them as negatives."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.packed import upload
from negsample.data.blocks import spans
from negsample.data.dataset import Dataset
from negsample.models.terms import COUNTS, LENGTHS, SINCE

Ints = NDArray[np.int64]
LOWEST = -1e30  # in the place of a logsumexp of nothing
CELLS = 1 << 13
"""Products of targets and own items of a block: with more of them small sequences would be multiplied with each other
for longer than a block takes to begin."""


class Block(NamedTuple):
    """Where what is of some sequences lies: targets, groups (each the targets of one sequence and time), own items (each
    what a user had before the last group), and the cells that all the groups have with all the own items."""

    targets: slice
    groups: slice
    items: slice
    cells: slice


def blocks_of(targets: Ints, groups: Ints, items: Ints) -> list[Block]:
    """Sequences that follow each other, as many at a time as have ``CELLS``, or one; none without own items. (B + 1,)
    where each has its own."""
    ends = [0]
    for sequence in range(1, len(items)):
        products = (targets[sequence] - targets[ends[-1]]) * (items[sequence] - items[ends[-1]])
        if products > CELLS and sequence - 1 > ends[-1]:
            ends.append(sequence - 1)
    at = np.array([*ends, len(items) - 1])
    cells = np.append(0, np.cumsum(np.diff(groups[at]) * np.diff(items[at])))
    bounds = (pairwise(each.tolist()) for each in (targets[at], groups[at], items[at], cells))
    found = [Block(*(slice(*of) for of in each)) for each in zip(*bounds, strict=True)]
    return [each for each in found if each.items.start < each.items.stop]


class OwnItems(NamedTuple):
    """What the users of a batch's B sequences had: M own items, by sequence, then by item.

    Attributes:
        key_M1: ``sequence * (V + 1) + item`` of each, ascending; and one above all.
        item_M: of each.
        first_M1: the first group that knows it; and of one more: after all groups.
        cell_G: the cell of a group and an own item is this and the number of the item.
        cell_E: of each group and own item that it knows.
        bin_E: what it knows; see :meth:`~negsample.models.terms.TermWeights.own_table`.
        pair_E: its pair and own item among X.
        at_X: the place of each pair and own item of a sequence among the features of all items as of all cuts.
        blocks: of all sequences.
        offsets: (B + 1,) where those of each sequence begin.
    """

    key_M1: Tensor
    item_M: Tensor
    first_M1: Tensor
    cell_G: Tensor
    cell_E: Tensor
    bin_E: Tensor
    pair_E: Tensor
    at_X: Tensor
    blocks: list[Block]
    offsets: Ints

    def of_cells(self, values: Tensor, none: float) -> Tensor:
        """(C,) the values of E cells, and ``none`` for what a group does not know."""
        cells = self.blocks[-1].cells.stop if self.blocks else 0
        return values.new_full((cells,), none).index_copy(0, self.cell_E, values)

    def of_ids(self, values_M1: Tensor, ids: Tensor, sequence_N: Tensor, width: int) -> Tensor:
        """(N, K) of values of own items, that of each id to its row's sequence, the last one where it is none; ``ids``:
        (N, K), or (K,), the same for each row."""
        if ids.dim() == 2:
            keys = sequence_N[:, None] * width + ids
            at = torch.searchsorted(self.key_M1, keys)
            return torch.where(self.key_M1[at] == keys, values_M1[at], values_M1[-1])
        column_V = ids.new_full((width,), len(ids))
        column_V[ids] = torch.arange(len(ids), device=ids.device)  # one of them where an id is there twice
        found = values_M1[-1].repeat(len(sequence_N), len(ids) + 1)
        found[torch.div(self.key_M1[:-1], width, rounding_mode="floor"), column_V[self.item_M]] = values_M1[:-1]
        return found.index_select(1, column_V[ids])


def own_items(
    data: Dataset, users_B: Ints, times_G: Ints, pair_G: Ints, cut_Q: Ints, begins: tuple[Ints, Ints, Ints], device: torch.device
) -> OwnItems:
    """What users had before the times of groups, which ascend within a sequence.

    ``begins``: (B + 1,) where each sequence has its targets, groups and pairs (each the groups of one cut).
    """
    width, rows = data.catalogue_size + 1, np.arange(len(users_B))
    sequence_G, sequence_Q = (np.repeat(rows, np.diff(each)) for each in begins[1:])
    start_G, end_G = np.asarray(data.offsets)[users_B][sequence_G], begins[1][1:][sequence_G]
    until_G = np.asarray(data.first_event_at(users_B[sequence_G], times_G))
    new_G = until_G - np.where(np.diff(sequence_G, prepend=-1) > 0, start_G, np.append(0, until_G)[:-1])
    # An event is what is known of its item from its first group on, till the group that knows of the next one.
    from_N, events_N = np.repeat(np.arange(len(until_G)), new_G), spans(until_G - new_G, new_G)
    till_N, next_N = end_G[from_N], data.repeats.next_N[events_N]
    again = np.flatnonzero(next_N < until_G[till_N - 1])
    till_N[again] = from_N[again + next_N[again] - events_N[again]]
    keys_N = sequence_G[from_N] * width + data.items[events_N]
    key_M, first_M, own_N = np.unique(keys_N, return_index=True, return_inverse=True)
    item_M, offsets = key_M % width, np.searchsorted(key_M, np.append(rows, len(rows)) * width)
    blocks, cell_G = blocks_of(*begins[:2], offsets), np.zeros_like(until_G)
    for each in blocks:
        owned, groups = each.items.stop - each.items.start, each.groups.stop - each.groups.start
        cell_G[each.groups] = np.arange(groups) * owned + (each.cells.start - each.items.start)
    owned_Q = np.diff(offsets)[sequence_Q]
    at_X = np.repeat(cut_Q * width, owned_Q) + item_M[spans(offsets[sequence_Q], owned_Q)]
    event_E, group_E = np.repeat(np.arange(len(from_N)), till_N - from_N), spans(from_N, till_N - from_N)
    own_E = own_N[event_E]
    count_N = np.searchsorted(COUNTS, data.repeats.nth_N[events_N], "right") * (len(SINCE) + 1)
    since_E = np.searchsorted(SINCE, times_G[group_E] - data.times[events_N][event_E], "right")
    length_G = np.searchsorted(LENGTHS, until_G - start_G, "right")
    found = (
        np.append(key_M, len(rows) * width),
        item_M,
        np.append(from_N[first_M], len(until_G)),
        cell_G,
        cell_G[group_E] + own_E,
        (count_N[event_E] + since_E) * (len(LENGTHS) + 1) + length_G[group_E],
        (np.cumsum(owned_Q) - owned_Q - offsets[sequence_Q])[pair_G][group_E] + own_E,
        at_X,
    )
    return OwnItems(*(upload(torch.from_numpy(each), device) for each in found), blocks, offsets)


def logsumexp_of_own(
    states_TD: Tensor,
    own_MD: Tensor,
    added_C: Tensor,
    own: OwnItems,
    group_T: Tensor,
    targets_T: Tensor,
    temperature: float,
) -> Tensor:
    """(T,) logsumexp of the scores of all own items but the target; ``-inf`` where there is none. ``added_C``: to the
    products of cells, ``-inf`` for what is not known."""
    found: Tensor = _LogSumExp.apply(  # type: ignore[no-untyped-call]
        states_TD, own_MD, added_C, own, group_T, targets_T, temperature
    )
    return found


class _LogSumExp(torch.autograd.Function):
    """Block by block: of what is held for each state and own item there is one number."""

    @staticmethod
    def forward(
        ctx: Any,
        states_TD: Tensor,
        own_MD: Tensor,
        added_C: Tensor,
        own: OwnItems,
        group_T: Tensor,
        targets_T: Tensor,
        temperature: float,
    ) -> Tensor:
        found_T, chances, factor = states_TD.new_full((len(states_TD),), -math.inf), [], 1 / temperature
        for targets, groups, items, cells in own.blocks:
            ids, mine = own.item_M[items], group_T[targets] - groups.start
            added = added_C[cells].view(-1, len(ids)).index_select(0, mine)
            scores = torch.addmm(added, states_TD[targets], own_MD[items].T, beta=factor, alpha=factor)
            scores.masked_fill_(targets_T[targets, None] == ids, -math.inf)
            found_T[targets] = sums = scores.logsumexp(1)
            chances.append(scores.sub_(sums.clamp_(min=LOWEST)[:, None]).exp_())
        ctx.save_for_backward(states_TD, own_MD, group_T)
        ctx.chances, ctx.blocks, ctx.factor, ctx.cells = chances, own.blocks, factor, len(added_C)
        return found_T

    @staticmethod
    def backward(ctx: Any, gradient_T: Tensor) -> tuple[Tensor | None, ...]:
        states_TD, own_MD, group_T = ctx.saved_tensors
        of_states, of_own, of_added = torch.zeros_like(states_TD), torch.zeros_like(own_MD), states_TD.new_zeros(ctx.cells)
        for (targets, groups, items, cells), chances in zip(ctx.blocks, ctx.chances, strict=True):
            of_scores = chances * (ctx.factor * gradient_T[targets, None])
            torch.mm(of_scores, own_MD[items], out=of_states[targets])
            torch.mm(of_scores.T, states_TD[targets], out=of_own[items])
            of_groups = of_added[cells].view(-1, of_scores.shape[1])
            of_groups.index_add_(0, group_T[targets] - groups.start, of_scores)
        return of_states, of_own, of_added, None, None, None, None
