"""What a miner is: it selects among scored negatives, or changes their scores."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

Needs = frozenset[Literal["log_q", "pos_log_q", "masked", "ids", "whole"]]
NOTHING: Needs = frozenset()


class Scored(NamedTuple):
    """The scores of a batch's positions, as a miner takes and returns them.

    ``pos_T``: of each position's target. ``neg_TK``: of its negatives, ``-inf`` where absent. ``log_q_TK`` and
    ``ids_TK`` of the negatives; ``pos_log_q_T``, the log-probability of the target as any draw of the batch, before
    anything is excluded or a user's own; and ``masked_T``, the probability that a draw is masked when it is scored: all
    are there when the miner needs them. ``m_T``: how many negatives each position drew, masked ones included; None:
    those whose ``log_q`` is above ``-inf``.
    """

    pos_T: Tensor
    neg_TK: Tensor
    log_q_TK: Tensor | None = None
    pos_log_q_T: Tensor | None = None
    ids_TK: Tensor | None = None
    masked_T: Tensor | None = None
    m_T: Tensor | None = None

    def drawn(self) -> Tensor:
        """(T,) how many negatives each position drew; see ``m_T``."""
        if self.m_T is not None:
            return self.m_T
        assert self.log_q_TK is not None
        return (self.log_q_TK > -math.inf).sum(1)

    def take(self, columns_TN: Tensor) -> Scored:
        """The negatives in these columns."""

        def taken(of: Tensor | None) -> Tensor | None:
            return None if of is None else torch.gather(of, 1, columns_TN)

        neg_TN = torch.gather(self.neg_TK, 1, columns_TN)
        return self._replace(neg_TK=neg_TN, log_q_TK=taken(self.log_q_TK), ids_TK=taken(self.ids_TK), m_T=None)


def check_needs(needs: Needs, scored: Scored) -> None:
    """Refuse scores that lack what a miner needs, with a ``ValueError``."""
    fields = {"log_q_TK": "log_q", "pos_log_q_T": "pos_log_q", "masked_T": "masked", "ids_TK": "ids"}
    missing = sorted(name for field, name in fields.items() if name in needs and getattr(scored, field) is None)
    if missing:
        raise ValueError(
            f"the miner needs {', '.join(missing)}, which the scores came without: pass needs=miner.needs to score() "
            "(and for pos_log_q and masked the negatives of propose()); BatchMix has no log_q and comes last"
        )


class Miner(Protocol):
    """From the scores of all negatives to those that the loss is computed with.

    ``needs``: which fields of :class:`Scored` must be there; ``whole``: the batch at once and once only, not in parts.
    One whose ``of_several`` is true draws nothing and sees each position by itself, so that positions may be those of
    several models.
    """

    @property
    def needs(self) -> Needs:
        """Names of :class:`Scored`'s further fields, and ``whole``."""

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """The scores for the loss."""


def selects_for_several(miner: Miner) -> bool:
    """Whether ``miner`` takes the scores of several models."""
    return bool(getattr(miner, "of_several", False))


class KeepAll:
    """Every negative."""

    needs = NOTHING
    of_several = True

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """The same scores."""
        return scored


class Chain:
    """Several miners, each applied to what the one before returns."""

    def __init__(self, *steps: Miner) -> None:
        if not steps:
            raise ValueError("at least one miner is needed; KeepAll() keeps all")
        self.steps = steps
        self.needs: Needs = frozenset().union(*(step.needs for step in steps))
        self.of_several = all(map(selects_for_several, steps))
        self.adds = sum(getattr(step, "adds", 0) for step in steps)  # scores a position that are made of the proposed

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """See the class."""
        for step in self.steps:
            scored = step(scored, rng=rng)
        return scored
