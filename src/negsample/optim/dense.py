"""Adam for parameters that every step touches as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

BETAS = (0.9, 0.98)  # the reference's
EPS = 1e-8
_PLAIN: dict[str, Any] = {"fused": True, "weight_decay": 0.0, "amsgrad": False, "maximize": False}


class DenseAdam:
    """Adam over all of some parameters, as the reference has it.

    What ``torch.optim.Adam(fused=True)`` computes, without its hooks and groups, which take as long as the update
    of a small model.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], *, lr: float) -> None:
        self.lr = lr
        self._parameters = [each for each in parameters if each.requires_grad]
        self._state = {
            "first": [torch.zeros_like(each) for each in self._parameters],
            "second": [torch.zeros_like(each) for each in self._parameters],
            "steps": [torch.zeros((), device=each.device) for each in self._parameters],
        }

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for each in self._parameters:
            each.grad = None

    def state_dict(self) -> dict[str, list[Tensor]]:
        """What has been gathered so far: moments and steps of each parameter, in their order."""
        return self._state

    def load_state_dict(self, state: Mapping[str, list[Tensor]]) -> None:
        """Go on from ``state``, of an optimizer of the same parameters."""
        for name, own in self._state.items():
            for each, value in zip(own, state[name], strict=True):
                each.copy_(value)

    @torch.no_grad()
    def step(self) -> None:
        """Learn from them; a parameter without one stays."""
        every = zip(self._parameters, *self._state.values(), strict=True)
        learning = [(*each, gradient) for each in every if (gradient := each[0].grad) is not None]
        if learning:
            adam_step(*(list(column) for column in zip(*learning, strict=True)), lr=self.lr)


def adam_step(
    values: list[Tensor],
    first: list[Tensor],
    second: list[Tensor],
    steps: list[Tensor],
    gradients: list[Tensor],
    *,
    lr: float,
) -> None:
    """One step of Adam in place, by PyTorch's fused kernel; ``steps``: how many each value has made."""
    beta1, beta2 = BETAS
    adam(values, gradients, first, second, [], steps, lr=lr, beta1=beta1, beta2=beta2, eps=EPS, **_PLAIN)
