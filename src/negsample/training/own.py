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
CELLS = 1 << 14
"""Products of targets and own items of a block: with more of them small sequences would be multiplied with each other
for longer than a block takes to begin."""


class Block(NamedTuple):
    """Where what is of some sequences lies: targets, groups (each the targets of one sequence and time), pairs (each
    the groups of one sequence and cut), own items (each what a user had before the last group), and the cells that
    groups and pairs have with all the own items."""

    targets: slice
    groups: slice
    pairs: slice
    items: slice
    cells: slice
    pair_cells: slice


def blocks_of(targets: Ints, groups: Ints, pairs: Ints, items: Ints) -> list[Block]:
    """Sequences that follow each other, as many at a time as have ``CELLS``, or one; none without own items. (B + 1,)
    where each has its own."""
    ends = [0]
    for sequence in range(1, len(items)):
        products = (targets[sequence] - targets[ends[-1]]) * (items[sequence] - items[ends[-1]])
        if products > CELLS and sequence - 1 > ends[-1]:
            ends.append(sequence - 1)
    at = np.array([*ends, len(items) - 1])
    cells = (np.append(0, np.cumsum(np.diff(each[at]) * np.diff(items[at]))) for each in (groups, pairs))
    bounds = [each[at].tolist() for each in (targets, groups, pairs, items)] + [each.tolist() for each in cells]
    found = [Block(*(slice(*of) for of in each)) for each in zip(*map(pairwise, bounds), strict=True)]
    return [each for each in found if each.items.start < each.items.stop]


class OwnItems(NamedTuple):
    """What the users of a batch's B sequences had: M own items, by sequence, then by item.

    Attributes:
        key_M1: ``sequence * (V + 1) + item`` of each, ascending; and one above all.
        item_M: of each.
        first_M1: the first group that knows it; and of one more: after all groups.
        cell_G: the cell of a group and an own item is this and the number of the item.
        bins_C: what a group knows of an own item, 0 for nothing; see
            :meth:`~negsample.models.terms.TermWeights.own_table`.
        at_X: the place of each pair and own item among the features of all items as of all cuts.
        blocks: of all sequences.
        offsets: (B + 1,) where those of each sequence begin.
    """

    key_M1: Tensor
    item_M: Tensor
    first_M1: Tensor
    cell_G: Tensor
    bins_C: Tensor
    at_X: Tensor
    blocks: list[Block]
    offsets: Ints

    def places(self, ids: Tensor, sequence_N: Tensor, width: int) -> Tensor:
        """(N, K) the number of each id among the own items of its row's sequence, M where it is none; ``ids``: (N, K),
        or (K,), the same for each row."""
        none = len(self.item_M)
        if ids.dim() == 2:
            keys = sequence_N[:, None] * width + ids
            at = torch.searchsorted(self.key_M1, keys)
            return torch.where(self.key_M1[at] == keys, at, none)
        column_V = ids.new_full((width,), len(ids))
        column_V[ids] = torch.arange(len(ids), device=ids.device)  # one of them where an id is there twice
        places = ids.new_full((len(sequence_N), len(ids) + 1), none)
        rows = torch.div(self.key_M1[:-1], width, rounding_mode="floor")
        places[rows, column_V[self.item_M]] = torch.arange(none, device=ids.device)
        return places.index_select(1, column_V[ids])


def own_items(
    data: Dataset, users_B: Ints, times_G: Ints, cut_Q: Ints, begins: tuple[Ints, Ints, Ints], device: torch.device
) -> OwnItems:
    """What users had before the times of groups, which ascend within a sequence.

    ``begins``: (B + 1,) where each sequence has its targets, groups and pairs.
    """
    width, rows = data.catalogue_size + 1, np.arange(len(users_B))
    sequence_G = np.repeat(rows, np.diff(begins[1]))
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
    blocks = blocks_of(*begins, offsets)
    cell_G, at_X = np.zeros_like(until_G), [item_M[:0]]
    for each in blocks:
        owned = each.items.stop - each.items.start
        cell_G[each.groups] = np.arange(each.groups.stop - each.groups.start) * owned + (
            each.cells.start - each.items.start
        )
        at_X.append((cut_Q[each.pairs, None] * width + item_M[each.items]).ravel())
    event, group = np.repeat(np.arange(len(from_N)), till_N - from_N), spans(from_N, till_N - from_N)
    count_N = np.searchsorted(COUNTS, data.repeats.nth_N[events_N], "right") * (len(SINCE) + 1)
    since = np.searchsorted(SINCE, times_G[group] - data.times[events_N][event], "right")
    length_G = np.searchsorted(LENGTHS, until_G - start_G, "right") + 1
    bins_C = np.zeros(blocks[-1].cells.stop if blocks else 0, np.int32)
    bins_C[cell_G[group] + own_N[event]] = (count_N[event] + since) * (len(LENGTHS) + 1) + length_G[group]
    key_M1, first_M1 = np.append(key_M, len(rows) * width), np.append(from_N[first_M], len(until_G))
    found = key_M1, item_M, first_M1, cell_G, bins_C, np.concatenate(at_X)
    return OwnItems(*(upload(torch.from_numpy(each), device) for each in found), blocks, offsets)


