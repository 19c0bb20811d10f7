"""What a step looks up in the item table: all at once, or, where the scores take too much memory, part by part."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from negsample.batches.packed import Batch
from negsample.errors import InputError
from negsample.miners.base import Needs
from negsample.models import SASRec
from negsample.models.item_table import Rows, apart, distinct_ids
from negsample.training.inputs import StepInputs
from negsample.training.score import MIB, scores_bytes

_MANY = 1 << 20  # numbers in the vectors of negatives: more are not looked up all at once


class Vectors(NamedTuple):
    """The vectors of a batch's inputs, of its targets, of its negatives and of the users' own items, where exact ones
    are asked for (M, D); all but the first perhaps not looked up yet.

    ``parts``: in how many parts they are to be scored; None: all at once.
    """

    inputs_TD: Tensor
    targets: Tensor | Rows
    negatives: Tensor | Rows
    own: Tensor | Rows
    parts: int | None = None

    def part(self, given: StepInputs, first: int, last: int) -> Vectors:
        """Those of sequences ``first .. last - 1``, not looked up yet."""
        assert isinstance(self.targets, Rows)
        assert isinstance(self.negatives, Rows)
        assert isinstance(self.own, Rows)
        inputs, here = given.batch.inputs.span(first, last), given.batch.span(first, last)
        (matrix_ND, targets_T), (_, negatives) = self.targets, self.negatives
        targets, ids = Rows(matrix_ND, targets_T[here]), Rows(matrix_ND, given.rows_of(negatives, first, last))
        own = slice(0) if given.terms is None else given.terms.exact_of(first, last)
        return Vectors(self.inputs_TD[inputs], targets, ids, Rows(matrix_ND, self.own.positions[own]))


def look_up(given: StepInputs) -> Vectors:
    """The vectors of a step.

    Raises:
        InputError: the scores would take more than ``score_memory``, and the miner needs the batch as a whole; or
            positions without an item cannot be counted for this method and model.
    """
    table, batch, ids = given.model.table, given.batch, given.negatives.ids
    own_M = batch.targets_T[:0] if given.terms is None else given.terms.exact_items
    asked = *_in_table(batch, ids), own_M
    ids = asked[2]
    parts = _parts(given)
    if parts is not None:  # one row of each item; targets and negatives only say which
        distinct, positions = distinct_ids(torch.cat([each.reshape(-1) for each in asked]))
        (rows_ND,) = table.lookup(distinct)
        inputs, *others = apart(positions, asked)
        targets, negatives, own_rows = (Rows(rows_ND, each) for each in others)
        return Vectors(rows_ND.index_select(0, inputs), targets, negatives, own_rows, parts)
    if of_positions(ids, batch) and ids.numel() * table.weight.shape[1] > _MANY:
        known, of_each = table.rows(torch.cat([*asked[:2], own_M]), ids)
        inputs_TD, targets_TD, own = torch.split(known.vectors(), [len(each) for each in (*asked[:2], own_M)])
        return Vectors(inputs_TD, targets_TD, of_each, own)
    inputs_TD, targets_TD, all_negatives, own = table.lookup(*asked)
    return Vectors(inputs_TD, targets_TD, all_negatives, own)


def _in_table(batch: Batch, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets and negatives as rows of the item table."""
    tables_B = batch.inputs.tables_B
    if tables_B is None:
        return batch.inputs.items_T, batch.targets_T, ids
    of_targets = tables_B.index_select(0, batch.target_rows)
    if ids.dim() == 3:
        tables = torch.arange(len(ids), device=ids.device).mul_(batch.catalogue_size + 1).view(-1, 1, 1)
    else:
        tables = (of_targets if of_positions(ids, batch) else tables_B).unsqueeze(1)
    return batch.inputs.items_T, batch.targets_T + of_targets, ids + tables


def _parts(given: StepInputs) -> int | None:
    method, batch, negatives, options = given.method, given.batch, given.negatives, given.options
    if options.padded_to is not None:
        check_padding(given, options.padded_to)
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


def check_padding(given: StepInputs, padded_to: int) -> None:
    """Positions without an item can be counted in the loss.

    Raises:
        InputError: they have no state or no negatives, the miner needs more of them than scores, or all is too much at
            once.
    """
    ids, score_memory = given.negatives.ids, given.options.score_memory
    if not isinstance(given.model, SASRec):
        raise InputError("setting padding=count is for backbone sasrec; leave it out")
    if ids.dim() != 2 or len(ids) != given.batch.sequences or given.method.miner.needs:
        raise InputError(
            "setting padding=count is for methods whose negatives are drawn per sequence (draws_per=sequence) and "
            "selected by score alone, as the reference's are; leave it out, or choose such a method"
        )
    size = scores_bytes(given.batch.sequences * padded_to, ids.shape[1])
    if score_memory is not None and size > score_memory:
        raise InputError(
            f"score_memory: with padding=count scores of about {-(-size // MIB):,} MiB must be held at once; raise "
            f"score_memory={score_memory // MIB}, or take a smaller batch_size or max_length"
        )


def cuts(batch: Batch, parts: int) -> list[tuple[int, int]]:
    """The first sequence of each part, and the first after it: whole sequences, about equally many positions."""
    offsets = batch.target_offsets
    wanted = [offsets[-1] * part / parts for part in range(1, parts)]
    inner = {int(abs(offsets - each).argmin()) for each in wanted} - {0, batch.sequences}
    return list(pairwise([0, *sorted(inner), batch.sequences]))


def of_positions(ids: Tensor, batch: Batch) -> bool:
    """Whether each position has negatives of its own."""
    return ids.dim() == 2 and len(ids) != batch.sequences
