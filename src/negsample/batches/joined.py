"""The batches of several models as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from negsample.batches.device import upload
from negsample.batches.packed import Batch, Packed, Predicted


def joined(batches: Sequence[Batch]) -> Batch:
    """The sequences of ``batches``, each the batch of one of S models, one after another; on the CPU.

    The inputs' ids become rows of a table that has those of all models, one model after another; other ids stay those
    of the catalogue, and ``tables_B`` says where the rows of a model begin. All batches are of one dataset and of the
    same settings, by rows or by moments.
    """
    width = batches[0].catalogue_size + 1
    packed = joined_inputs([each.inputs for each in batches], width)
    assert packed.split is not None
    rows, positions = packed.split.tolist(), packed.offsets[packed.split].tolist()
    targets = np.cumsum([0, *(len(each.targets_T) for each in batches)]).tolist()
    keys = [row * width for row in rows]
    predicted = [each.predicted for each in batches if each.predicted is not None]
    return replace(
        batches[0],
        inputs=packed,
        targets_T=torch.cat([each.targets_T for each in batches]),
        users_B=torch.cat([each.users_B for each in batches]),
        ends_B=torch.cat([each.ends_B for each in batches]),
        history_keys=_shifted([each.history_keys for each in batches], keys),
        target_keys=_if_all([each.target_keys for each in batches], keys),
        times_T=_if_all([each.times_T for each in batches]),
        weights_T=_if_all([each.weights_T for each in batches]),
        as_of_T=_if_all([each.as_of_T for each in batches]),
        predicted=Predicted(
            _shifted([each.states_T for each in predicted], positions),
            _shifted([each.rows_T for each in predicted], rows),
            _offsets([each.offsets for each in predicted], targets),
        )
        if predicted
        else None,
    )


def joined_inputs(inputs: Sequence[Packed], width: int) -> Packed:
    """The same of inputs alone; ``width``: rows of the item table of each model, V + 1."""
    rows = np.cumsum([0, *(each.sequences for each in inputs)])
    positions = np.cumsum([0, *(len(each.items_T) for each in inputs)])
    return Packed(
        _shifted([each.items_T for each in inputs], [width * number for number in range(len(inputs))]),
        torch.cat([each.positions_T for each in inputs]),
        _shifted([each.rows_T for each in inputs], rows.tolist()),
        _offsets([each.offsets for each in inputs], positions.tolist()),
        rows,
        upload(torch.from_numpy(np.repeat(np.arange(len(inputs)) * width, np.diff(rows))), inputs[0].device),
    )


def _if_all(values: Sequence[Tensor | None], by: Sequence[int] | None = None) -> Tensor | None:
    there = [each for each in values if each is not None]
    if not there:
        return None
    return torch.cat(there) if by is None else _shifted(there, by)


def _shifted(values: Sequence[Tensor], by: Sequence[int]) -> Tensor:
    return torch.cat([each + first for each, first in zip(values, by, strict=False)])


def _offsets(offsets: Sequence[np.ndarray], firsts: Sequence[int]) -> np.ndarray:
    parts = [each[:-1] + first for each, first in zip(offsets, firsts, strict=False)]
    return np.concatenate([*parts, [firsts[len(offsets)]]])
