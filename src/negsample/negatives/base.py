"""The first seat: what a proposal of negatives is."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from negsample.data.batches import Batch

Per = Literal["batch", "sequence", "position"]
"""Who shares a draw: ids are (K,) for the whole batch, (B, K) a sequence, or (T, K) a position."""
PER: tuple[Per, ...] = ("batch", "sequence", "position")  # from coarse to fine


class Negatives(NamedTuple):
    """Item ids that a proposal drew, with their probability.

    ``ids``: (K,) shared by the batch, (B, K) per sequence or (T, K) per position, items ``1..V``; ``0`` where nothing
    was left to draw: absent, its score is ``-inf``. ``log_q``: same shape, log-probability that one draw of this
    proposal gives the id, after what is excluded at the draw (for a mixture: the mixture's); ``-inf`` where absent.
    """

    ids: Tensor
    log_q: Tensor


class Sampler(Protocol):
    """Proposes negatives from the batch and the data alone, never from scores."""

    @property
    def k(self) -> int | Literal["all"]:
        """Draws for each batch, sequence or position; ``"all"``: as many as the batch has targets."""
        ...

    @property
    def per(self) -> Per:
        """Who shares a draw."""
        ...

    @property
    def frozen(self) -> int:
        """How many ids at the end of the last draw take no gradient."""
        ...

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Tensor:
        """Ids alone, as in :class:`Negatives`; ``rng`` lives on the batch's device."""
        ...

    def sample(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """The ids of :meth:`draw` with their ``log_q``, for losses and selectors that correct for it."""
        ...

    def log_prob(self, ids: Tensor, batch: Batch, *, per: Per) -> Tensor:
        """Log-probability of one draw of ``ids`` in the granularity ``per``, after what is excluded there."""
        ...


def check_draws(k: int, per: Per) -> None:
    """Refuses a senseless number of draws or granularity.

    Raises:
        ValueError: as it says.
    """
    if k < 1:
        raise ValueError(f"k must be >= 1, got {k}")
    if per not in PER:
        raise ValueError(f"per must be one of {', '.join(PER)}, got {per!r}")
