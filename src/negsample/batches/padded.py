"""A batch from padded tensors, for a training loop and a model of one's own."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from negsample.batches.packed import NOBODY, Batch, Exclude, Packed
from negsample.errors import InputError

_WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def padded_batch(
    inputs_BL: Tensor,
    targets_BL: Tensor,
    *,
    catalogue_size: int,
    history_BH: Tensor | None = None,
    users_B: Tensor | None = None,
    exclude: Exclude = "history",
) -> Batch:
    """A batch from padded tensors (its rows are not longest first).

    Its T positions are those with a target, row by row: the states that go with it are ``states_BLD[targets_BL > 0]``.

    Args:
        inputs_BL: the item at each position, 0 where none: before the items of a row or after them.
        targets_BL: the item to predict there, 0 where none.
        catalogue_size: V.
        history_BH: further items of each row's user, in any order, padded with 0; its inputs and targets are known.
        users_B: a number >= 0 for whose each row is, so that no target of a user is an in-batch negative of theirs:
            needed where users have several rows, and for a memory bank of earlier batches. None: every row is of
            another.
        exclude: what must never be a negative.

    Raises:
        ValueError: the tensors are no ids in ``0..V`` of one shape on one device, a row has no target, a gap among its
            inputs, or a target where it has no input.
    """
    given = {"inputs": inputs_BL, "targets": targets_BL} | ({} if history_BH is None else {"history": history_BH})
    _check_ids(given, catalogue_size)
    inputs, targets, *history = (each.long() for each in given.values())
    present = targets > 0
    _check_rows(inputs > 0, present)
    if users_B is not None:
        _check_users(users_B, inputs)
    ids = torch.cat([inputs, targets, *history], 1)
    rows_T, positions_T = torch.nonzero(present, as_tuple=True)
    offsets = np.concatenate([[0], np.cumsum(present.sum(1).cpu().numpy())])
    rows_B = torch.arange(len(ids), device=ids.device)
    keys = (rows_B.unsqueeze(1) * (catalogue_size + 1) + ids)[ids > 0]
    return Batch(
        inputs=Packed(inputs[present], positions_T, rows_T, offsets),
        targets_T=targets[present],
        users_B=NOBODY - 1 - rows_B if users_B is None else users_B.long(),
        ends_B=rows_B[:0],
        history_keys=torch.unique(keys),
        catalogue_size=catalogue_size,
        exclude=exclude,
    )


def _check_ids(given: Mapping[str, Tensor], catalogue_size: int) -> None:
    """Refuses what are no ids of a catalogue, in (B, L) and (B, H)."""
    if isinstance(catalogue_size, bool) or not isinstance(catalogue_size, int) or not 0 < catalogue_size < 2**31:
        raise InputError(f"catalogue_size must be V, a whole number from 1 on, got {catalogue_size!r}")
    for name, each in given.items():
        if not isinstance(each, Tensor):
            raise InputError(f"{name} must be a tensor of ids, got {type(each).__name__}; torch.as_tensor makes one")
        if each.dtype not in _WHOLE:
            raise InputError(f"{name} must be ids, whole numbers, got {each.dtype}; .long() makes them such")
    inputs, targets = given["inputs"], given["targets"]
    if inputs.shape != targets.shape or inputs.dim() != 2:
        raise InputError(
            f"inputs and targets must both be (B, L), got {tuple(inputs.shape)} and {tuple(targets.shape)}"
        )
    history = given.get("history", inputs)
    if history.dim() != 2 or len(history) != len(targets):
        raise InputError(f"history must be (B, H), B = {len(targets)} rows, got {tuple(history.shape)}")
    devices = {name: str(each.device) for name, each in given.items()}
    if len(set(devices.values())) > 1:
        raise InputError(f"all must be on one device, got {', '.join(f'{n} on {d}' for n, d in devices.items())}")
    for name, each in given.items():
        low, high = (int(each.min()), int(each.max())) if each.numel() else (0, 0)
        if low < 0 or high > catalogue_size:
            raise InputError(f"ids must lie in 0..{catalogue_size} (0 is padding), got {low}..{high} in {name}")


def _check_rows(known_BL: Tensor, present_BL: Tensor) -> None:
    """Refuses rows that cannot be learned from."""
    empty = torch.nonzero(~present_BL.any(1))[:, 0].tolist()
    if empty or not len(present_BL):
        where = f"row {empty[0]} has none; " if empty else ""
        raise InputError(f"every row needs a target; {where}leave out rows whose targets are all 0")
    lonely = torch.nonzero(present_BL & ~known_BL).tolist()
    if lonely:
        row, position = lonely[0]
        raise InputError(
            f"row {row} has a target and no input at position {position}: there is no state to predict it from; set "
            "that target to 0"
        )
    width = known_BL.shape[1]
    first, last = known_BL.long().argmax(1), width - 1 - known_BL.flip(1).long().argmax(1)
    gaps = torch.nonzero(last - first + 1 != known_BL.sum(1))[:, 0].tolist()
    if gaps:
        raise InputError(
            f"row {gaps[0]} has a 0 between two inputs; a row is padded before its items or after them, not among them"
        )


def _check_users(users_B: Tensor, inputs_BL: Tensor) -> None:
    """Refuses what are no numbers of users, one a row."""
    if not isinstance(users_B, Tensor) or users_B.dtype not in _WHOLE:
        found = users_B.dtype if isinstance(users_B, Tensor) else type(users_B).__name__
        raise InputError(f"users must be a tensor of whole numbers, got {found}")
    if users_B.shape != inputs_BL.shape[:1] or users_B.device != inputs_BL.device or int(users_B.min()) < 0:
        raise InputError(
            f"users must be (B,) numbers >= 0, B = {len(inputs_BL)} rows on {inputs_BL.device}, got {users_B}"
        )
