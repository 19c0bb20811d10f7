"""One command as the work of several processes, of which one speaks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from negsample.cli.console import be_silent
from negsample.parallel.launch import check_alone, launched

if TYPE_CHECKING:
    from negsample.parallel.processes import Processes


@contextmanager
def divided() -> Iterator[Processes | None]:
    """The processes that torchrun started, which have a part of each item table; None: this one is alone."""
    if not launched():
        yield None
        return
    with _together() as processes:
        yield processes


@contextmanager
def _together() -> Iterator[Processes]:
    from negsample.parallel.processes import together

    with together() as processes:
        if not processes.is_first:
            be_silent()
        yield processes


@contextmanager
def shared(table: str | None) -> Iterator[Processes | None]:
    """The processes that train a model with this ``table`` together; None: this one does it alone.

    Raises:
        InputError: there are several, and the table is none that they can share.
    """
    if table != "sharded":
        check_alone("train without --set table=sharded")
        yield None
        return
    with _together() as processes:
        yield processes
