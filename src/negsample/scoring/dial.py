"""The popularity dial: after training, the ranking moves towards the tail or the head.

``s'(u, i) = s(u, i) + beta log p(i)``, ``p`` the item's share of training targets (logit adjustment after training:
Menon et al., ICLR'21). ``beta < 0`` moves to the tail, ``beta > 0`` to the head, 0 changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.errors import InputError, guarded

BETAS = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)
"""The settings that a frontier has, and among which one is chosen."""

LARGEST = 100.0
"""The largest setting, either way: far beyond it only popularity is left."""


class Dials(NamedTuple):
    """Settings of the popularity dial: an item's score becomes ``s + beta log p``.

    ``log_p_V``: (V + 1,) float64, ``log p`` of each id. ``betas``: the settings; 0 leaves the scores as they are.
    """

    log_p_V: Tensor
    betas: Sequence[float]


NO_DIAL = Dials(torch.empty(0), (0.0,))
"""The scores as they are."""


@guarded
def log_shares(target_counts: Tensor | NDArray[np.int64]) -> Tensor:
    """(V + 1,) float64 ``log p`` of each id; an item that is no training target has the share of a single one.

    Args:
        target_counts: (V + 1,) how often each id is a target in an epoch of training, or the sum of their weights.
    """
    copied = target_counts if isinstance(target_counts, Tensor) else torch.from_numpy(np.array(target_counts))
    counts = copied.double()
    return torch.log(counts.clamp(min=1) / counts.sum().clamp(min=1))


@guarded
def dials(target_counts: Tensor | NDArray[np.int64], betas: Sequence[float] = BETAS) -> Dials:
    """The settings ``betas`` for the items with these counts."""
    return Dials(log_shares(target_counts), tuple(betas))


class Choice(NamedTuple):
    """How a dial is chosen: a ``number``, or on validation, the best NDCG@10 among settings of the grid with at least
    the ``balance`` (None: among all)."""

    number: float | None
    balance: float | None = None

    @property
    def text(self) -> str:
        """As ``--dial`` takes it."""
        if self.number is not None:
            return f"{self.number:.15g}" if self.number else "none"
        return "auto" if self.balance is None else f"balance:{self.balance:.15g}"

    def of(self, valid: Sequence[Mapping[str, float | None]], betas: Sequence[float]) -> float:
        """The setting, from the figures that each of ``betas`` gave on validation.

        Of settings with equal NDCG@10 the one with the most Balance, then that nearest to 0.

        Raises:
            InputError: none reaches the balance.
        """
        if self.number is not None:
            return self.number
        offered = [
            (_or_nothing(figures["ndcg@10"]), _or_nothing(figures["balance@10"]), -abs(beta), beta)
            for figures, beta in zip(valid, betas, strict=True)
            if beta in BETAS
        ]
        reaching = [each for each in offered if self.balance is None or each[1] >= self.balance]
        if not reaching:
            most = max(balance for _, balance, *_ in offered)
            said = "it is undefined at all of them" if most < 0 else f"the most is {most:.3f}"
            raise InputError(
                f"no dial from {BETAS[0]:g} to {BETAS[-1]:g} reaches Balance {self.balance:g} on validation, {said}; "
                "ask for less, or for --dial auto"
            )
        return max(reaching)[-1]


NONE = Choice(0.0)
"""The ranking as it was trained."""


def _or_nothing(figure: float | None) -> float:
    """An undefined figure counts below all others."""
    return -1.0 if figure is None or math.isnan(figure) else figure


def parse_choice(given: str) -> Choice:
    """What ``--dial`` says: ``none``, ``auto``, a number from -100 to 100, or ``balance:X`` with X from 0 to 1.

    Raises:
        InputError: it is none of these.
    """
    rule = (
        f"give none, auto, a number from -{LARGEST:g} to {LARGEST:g} such as -0.5, or balance:X with X from 0 to 1 "
        "such as balance:0.7"
    )
    if given in ("none", "auto"):
        return NONE if given == "none" else Choice(None)
    to_balance = given.startswith("balance:")
    low, high = (0.0, 1.0) if to_balance else (-LARGEST, LARGEST)
    try:
        number = float(given.removeprefix("balance:"))
    except ValueError:
        raise InputError(f"--dial '{given}' is not known; {rule}") from None
    if not low <= number <= high:
        raise InputError(f"--dial '{given}' is out of range; {rule}")
    return Choice(None, number) if to_balance else Choice(number + 0.0)
