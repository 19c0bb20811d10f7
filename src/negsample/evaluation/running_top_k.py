"""The highest scores of each query, kept while blocks of the catalogue go by."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from negsample.batches.device import may_ask
from negsample.parallel.processes import Processes

_STRIP = 16  # columns whose maximum stands for them, at most
_ENOUGH = 4  # columns a strip below which no time is saved
_STRIPS = 6  # strips for each score sought, at least
_FEW = 128  # numbers that NumPy partitions in registers: among more, each takes twice as long
_STRIPS_OF_FEW = 3  # strips for each score sought, at least, where that makes them few


class RunningTopK:
    """``values_QK`` and ``ids_QK``: the K highest scores of each of Q queries so far, in no order, and their items.

    They are ``-inf`` and 0 where there is no score yet.
    """

    def __init__(self, queries: int, k: int, like: Tensor) -> None:
        self.values_QK = like.new_full((queries, k), -math.inf)
        self.ids_QK = torch.zeros(queries, k, dtype=torch.int64, device=like.device)

    def add(self, scores: Tensor, query: int, item: int) -> None:
        """Take in (R, N) scores of the queries from ``query`` on for the items from ``item`` on, 1 first."""
        rows, width = scores.shape
        k = self.values_QK.shape[1]
        values, ids = (each[query : query + rows] for each in (self.values_QK, self.ids_QK))
        if item == 1:
            columns = top_columns(scores, min(k, width))
            values[:, :width] = scores.gather(1, columns)
            ids[:, :width] = columns.add_(item)
            return
        if not may_ask(scores.device):  # which rows gain anything
            both = torch.cat([values, scores], 1)
            values[:], at = torch.topk(both, k)
            found = torch.cat([ids, torch.arange(item, item + width, device=ids.device).expand(rows, -1)], 1)
            ids[:] = found.gather(1, at)
            return
        above = (scores.amax(1) > values.amin(1)).nonzero().squeeze(1)
        if not len(above):
            return
        scores, values_before, ids_before = (each.index_select(0, above) for each in (scores, values, ids))
        columns = top_columns(scores, min(k, width))
        joined = torch.cat([values_before, scores.gather(1, columns)], 1)
        at = top_columns(joined, k)
        values[above] = joined.gather(1, at)
        ids[above] = torch.cat([ids_before, columns.add_(item)], 1).gather(1, at)

    def merge(self, processes: Processes) -> None:
        """Take in the highest scores that all ``processes`` have of these queries, for other items each."""
        k = self.values_QK.shape[1]
        if not k:
            return
        values, ids = (
            processes.joined(each.unsqueeze(0)).transpose(0, 1).flatten(1) for each in (self.values_QK, self.ids_QK)
        )
        at = top_columns(values, k)
        self.values_QK, self.ids_QK = values.gather(1, at), ids.gather(1, at)

    def ordered(self) -> tuple[Tensor, Tensor]:
        """``values_QK`` and ``ids_QK``, best first."""
        values, at = self.values_QK.sort(1, descending=True)
        return values, self.ids_QK.gather(1, at)


def top_columns(scores: Tensor, k: int) -> Tensor:
    """(R, k) columns of the k highest of each row, in no order; ``k <= N``.

    On a CPU they lie in the k strips with the highest maxima, and maxima are cheap: so strips are searched first, by
    strips of theirs, and then what is in those found. ``torch.topk`` takes 2 to 3 times as long there.
    """
    if not may_ask(scores.device):
        return torch.topk(scores, k, sorted=False).indices
    width = scores.shape[1]
    length = min(width // (_STRIPS * k), _STRIP)
    if _STRIPS_OF_FEW * k <= _FEW:
        length = min(max(length, -(-width // _FEW)), _STRIP)
        at_once = width <= _FEW
    else:
        at_once = length < _ENOUGH
    if at_once:
        found = np.argpartition(scores.numpy(), width - k, axis=1)[:, width - k :]
        return torch.from_numpy(found)
    strips = width // length
    in_strips = strips * length
    maxima = scores[:, :in_strips].view(len(scores), length, strips).amax(1)
    starts = torch.arange(0, in_strips, strips, device=scores.device).unsqueeze(1)
    columns = (top_columns(maxima, k).unsqueeze(1) + starts).flatten(1)
    if in_strips < width:
        rest = torch.arange(in_strips, width, device=scores.device).expand(len(scores), -1)
        columns = torch.cat([columns, rest], 1)
    return columns.gather(1, top_columns(scores.gather(1, columns), k))
