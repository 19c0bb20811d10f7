"""Where chance comes from: one generator a purpose, all from the run's seed."""

from __future__ import annotations

import hashlib
from typing import Literal

import torch

Purpose = Literal["init", "order", "negatives", "dropout", "rounding"]


def generator(seed: int, purpose: Purpose, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for one purpose of a run: the same seed gives two methods the same start and the same order."""
    digest = hashlib.sha256(f"{purpose}/{seed}".encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:7], "big"))
