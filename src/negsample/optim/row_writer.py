"""Rows written into a table of either number type."""

from __future__ import annotations

import torch
from torch import Tensor


class RowWriter:
    """Writes float32 rows into ``weight``, float32 or bfloat16; into the latter with stochastic rounding by ``rng``."""

    def __init__(self, weight: Tensor, rng: torch.Generator | None) -> None:
        if weight.dtype == torch.bfloat16 and rng is None:
            raise ValueError("a bfloat16 table is rounded stochastically; hand a generator as rng")
        self._weight, self._rng = weight, rng

    def __call__(self, ids_N: Tensor, rows_ND: Tensor) -> None:
        """Row ``ids_N[n]`` becomes ``rows_ND[n]``."""
        if self._weight.dtype == torch.bfloat16:
            rows_ND = self._rounded(rows_ND)
        write_rows(self._weight, ids_N, rows_ND)

    def _rounded(self, rows_ND: Tensor) -> Tensor:
        """bfloat16 is the upper half of float32: add random bits to the lower half, and cut it off."""
        bits = rows_ND.view(torch.int32)
        random_bits = torch.empty_like(bits).random_(1 << 16, generator=self._rng)
        return ((bits + random_bits) & -(1 << 16)).view(torch.float32).bfloat16()


def write_rows(table_VD: Tensor, ids_N: Tensor, rows_ND: Tensor) -> None:
    """Write rows; sixteen bytes at a time where a row is a multiple of that, which PyTorch's copy does faster."""
    if table_VD.shape[1] * table_VD.element_size() % 16 == 0:
        table_VD, rows_ND = table_VD.view(torch.complex128), rows_ND.view(torch.complex128)
    table_VD.index_copy_(0, ids_N, rows_ND)
