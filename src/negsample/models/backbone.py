"""What training and evaluation need of a model, and no more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from negsample.batches.packed import Packed
from negsample.models.item_table import ItemTable


class Backbone(Protocol):
    """A module with an item table that turns a history into one state a position, to be scored against the table."""

    @property
    def table(self) -> ItemTable:
        """The item embeddings."""
        ...

    @property
    def max_length(self) -> int:
        """L."""
        ...

    def __call__(self, vectors_TD: Tensor, packed: Packed, rng: torch.Generator | None = None) -> Tensor:
        """(T, D) states; with ``rng`` as in training."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """As of any module."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """As of any module."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> Any:
        """As of any module."""
        ...
