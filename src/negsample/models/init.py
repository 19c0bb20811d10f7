"""Init values of what is learned."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor

from negsample.errors import check_word

Init = Literal["normal", "glorot"]
"""N(0, 0.02) for every matrix, or Glorot uniform, U(-b, b) with b = sqrt(6 / (rows + columns))."""

_SD = 0.02
_BLOCK = 1 << 16  # rows filled at once where they are not float32


def fill(matrix: Tensor, init: Init, *, rng: torch.Generator) -> Tensor:
    """Fill a matrix in place with what ``init`` says, and return it.

    Glorot & Bengio (AISTATS'10) for the second, which is what TensorFlow's ``get_variable`` and dense layers take, and
    so what the reference takes: its bound depends on the number of rows, 0.022 for 12 thousand items of width 50, and
    0.245 for 50 positions.

    Raises:
        InputError: ``init`` is neither.
    """
    check_word("init", init, get_args(Init))
    bound = math.sqrt(6 / sum(matrix.shape))

    def draw(values: Tensor) -> Tensor:
        if init == "normal":
            return values.normal_(0, _SD, generator=rng)
        return values.uniform_(-bound, bound, generator=rng)

    if matrix.dtype == torch.float32:
        return draw(matrix)
    for block in torch.split(matrix, _BLOCK):
        block.copy_(draw(torch.empty(block.shape)))
    return matrix
