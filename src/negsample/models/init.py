"""Init values of what is learned."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Literal, TypeVar, get_args

import torch
from torch import Tensor, nn

from negsample.errors import check_word

Init = Literal["normal", "glorot"]
"""N(0, 0.02) for every matrix, or Glorot uniform, U(-b, b) with b = sqrt(6 / (rows + columns))."""

_SD = 0.02
_BLOCK = 1 << 16  # rows filled at once where they are not float32, or are part of a larger matrix
_SIXTEEN = 16
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
    draw = _drawing(init, sum(matrix.shape), rng)
    if matrix.dtype == torch.float32:
        return draw(matrix)
    for block in torch.split(matrix, _BLOCK):
        block.copy_(draw(torch.empty(block.shape)))
    return matrix


def filled_part(rows_ND: Tensor, start: int, rows: int, init: Init, *, rng: torch.Generator) -> Tensor:
    """The same for the part of a matrix of so many ``rows`` that begins with row ``start``: the values that are there
    when all of it is filled, of which a block is held at a time.

    Raises:
        InputError: ``init`` is neither.
    """
    draw, stop = _drawing(init, rows + rows_ND.shape[1], rng), start + len(rows_ND)
    for first, last in _blocks(rows, alike=rows_ND.dtype == torch.float32):
        block = draw(torch.empty(last - first, rows_ND.shape[1]))
        low, high = max(first, start), min(last, stop)
        if low < high:
            rows_ND[low - start : high - start] = block[low - first : high - first]
    return rows_ND


def _drawing(init: Init, sizes: int, rng: torch.Generator) -> Callable[[Tensor], Tensor]:
    """What fills values of a matrix whose rows and columns are so many together."""
    check_word("init", init, get_args(Init))
    bound = math.sqrt(6 / sizes)

    def draw(values: Tensor) -> Tensor:
        if init == "normal":
            return values.normal_(0, _SD, generator=rng)
        return values.uniform_(-bound, bound, generator=rng)

    return draw


def _blocks(rows: int, *, alike: bool) -> list[tuple[int, int]]:
    """Blocks of rows. ``alike``: with the numbers that a draw of all at once has, since PyTorch draws sixteen at a time
    and the last sixteen again: no block but the last ends within sixteen, and the last has as many."""
    starts = list(range(0, rows, _BLOCK))
    if alike and len(starts) > 1 and rows - starts[-1] < _SIXTEEN:
        starts.pop()
    return list(pairwise([*starts, rows]))
