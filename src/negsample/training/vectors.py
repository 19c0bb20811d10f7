"""What a step looks up in the item table: all at once, or, where the scores take too much memory, part by part."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from negsample.batches.packed import Batch
from negsample.errors import InputError
from negsample.miners.base import Needs
from negsample.models.item_table import ItemTable, Rows, distinct_ids, looked_up
from negsample.training.inputs import StepInputs
from negsample.training.padding import check_padding
from negsample.training.score import MIB, scores_bytes

_MANY = 1 << 20  # numbers in the vectors of negatives: more are not looked up all at once


class Vectors(NamedTuple):
    """The vectors of a batch's inputs, of its targets and of its negatives, the last two perhaps not looked up yet.

    ``parts``: in how many parts they are to be scored; None: all at once.
    """

    inputs_TD: Tensor
    targets: Tensor | Rows
    negatives: Tensor | Rows
    parts: int | None = None

    def part(self, given: StepInputs, first: int, last: int) -> Vectors:
        """Those of sequences ``first .. last - 1``, not looked up yet."""
        assert isinstance(self.targets, Rows)
        assert isinstance(self.negatives, Rows)
        low, high = given.batch.inputs.offsets[[first, last]].tolist()
        (matrix_ND, targets_T), (_, negatives) = self.targets, self.negatives
        targets, ids = Rows(matrix_ND, targets_T[low:high]), Rows(matrix_ND, given.rows_of(negatives, first, last))
        return Vectors(self.inputs_TD[low:high], targets, ids)


def look_up(given: StepInputs) -> Vectors:
    """The vectors of a step.

    Raises:
        InputError: the scores would take more than ``score_memory``, and the miner needs the batch as a whole; or
            positions without an item cannot be counted for this method and model.
    """
    table, batch, ids = given.model.table, given.batch, given.negatives.ids
    parts = _parts(given)
    if parts is not None:
        return _look_up_distinct(table, batch, ids)._replace(parts=parts)
    if of_positions(ids, batch) and ids.numel() * table.weight.shape[1] > _MANY:
        known, negatives = table.rows(torch.cat([batch.inputs.items_T, batch.targets_T]), ids)
        inputs_TD, targets_TD = known.vectors().chunk(2)
        return Vectors(inputs_TD, targets_TD, negatives)
    inputs_TD, targets_TD, all_negatives = table.lookup(batch.inputs.items_T, batch.targets_T, ids)
    return Vectors(inputs_TD, targets_TD, all_negatives)


def _look_up_distinct(table: ItemTable, batch: Batch, ids: Tensor) -> Vectors:
    """One row of each item; targets and negatives only say which."""
    asked = (batch.inputs.items_T, batch.targets_T, ids)
    distinct, positions = distinct_ids(torch.cat([each.reshape(-1) for each in asked]))
    (rows_ND,) = table.lookup(distinct)
    of_inputs, of_targets, of_ids = torch.split(positions, [each.numel() for each in asked])
    return Vectors(rows_ND.index_select(0, of_inputs), Rows(rows_ND, of_targets), Rows(rows_ND, of_ids.view(ids.shape)))


def _parts(given: StepInputs) -> int | None:
    method, batch, negatives, options = given.method, given.batch, given.negatives, given.options
    if options.padded_to is not None:
        check_padding(given)
        return None
    positions, k = len(batch.targets_T), negatives.ids.shape[-1]
    size = scores_bytes(positions, k)
    if options.score_memory is None or size <= options.score_memory or method.merged:
        return None
    check_whole(positions, k, method.miner.needs, options.score_memory)
    return min(-(-size // options.score_memory), batch.sequences)


def check_whole(positions: int, k: int, needs: Needs, score_memory: int) -> None:
    """Scores of ``positions`` x ``k`` may be computed in parts, where they are more than ``score_memory`` bytes.

    Raises:
        InputError: they would have to be, and the miner ``needs`` the batch as a whole.
    """
    size = scores_bytes(positions, k)
    if size > score_memory and "whole" in needs:
        raise InputError(
            f"score_memory: scores of about {-(-size // MIB):,} MiB are more than {score_memory / MIB:,.4g}, and this "
            "method must select from a batch as a whole; raise score_memory, or take a smaller batch_size"
        )


def cuts(batch: Batch, parts: int) -> list[tuple[int, int]]:
    """The first sequence of each part, and the first after it: whole sequences, about equally many positions."""
    offsets = batch.inputs.offsets
    wanted = [offsets[-1] * part / parts for part in range(1, parts)]
    inner = {int(abs(offsets - each).argmin()) for each in wanted} - {0, batch.sequences}
    return list(pairwise([0, *sorted(inner), batch.sequences]))


def of_positions(ids: Tensor, batch: Batch) -> bool:
    """Whether each position has negatives of its own."""
    return ids.dim() == 2 and len(ids) != batch.sequences


def frozen_at_end(vectors: Tensor | Rows, frozen: int) -> Tensor | Rows:
    """The vectors of negatives, the ``frozen`` ones at the end without gradient."""
    if not frozen:
        return vectors
    all_of_them = looked_up(vectors)
    learning, held = torch.split(all_of_them, [all_of_them.shape[-2] - frozen, frozen], -2)
    return torch.cat([learning, held.detach()], -2)
