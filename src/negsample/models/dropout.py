"""Dropout with a generator of its own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_STEPS = 1 << 16


def dropout(values: Tensor, share: float, rng: torch.Generator | None) -> Tensor:
    """``values`` with ``share`` of them zero and the rest scaled by ``1 / (1 - share)``; as they are without rng.

    PyTorch's own takes no generator. Sixteen random bits a value, so ``share`` is rounded to a multiple of 2^-16
    (and the scale with it); four values share one 64-bit draw, which on a CPU is seven times faster than a
    Bernoulli draw each.
    """
    if rng is None or share == 0:
        return values
    return values * _factors(values.detach(), share, rng)


class JointFactors:
    """What several models' values are multiplied by for dropout, each model's from its own generator: what each would
    drop alone. All is drawn when it is made, in one go from each generator.

    Args:
        share: of the values that are dropped.
        rngs: a generator for each model.
        sizes: of each call to come, how many values each model has.
        device: where all is.
    """

    def __init__(
        self, share: float, rngs: Sequence[torch.Generator], sizes: Sequence[Sequence[int]], device: torch.device
    ) -> None:
        words = [[_words(of_call[model]) for of_call in sizes] for model in range(len(rngs))]
        every = torch.empty(sum(map(sum, words)), dtype=torch.int64, device=device)
        for rng, own in zip(rngs, torch.split(every, [sum(each) for each in words]), strict=True):
            own.random_(-(1 << 63), None, generator=rng)
        factors = iter(torch.split(_of_bits(every.view(torch.int16), share), [4 * n for own in words for n in own]))
        of_models = [[next(factors)[: of_call[model]] for of_call in sizes] for model in range(len(rngs))]
        self._calls = iter(zip(*of_models, strict=True))

    def next(self) -> Sequence[Tensor]:
        """Of the next call: of each model, 0 or ``1 / (1 - share)`` for each of its values, float32."""
        return next(self._calls)


def _words(values: int) -> int:
    return (values + 3) // 4


def _factors(values: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """0 or ``1 / (1 - share)`` for each of ``values``, in their order."""
    words = torch.empty(_words(values.numel()), dtype=torch.int64, device=values.device)
    words.random_(-(1 << 63), None, generator=rng)
    return _of_bits(words.view(torch.int16)[: values.numel()].view(values.shape), share, values.dtype)


def _of_bits(bits: Tensor, share: float, dtype: torch.dtype = torch.float32) -> Tensor:
    dropped = min(round(share * _STEPS), _STEPS - 1)
    keep = torch.ge(bits, dropped - _STEPS // 2, out=torch.empty(bits.shape, dtype=dtype, device=bits.device))
    return keep.mul_(_STEPS / (_STEPS - dropped))
