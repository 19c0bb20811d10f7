"""Whether the numbers of a model are finite, asked where the answer costs least."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from negsample.errors import InputError
from negsample.parallel.processes import Processes

_AT_ONCE = 1 << 22  # numbers: whether they are finite takes as much memory again


class NotFiniteError(InputError):
    """What is to be ranked is no number."""


def all_finite(weights: Iterable[Tensor]) -> bool:
    """Whether all numbers are, some at a time."""
    parts = (part for each in weights for part in torch.split(each.reshape(-1), _AT_ONCE))
    return all(bool(part.isfinite().all()) for part in parts)


class Finite:
    """Whether numbers are finite. A GPU is asked once, at the end: the CPU has to wait for the answer. So are
    several processes, which have to end alike."""

    def __init__(self, device: torch.device, processes: Processes | None) -> None:
        self._so_far, self._processes = torch.ones((), dtype=torch.bool, device=device), processes

    def check(self, numbers: Tensor) -> None:
        """These are looked at too."""
        found = torch.isfinite(numbers).all()
        if found.device.type == "cpu" and self._processes is None:
            self._refuse(found)
        else:
            self._so_far &= found

    def sure(self) -> None:
        """Refuses them, if one of all is not."""
        if self._processes is not None:
            self._so_far = self._processes.sum((~self._so_far).float()) == 0
        self._refuse(self._so_far)

    @staticmethod
    def _refuse(are_finite: Tensor) -> None:
        if not bool(are_finite):
            raise NotFiniteError("the model's numbers are not finite: training diverged; take a smaller learning_rate")
