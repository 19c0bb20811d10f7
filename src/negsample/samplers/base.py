"""What a sampler is, and the negatives that it draws."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from negsample.batches.packed import Batch

Per = Literal["batch", "sequence", "position"]
"""Who shares a draw: ids are (K,) for the whole batch, (B, K) a sequence, or (T, K) a position."""
PER: tuple[Per, ...] = ("batch", "sequence", "position")  # from coarse to fine


class Negatives(NamedTuple):
    """Item ids that a sampler drew, with what a correction and a mask must know of them.

    Attributes:
        ids: (K,) shared by the batch, (S, 1, K) by the sequences of each of S models, (B, K) per sequence or (T, K) per
            position, items ``1..V``; ``0``, padding, where
            there is no valid negative: its score is ``-inf``.
        log_q: log-probability that one draw of the sampler gives the id, after exclusion at the draw (for a mixture:
            the mixture's); ``-inf`` for padding. Its shape is that of ``ids``, but (B, K) for shared ids of which some
            are a sequence's own. None where only ids were asked for.
        owner: (N,), or (S, N), for the first N of shared ids whose occurrence each is, as in ``batch.users_B``;
            ``NOBODY`` (-1): of no known user. What is a user's own is never a negative for them. None: all ids are of
            nobody.
        frozen: how many ids at the end take no gradient.
        pos_log_q_T, masked_T: for miners that need them, see :class:`~negsample.miners.base.Scored`; they come from
            :func:`negsample.training.inputs.propose`.
    """

    ids: Tensor
    log_q: Tensor | None = None
    owner: Tensor | None = None
    frozen: int = 0
    pos_log_q_T: Tensor | None = None
    masked_T: Tensor | None = None


class Sampler(Protocol):
    """Draws negatives from the batch and the data alone, never from scores.

    One whose ``of_several`` is true draws for a batch of several models too, with a generator of each: all models' rows
    at once, each as its model's alone.
    """

    @property
    def k(self) -> int | Literal["all"]:
        """Draws for each batch, sequence or position; ``"all"``: as many as the batch has targets."""

    @property
    def per(self) -> Per:
        """Who shares a draw."""

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """Without ``log_q``; ``rng`` lives on the batch's device."""

    def sample(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """What :meth:`draw` gives with its ``log_q``, for miners that correct for it: :func:`draw_with_log_q`."""

    def log_prob(self, ids: Tensor, batch: Batch, *, per: Per, rows: Tensor | None = None) -> Tensor:
        """Log-probability of one draw of ``ids`` in the granularity ``per``, after what is excluded there.

        ``ids``: (N, K) for the N rows of ``batch`` in that granularity, or (K,), the same for each. ``rows``: (N,)
        which rows, sequences or positions; None: all. The result has the shape of ``ids``, or (N, K) where rows differ.

        With ``per="batch"`` it is the distribution for no user in particular: nothing is excluded, and nothing is
        anybody's own. A sampler with a memory, or a mixture, answers for its last draw.
        """


def draw_with_log_q(self: Sampler, batch: Batch, *, rng: torch.Generator) -> Negatives:
    """Draws with their ``log_q``: the method ``sample`` of any sampler, made of its ``draw`` and ``log_prob``.

    A shared draw is another one for each sequence where some of it is its own: what is left of it for a user are draws
    from the distribution without what is theirs.
    """
    drawn = self.draw(batch, rng=rng)
    ids, owner = drawn.ids, drawn.owner
    if owner is None:
        return drawn._replace(log_q=self.log_prob(ids, batch, per=self.per))
    log_q_BK = self.log_prob(batch.by_sequence(ids), replace(batch, exclude="none"), per="sequence")
    if log_q_BK.dim() == 1:
        log_q_BK = log_q_BK.repeat(batch.sequences, 1)
    log_q_BK[:, : owner.shape[-1]].masked_fill_(own_mask(owner, batch), -math.inf)
    return drawn._replace(log_q=log_q_BK)


def draws_of_several(sampler: Sampler) -> bool:
    """Whether ``sampler`` draws for a batch of several models."""
    return bool(getattr(sampler, "of_several", False))


def own_mask(owner_N: Tensor, batch: Batch) -> Tensor:
    """(B, N) whether a shared id is an occurrence of the sequence's own user."""
    return batch.by_sequence(owner_N) == batch.users_B.unsqueeze(1)


def check_draws(k: int, per: Per) -> None:
    """Refuse less than one draw, and a granularity that is none, with a ``ValueError``."""
    if k < 1:
        raise ValueError(f"k must be >= 1, got {k}")
    if per not in PER:
        raise ValueError(f"per must be one of {', '.join(PER)}, got {per!r}")
