"""Where chance comes from: one generator a purpose, all from the run's seed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from negsample.errors import check_word, guarded, whole

if TYPE_CHECKING:
    import torch

Purpose = Literal["init", "order", "negatives", "dropout", "rounding"]


@guarded
def generator(
    seed: int, purpose: Purpose, device: torch.device | str = "cpu", *, stream: tuple[int, ...] = ()
) -> torch.Generator:
    """A generator for one purpose of a run: the same seed gives two methods the same start and the same order.

    ``stream``: numbers of one of several for the purpose, such as a process and an epoch.

    Raises:
        InputError: there is no such purpose.
    """
    import torch  # a report resamples without it

    whole("seed", seed, 0, 2**31 - 1)
    check_word("purpose", purpose, get_args(Purpose))
    digest = hashlib.sha256("/".join(map(str, (purpose, seed, *stream))).encode()).digest()
    return torch.Generator(device).manual_seed(int.from_bytes(digest[:7], "big"))


def resampling(of: str) -> np.random.Generator:
    """A generator for resampling what is called ``of``: an analysis made again has the same figures."""
    return np.random.default_rng(int.from_bytes(hashlib.sha256(f"resampling/{of}".encode()).digest()[:7], "big"))