def logsumexp_of_own(
    states_TD: Tensor,
    own_MD: Tensor,
    table: Tensor,
    added_X: Tensor | None,
    own: OwnItems,
    group_T: Tensor,
    pair_G: Tensor,
    targets_T: Tensor,
    temperature: float,
) -> Tensor:
    """(T,) logsumexp of the scores of all own items but the target; ``-inf`` where there is none.

    ``table``: what is added by bin, ``-inf`` for what is not own yet; ``added_X``: for pairs and own items.
    """
    found: Tensor = _LogSumExp.apply(  # type: ignore[no-untyped-call]
        states_TD, own_MD, table, added_X, own, group_T, pair_G, targets_T, temperature
    )
    return found


class _LogSumExp(torch.autograd.Function):
    """Block by block: of what is held for each state and own item there is one number."""

    @staticmethod
    def forward(
        ctx: Any,
        states_TD: Tensor,
        own_MD: Tensor,
        table: Tensor,
        added_X: Tensor | None,
        own: OwnItems,
        group_T: Tensor,
        pair_G: Tensor,
        targets_T: Tensor,
        temperature: float,
    ) -> Tensor:
        column_T, chances, factor = states_TD.new_full((len(states_TD),), -math.inf), [], 1 / temperature
        for each in own.blocks:
            items = own.item_M[each.items]
            added = table.index_select(0, own.bins_C[each.cells]).view(-1, len(items))
            if added_X is not None:
                pairs = pair_G[each.groups] - each.pairs.start
                added += added_X[each.pair_cells].view(-1, len(items)).index_select(0, pairs)
            added = added.index_select(0, group_T[each.targets] - each.groups.start)
            scores = torch.addmm(added, states_TD[each.targets], own_MD[each.items].T, beta=factor, alpha=factor)
            scores.masked_fill_(targets_T[each.targets, None] == items, -math.inf)
            column_T[each.targets] = sums = scores.logsumexp(1)
            chances.append(scores.sub_(sums.clamp_(min=LOWEST)[:, None]).exp_())
        ctx.save_for_backward(states_TD, own_MD, table, added_X)
        ctx.chances, ctx.own, ctx.group_T, ctx.pair_G, ctx.factor = chances, own, group_T, pair_G, factor
        return column_T

    @staticmethod
    def backward(ctx: Any, gradient_T: Tensor) -> tuple[Tensor | None, ...]:
        states_TD, own_MD, table, added_X = ctx.saved_tensors
        of_states, of_own, of_table = torch.zeros_like(states_TD), torch.zeros_like(own_MD), torch.zeros_like(table)
        of_added = None if added_X is None else torch.zeros_like(added_X)
        for each, chances in zip(ctx.own.blocks, ctx.chances, strict=True):
            of_scores = chances * (ctx.factor * gradient_T[each.targets, None])
            torch.mm(of_scores, own_MD[each.items], out=of_states[each.targets])
            torch.mm(of_scores.T, states_TD[each.targets], out=of_own[each.items])
            of_groups = of_scores.new_zeros(each.groups.stop - each.groups.start, of_scores.shape[1])
            of_groups.index_add_(0, ctx.group_T[each.targets] - each.groups.start, of_scores)
            if ctx.needs_input_grad[2]:
                of_table.index_add_(0, ctx.own.bins_C[each.cells], of_groups.view(-1))
            if of_added is not None:
                of_pairs = of_added[each.pair_cells].view(-1, of_scores.shape[1])
                of_pairs.index_add_(0, ctx.pair_G[each.groups] - each.pairs.start, of_groups)
        return of_states, of_own, of_table, of_added, None, None, None, None, None
