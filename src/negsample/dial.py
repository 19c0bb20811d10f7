"""The popularity dial: after training, the ranking moves towards the tail or the head.

``s'(u, i) = s(u, i) + beta log p(i)``, ``p`` the item's share of training targets (logit adjustment after training:
Menon et al., ICLR'21). ``beta < 0`` moves to the tail, ``beta > 0`` to the head, 0 changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.config import InputError
from negsample.evaluation import Evaluation
from negsample.ranking import Dials

BETAS = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)
"""The settings that a frontier has, and among which one is chosen."""

_BEST_BY, _BALANCE = "ndcg@10", "balance@10"


def log_shares(target_counts: Tensor | NDArray[np.int64]) -> Tensor:
    """(V + 1,) float64 ``log p`` of each id; an item that is no training target has the share of a single one.

    Args:
        target_counts: (V + 1,) how often each id is a target in an epoch of training.
    """
    copied = target_counts if isinstance(target_counts, Tensor) else torch.from_numpy(np.array(target_counts))
    counts = copied.double()
    return torch.log(counts.clamp(min=1) / counts.sum().clamp(min=1))


def dials(target_counts: Tensor | NDArray[np.int64], betas: Sequence[float] = BETAS) -> Dials:
    """The settings ``betas`` for the items with these counts."""
    return Dials(log_shares(target_counts), tuple(betas))


class Choice(NamedTuple):
    """How a dial is chosen: a ``number``, or by validation, the best NDCG@10 among settings of at least ``balance``
    (None: of all)."""

    number: float | None
    balance: float | None = None

    def of(self, valid: Sequence[Evaluation], betas: Sequence[float]) -> float:
        """The setting, from what each of ``betas`` gave on validation; of equals that nearest to 0.

        Raises:
            InputError: none reaches the balance.
        """
        if self.number is not None:
            return self.number
        reaching = [
            (each.figures[_BEST_BY], -abs(beta), beta)
            for each, beta in zip(valid, betas, strict=True)
            if self.balance is None or each.figures[_BALANCE] >= self.balance
        ]
        if not reaching:
            most = max((each.figures[_BALANCE] for each in valid), default=math.nan)
            raise InputError(
                f"no dial from {betas[0]:g} to {betas[-1]:g} reaches Balance {self.balance:g} on validation, the most "
                f"is {most:.3f}; ask for less, or for --dial auto"
            )
        return max(reaching)[2]


def parse_choice(given: str) -> Choice:
    """What ``--dial`` says: ``none``, ``auto``, a number, or ``balance:X`` with X from 0 to 1.

    Raises:
        InputError: it is none of these.
    """
    rule = "give none, auto, a number such as -0.5, or balance:X with X from 0 to 1 such as balance:0.7"
    name, _, value = given.partition(":")
    if given in ("none", "auto"):
        return Choice(0.0 if given == "none" else None)
    try:
        number = float(value if name == "balance" else given)
    except ValueError:
        raise InputError(f"--dial '{given}' is not known; {rule}") from None
    if not math.isfinite(number) or (name == "balance" and not 0 <= number <= 1):
        raise InputError(f"--dial '{given}' is out of range; {rule}")
    return Choice(None, number) if name == "balance" else Choice(number)
