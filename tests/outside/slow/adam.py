"""Adam (Kingma & Ba, 2015) over every row of every table, in double precision."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

BETAS = (0.9, 0.98)
EPS = 1e-8


class Adam:
    """Moments of each named value; a row without a gradient has the gradient zero and goes on moving."""

    def __init__(self, values: Mapping[str, Tensor], rate: float) -> None:
        self.rate, self.steps = rate, 0
        self.first = {name: torch.zeros_like(value, dtype=torch.float64) for name, value in values.items()}
        self.second = {name: torch.zeros_like(value, dtype=torch.float64) for name, value in values.items()}

    def step(self, values: Mapping[str, Tensor], gradients: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The values after one step."""
        self.steps += 1
        found = {}
        for name, gradient in gradients.items():
            self.first[name] = BETAS[0] * self.first[name] + (1 - BETAS[0]) * gradient
            self.second[name] = BETAS[1] * self.second[name] + (1 - BETAS[1]) * gradient**2
            mean = self.first[name] / (1 - BETAS[0] ** self.steps)
            square = self.second[name] / (1 - BETAS[1] ** self.steps)
            found[name] = values[name].detach() - self.rate * mean / (square.sqrt() + EPS)
        return found
