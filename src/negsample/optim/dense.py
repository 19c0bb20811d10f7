"""Adam for parameters that every step touches as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

BETAS = (0.9, 0.98)  # the reference's
EPS = 1e-8


class DenseAdam:
    """Adam over all of some parameters, as the reference has it.

    What ``torch.optim.Adam(fused=True)`` computes, without its hooks and groups, which take as long as the update
    of a small model.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], *, lr: float) -> None:
        self.lr = lr
        self._parameters = [each for each in parameters if each.requires_grad]
        self._first = [torch.zeros_like(each) for each in self._parameters]
        self._second = [torch.zeros_like(each) for each in self._parameters]
        self._steps = [torch.zeros((), device=each.device) for each in self._parameters]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for each in self._parameters:
            each.grad = None

    def state_dict(self) -> dict[str, list[Tensor]]:
        """What has been gathered so far: moments and steps of each parameter, in their order."""
        return {"first": self._first, "second": self._second, "steps": self._steps}

    def load_state_dict(self, state: Mapping[str, list[Tensor]]) -> None:
        """Go on from ``state``, of an optimizer of the same parameters."""
        for own, kept in ((self._first, "first"), (self._second, "second"), (self._steps, "steps")):
            for each, value in zip(own, state[kept], strict=True):
                each.copy_(value)

    @torch.no_grad()
    def step(self) -> None:
        """Learn from them; a parameter without one stays."""
        learning = [number for number, each in enumerate(self._parameters) if each.grad is not None]
        if learning:
            adam_step(
                [self._parameters[number] for number in learning],
                [self._first[number] for number in learning],
                [self._second[number] for number in learning],
                [self._steps[number] for number in learning],
                [gradient for each in self._parameters if (gradient := each.grad) is not None],
                lr=self.lr,
            )


def adam_step(
    values: Sequence[Tensor],
    first: list[Tensor],
    second: list[Tensor],
    steps: list[Tensor],
    gradients: list[Tensor],
    *,
    lr: float,
    betas: tuple[float, float] = BETAS,
    eps: float = EPS,
) -> None:
    """One step of Adam in place, by PyTorch's fused kernel; ``steps``: how many each value has made."""
    adam(
        list(values),
        gradients,
        first,
        second,
        [],
        steps,
        fused=True,
        amsgrad=False,
        beta1=betas[0],
        beta2=betas[1],
        lr=lr,
        weight_decay=0.0,
        eps=eps,
        maximize=False,
    )
