"""Init values of what is learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, TypeVar, get_args

import torch
from torch import Tensor, nn

from negsample.errors import check_word

Init = Literal["normal", "glorot"]
"""N(0, 0.02) for every matrix, or Glorot uniform, U(-b, b) with b = sqrt(6 / (rows + columns))."""

_SD = 0.02
_BLOCK = 1 << 16  # rows filled at once where they are not float32
Layer = TypeVar("Layer", bound=nn.Module)


def empty_layer(kind: Callable[..., Layer], *sizes: int) -> Layer:
    """A layer whose values are still to be filled in: nothing is taken from the global generator.

    What ``nn.utils.skip_init`` does, but for its ``to_empty``: that imports sympy, half a second of every process.
    """
    layer = kind(*sizes, device="meta")
    layer._apply(lambda value: torch.empty(value.shape, dtype=value.dtype))  # type: ignore[no-untyped-call]
    return layer


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
