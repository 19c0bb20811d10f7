"""The first seat: what a proposal of negatives is."""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from negsample.data.batches import Batch


class Negatives(NamedTuple):
    """Item ids that a proposal drew, with their probability.

    ``ids``: (K,) shared by the batch or (B, K) per sequence, items ``1..V``; ``0`` where nothing was left to draw:
    absent, its score is ``-inf``. ``log_q``: same shape, log-probability that one draw of this proposal gives the
    id, after exclusion (for a mixture: the mixture's); ``-inf`` where absent.
    """

    ids: Tensor
    log_q: Tensor


class Sampler(Protocol):
    """Proposes negatives from the batch and the data alone, never from scores."""

    @property
    def k(self) -> int | Literal["all"]:
        """Draws a sequence; ``"all"``: one for each target of the batch."""
        ...

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Tensor:
        """Ids alone, as in :class:`Negatives`; ``rng`` lives on the batch's device."""
        ...

    def sample(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """The ids of :meth:`draw` with their ``log_q``, for losses and selectors that correct for it."""
        ...

    def log_prob(self, ids_BK: Tensor, batch: Batch) -> Tensor:
        """(B, K) log-probability that one draw for sequence b gives ``ids_BK[b, k]``, after exclusion."""
        ...
