"""The second seat: which of the proposed negatives take part, by their scores."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

Needs = frozenset[Literal["log_q", "pos_log_q", "masked", "ids", "whole"]]
NOTHING: Needs = frozenset()


class Scored(NamedTuple):
    """The scores of a batch's positions, as the second seat takes and gives them.

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
        """The negatives at these places."""

        def taken(of: Tensor | None) -> Tensor | None:
            return None if of is None else torch.gather(of, 1, columns_TN)

        neg_TN = torch.gather(self.neg_TK, 1, columns_TN)
        return self._replace(neg_TK=neg_TN, log_q_TK=taken(self.log_q_TK), ids_TK=taken(self.ids_TK), m_T=None)


def check_needs(needs: Needs, scored: Scored) -> None:
    """Refuses scores that lack what a miner needs.

    Raises:
        ValueError: as it says.
    """
    fields = {
        "log_q": scored.log_q_TK,
        "pos_log_q": scored.pos_log_q_T,
        "masked": scored.masked_T,
        "ids": scored.ids_TK,
    }
    missing = sorted(name for name in needs if name != "whole" and fields[name] is None)
    if missing:
        raise ValueError(
            f"the miner needs {', '.join(missing)}, which the scores came without: hand needs=miner.needs to "
            "score() (and for pos_log_q and masked what propose() gives); BatchMix has no log_q "
            "and comes last"
        )


class Miner(Protocol):
    """From scored proposals to those that take part.

    ``needs``: what of :class:`Scored` must be there; ``whole``: a batch all at once and once only, not part by part.
    """

    @property
    def needs(self) -> Needs:
        """Names of :class:`Scored`'s further fields, and ``whole``."""
        ...

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """The scores that take part."""
        ...


class KeepAll:
    """Every proposed negative."""

    needs = NOTHING

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """As it came."""
        return scored


class Chain:
    """One miner after the other."""

    def __init__(self, *steps: Miner) -> None:
        if not steps:
            raise ValueError("at least one miner is needed; KeepAll() keeps all")
        self.steps = steps
        self.needs: Needs = frozenset().union(*(step.needs for step in steps))
        self.adds = sum(getattr(step, "adds", 0) for step in steps)  # scores a position that are made of the proposed

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """All steps in their order."""
        for step in self.steps:
            scored = step(scored, rng=rng)
        return scored


class Hardest:
    """The ``k`` highest scores of each position (ANS and AMNS of the paper; DNS, Zhang et al., SIGIR'13, for k=1).

    What is not kept is left out (``omit``: the result is (T, k)), or its score becomes 0 and stays in the mean
    (``zero``, the paper's: (T, K), the gradient scaled by k / K, a constant log 2 added to BCE). With fewer than k
    proposed all are kept. Absent ones stay absent.
    """

    needs = NOTHING

    def __init__(self, k: int, *, not_kept: Literal["omit", "zero"] = "omit") -> None:
        if k < 1:
            raise ValueError(f"kept hardest must be >= 1, got {k}")
        if not_kept not in ("omit", "zero"):
            raise ValueError(f"not_kept must be 'omit' or 'zero', got {not_kept!r}")
        self.k, self.not_kept = k, not_kept

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """See the class."""
        neg_TK = scored.neg_TK
        if self.k >= neg_TK.shape[1]:
            return scored
        columns = torch.topk(neg_TK.detach(), self.k, dim=1, sorted=False).indices
        if self.not_kept == "omit":
            return scored.take(columns)
        kept = torch.zeros_like(neg_TK, dtype=torch.bool).scatter_(1, columns, True)
        return scored._replace(neg_TK=torch.where(kept | (neg_TK == -math.inf), neg_TK, 0.0))


class OneOfHardest:
    """One at random of the ``n`` highest scores of each position: DNS(M, N) (Shi et al., WWW'23), M being proposed.

    For n=1 it is DNS (Zhang et al., SIGIR'13). Where fewer than n are present, one of those.
    """

    needs = NOTHING

    def __init__(self, n: int) -> None:
        if n < 1:
            raise ValueError(f"n, of which one is picked, must be >= 1, got {n}")
        self.n = n

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """(T, 1) scores."""
        neg_TK = scored.neg_TK
        if not neg_TK.shape[1]:
            return scored
        best = torch.topk(neg_TK.detach(), min(self.n, neg_TK.shape[1]), dim=1)
        present = (best.values > -math.inf).sum(1).clamp_(min=1)
        uniform = torch.rand(len(neg_TK), generator=rng, device=neg_TK.device)
        pick = torch.minimum((uniform * present).long(), present - 1)
        return scored.take(torch.gather(best.indices, 1, pick.unsqueeze(1)))
