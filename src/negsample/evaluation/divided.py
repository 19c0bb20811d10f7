"""Item tables whose rows are divided over processes, as evaluation sees them."""

from __future__ import annotations

from typing import Protocol, cast

from torch import Tensor

from negsample.parallel.shards import Shards


class DividedItems(Protocol):
    """A table whose rows are divided over processes has these too."""

    @property
    def shards(self) -> Shards:
        """Which rows are in this process."""
        ...

    def block_here(self, start: int, stop: int) -> Tensor:
        """Rows of a stretch of ids that are all here."""
        ...


def divided(table: object) -> DividedItems | None:
    """``table``, where its rows are divided over processes."""
    return None if getattr(table, "shards", None) is None else cast("DividedItems", table)
