"""The terms there are: what is known of items at a time, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from negsample.errors import guarded
from negsample.plugins import Registry

Features = Callable[[Any, NDArray[np.int64]], Iterable[NDArray[np.float32]]]
"""From a :class:`~negsample.Dataset` and ascending times in microseconds to (V + 1, columns) features as of each."""
MOST = 100  # columns


class TermDefinition(NamedTuple):
    """A term: its features of all items as of some times, and how many columns they have.

    ``features`` None: it is of a user's own items instead, see :mod:`negsample.models.terms`.
    """

    features: Features | None
    columns: int = 1


class Laid(NamedTuple):
    """Where the features of the term ``name`` lie among those of a model: columns ``start .. stop - 1``."""

    name: str
    features: Features
    start: int
    stop: int


def _check(name: str, term: TermDefinition) -> None:
    if not isinstance(term, TermDefinition) or not callable(term.features):
        raise ValueError("it is a TermDefinition(features, columns) with a function of a Dataset and times")
    if isinstance(term.columns, bool) or not isinstance(term.columns, int) or not 1 <= term.columns <= MOST:
        raise ValueError(f"columns must be a whole number from 1 to {MOST}, got {term.columns!r}")


_ITEMS = ("popularity", "recency")
TERMS: Registry[TermDefinition] = Registry(
    "term",
    {name: EntryPoint(name, f"negsample.scoring.lately:{name.upper()}", "") for name in _ITEMS}
    | {"repeats": TermDefinition(None, 0)},
    check=_check,
)
"""All terms by name. Their names are needed where settings are checked, what they compute only above."""


def laid_out(names: Sequence[str]) -> tuple[Laid, ...]:
    """The columns of a model with the terms ``names``, negsample's own first.

    Popularity and recency are there both or not at all: what one model knows serves every other.
    """
    own = _ITEMS if set(_ITEMS) & set(names) else ()
    laid: list[Laid] = []
    for name in (*own, *(each for each in names if each not in _ITEMS)):
        features, columns = TERMS[name]
        start = laid[-1].stop if laid else 0
        if features is not None:
            laid.append(Laid(name, features, start, start + columns))
    return tuple(laid)


@guarded
def register_term(name: str, features: Features, *, columns: int = 1, replace: bool = False) -> Features:
    """Add a term of your own, which is then one of the names in ``terms=NAME``; returns ``features``.

    Args:
        name: see :meth:`negsample.plugins.Registry.register`.
        features: takes a :class:`~negsample.Dataset` and (C,) times in microseconds, ascending, and yields for each
            the (V + 1, columns) float32 features of all items as of it; row 0 is no item. Nothing at or after a time
            may be used: of events ask ``data.known`` alone, of items ``data.item_ids()``. Values are of the order of 1.
        columns: F, each with a weight that is learned.
        replace: take the place of one that was registered before; never of negsample's own.

    Example:
        >>> register_term("events", lambda data, times: (
        ...     np.log1p(data.known.counts(np.arange(data.catalogue_size + 1), time))[:, None] for time in times
        ... ))  # doctest: +SKIP

    Raises:
        InputError: the name is taken or is none, ``features`` is no function, or ``columns`` no number from 1 on.
    """
    TERMS.register(name, TermDefinition(features, columns), replace=replace)
    return features
