"""How much several processes hold and send, by arithmetic: nothing is built, nothing sent."""

from __future__ import annotations

from typing import NamedTuple

_FLOAT, _ID = 4, 8
_OF_A_TARGET = 3  # numbers: its sequence, its item, its user


class Sent(NamedTuple):
    """Bytes that one of several processes sends in a step, on average over them.

    Attributes:
        ids: of the rows that it asks for.
        rows: that others ask for.
        gradients: of rows that others hold.
        targets: of its share of the batch, to each other process.
        dense: gradients of the other parameters.
    """

    ids: float
    rows: float
    gradients: float
    targets: float
    dense: float

    @property
    def total(self) -> float:
        """All of them."""
        return sum(self)


def sent_in_a_step(*, rows: float, dim: int, targets: float, dense: int, processes: int) -> Sent:
    """What a process sends in a step of a table that is divided over so many ``processes``.

    Each is taken to hold as much of what is asked for as any other; gloo and NCCL add up dense gradients in a ring.

    Args:
        rows: U, distinct items in a process's share of a step: inputs, targets and negatives.
        dim: D.
        targets: of the whole batch.
        dense: parameters beside the table.
        processes: N.

    Example:
        >>> sent_in_a_step(rows=1000, dim=64, targets=3000, dense=70_000, processes=2).total
        576000.0
    """
    elsewhere = (processes - 1) / processes
    row = _FLOAT * dim * rows * elsewhere
    return Sent(
        ids=_ID * rows * elsewhere,
        rows=row,
        gradients=row,
        targets=_OF_A_TARGET * _ID * targets * elsewhere,
        dense=2 * _FLOAT * dense * elsewhere,
    )


def share_of_table(rows: int, processes: int) -> float:
    """The largest part of a table of so many ``rows`` that a process has, from 0 to 1."""
    return -(-rows // processes) / rows
