"""What the users of a batch had before its targets' times, listed once for each sequence."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.device import upload
from negsample.data.blocks import spans
from negsample.data.dataset import Dataset
from negsample.models.terms import COUNTS, LENGTHS, SINCE

Ints = NDArray[np.int64]
CELLS = 1 << 14
"""Products of targets and own items of a block: with more of them small sequences would be multiplied with each other
for longer than a block takes to begin."""


class Block(NamedTuple):
    """Where what is of some sequences lies: targets; groups, each the targets of one sequence and time; pairs, each the
    groups of one sequence and cut; own items, each what a user had before the last group; the cells that all the groups
    have with all the own items; those that the pairs have; and the targets that are own items."""

    targets: slice
    groups: slice
    pairs: slice
    items: slice
    cells: slice
    pair_cells: slice
    hits: slice


class OwnItems(NamedTuple):
    """What the users of a batch's B sequences had: M own items, by sequence, then by item.

    Attributes:
        key_M1: ``sequence * (V + 1) + item`` of each, ascending; and one above all.
        item_M: of each.
        first_M1: the first group that knows it; and of one more: after all groups.
        bin_C: what the group of each cell knows of its item: 0 for nothing, else 1 and a place, see
            :meth:`~negsample.models.terms.TermWeights.own_table`.
        cell_G: the cell of a group and an own item is this and the number of the item.
        hit_H: each target that is an own item, among the targets and own items of its block.
        at_X: each pair and own item of a sequence, among the features of all items as of all cuts.
        cell_X: its cell.
        blocks: of all sequences with own items.
        offsets: (B + 1,) where the own items of each sequence begin.
    """

    key_M1: Tensor
    item_M: Tensor
    first_M1: Tensor
    bin_C: Tensor
    cell_G: Tensor
    hit_H: Tensor
    at_X: Tensor
    cell_X: Tensor
    blocks: list[Block]
    offsets: Ints

    @property
    def pair_cells(self) -> int:
        """How many there are."""
        return self.blocks[-1].pair_cells.stop if self.blocks else 0

    def of_ids(self, values_M1: Tensor, ids: Tensor, sequence_N: Tensor, width: int) -> Tensor:
        """(N, K) of values of own items, that of each id to its row's sequence, the last one where it is none; ``ids``:
        (N, K), or (K,), the same for each row."""
        if ids.dim() == 2:
            keys = sequence_N[:, None] * width + ids
            at = torch.searchsorted(self.key_M1, keys)
            return torch.where(self.key_M1[at] == keys, values_M1[at], values_M1[-1])
        ascending_K = torch.sort(ids).values
        place_M = torch.searchsorted(ascending_K, self.item_M).clamp_(max=len(ids) - 1)
        column_M = torch.where(ascending_K[place_M] == self.item_M, place_M, len(ids))
        found = values_M1[-1].repeat(len(sequence_N), len(ids) + 1)
        found[torch.div(self.key_M1[:-1], width, rounding_mode="floor"), column_M] = values_M1[:-1]
        return found.index_select(1, torch.searchsorted(ascending_K, ids))  # the first of an id that is there twice


class Grouped(NamedTuple):
    """The targets of B sequences, in numpy.

    Attributes:
        users_B: whose each sequence is.
        targets_T: ids.
        sequence_T, sequence_G, sequence_Q: of each target, group and pair.
        group_T, pair_G: of each target and group.
        time_G: of each group, ascending within a sequence.
        cut_Q: of each pair.
    """

    users_B: Ints
    targets_T: Ints
    sequence_T: Ints
    sequence_G: Ints
    sequence_Q: Ints
    group_T: Ints
    pair_G: Ints
    time_G: Ints
    cut_Q: Ints


def own_items(data: Dataset, asked: Grouped, device: torch.device) -> OwnItems:
    """What users had before the times of their targets."""
    width, rows = data.catalogue_size + 1, np.arange(len(asked.users_B) + 1)
    sequence_G, start_G = asked.sequence_G, np.asarray(data.offsets)[asked.users_B][asked.sequence_G]
    until_G = np.asarray(data.first_event_at(asked.users_B[sequence_G], asked.time_G))
    new_G = until_G - np.where(np.diff(sequence_G, prepend=-1) > 0, start_G, np.append(0, until_G)[:-1])
    # An event is what is known of its item from its first group on, till the group that knows of the next one.
    from_N, events_N = np.repeat(np.arange(len(until_G)), new_G), spans(until_G - new_G, new_G)
    till_N, next_N = np.searchsorted(sequence_G, sequence_G, "right")[from_N], data.repeats.next_N[events_N]
    again = np.flatnonzero(next_N < until_G[till_N - 1])
    till_N[again] = from_N[again + next_N[again] - events_N[again]]
    keys_N = sequence_G[from_N] * width + data.items[events_N]
    key_M, first_M, own_N = np.unique(keys_N, return_index=True, return_inverse=True)
    key_M1, item_M, offsets = np.append(key_M, rows[-1] * width), key_M % width, np.searchsorted(key_M, rows * width)
    keys_T = asked.sequence_T * width + asked.targets_T
    place_T = np.searchsorted(key_M1, keys_T)
    hits = key_M1[place_T] == keys_T
    blocks, cell_T, cell_G, cell_Q = _blocks(asked, offsets, hits)
    length_N, owned_Q = till_N - from_N, np.diff(offsets)[asked.sequence_Q]
    group_E, items_X = spans(from_N, length_N), spans(offsets[asked.sequence_Q], owned_Q)
    count_N = np.searchsorted(COUNTS, data.repeats.nth_N[events_N], "right").astype(np.int16) * (len(SINCE) + 1)
    since_E = asked.time_G[group_E] - np.repeat(data.times[events_N], length_N)
    bin_E = np.repeat(count_N, length_N)
    for edge in SINCE:  # three times as fast as searching
        bin_E += since_E >= edge
    bin_G = np.searchsorted(LENGTHS, until_G - start_G, "right").astype(np.int16) + 1
    bin_C = np.zeros(blocks[-1].cells.stop if blocks else 0, np.int32)
    bin_C[cell_G[group_E] + np.repeat(own_N, length_N)] = bin_E * (len(LENGTHS) + 1) + bin_G[group_E]

    def to(array: NDArray[Any]) -> Tensor:
        return upload(torch.from_numpy(array), device)

    return OwnItems(
        to(key_M1),
        to(item_M),
        to(np.append(from_N[first_M], len(until_G)).astype(np.int32)),
        to(bin_C),
        to(cell_G),
        to((cell_T + place_T)[hits]),
        to(np.repeat(asked.cut_Q * width, owned_Q) + item_M[items_X]),
        to(np.repeat(cell_Q, owned_Q) + items_X),
        blocks,
        offsets,
    )


def _blocks(asked: Grouped, items: Ints, hits: NDArray[np.bool_]) -> tuple[list[Block], Ints, Ints, Ints]:
    """Sequences that follow each other, as many at a time as have ``CELLS`` products, or one; and of each target, group
    and pair the cell that it has with own item 0, that of a target among those of its block."""
    rows, at = np.arange(len(items)), [0]
    begins = [np.searchsorted(each, rows) for each in (asked.sequence_T, asked.sequence_G, asked.sequence_Q)]
    targets, owned = begins[0].tolist(), items.tolist()
    for row in range(1, len(items)):
        if (targets[row] - targets[at[-1]]) * (owned[row] - owned[at[-1]]) > CELLS and row - 1 > at[-1]:
            at.append(row - 1)
    at.append(len(items) - 1)
    (cell_T, _), (cell_G, cells), (cell_Q, pair_cells) = (_cells(each[at], items[at]) for each in begins)
    bounds = [each[at] for each in (*begins, items)]
    bounds += [cells, pair_cells, np.append(0, np.cumsum(hits))[begins[0][at]]]
    blocks = [
        Block(*(slice(*of) for of in each)) for each in zip(*(pairwise(each.tolist()) for each in bounds), strict=True)
    ]
    cell_G += np.repeat(cells[:-1], np.diff(begins[1][at]))
    cell_Q += np.repeat(pair_cells[:-1], np.diff(begins[2][at]))
    return [each for each in blocks if each.items.start < each.items.stop], cell_T, cell_G, cell_Q


def _cells(begins: Ints, items: Ints) -> tuple[Ints, Ints]:
    """The cell of each with own item 0 among those of its block, and where the cells of each block begin."""
    number, owned = np.diff(begins), np.diff(items)
    within = np.arange(begins[-1]) - np.repeat(begins[:-1], number)
    first = within * np.repeat(owned, number) - np.repeat(items[:-1], number)
    return first, np.append(0, np.cumsum(number * owned))
