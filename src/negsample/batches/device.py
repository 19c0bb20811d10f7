"""How values get to a device, and whether it may be asked for some."""

from __future__ import annotations

import torch
from torch import Tensor


def may_ask(device: torch.device) -> bool:
    """Whether values there may decide what is computed next. A GPU would have to be waited for: it does all of it."""
    return device.type == "cpu"


def upload(values: Tensor, device: torch.device) -> Tensor:
    """``values`` on ``device``; to a GPU by way of pinned memory, so that the CPU need not wait for the copy."""
    if device.type in ("cpu", "meta") or values.device.type != "cpu":  # meta: shapes alone
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
