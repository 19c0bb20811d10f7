"""One function for each of some things: here, one after another, or in other processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import Any, Protocol, TypeVar

A = TypeVar("A")
R = TypeVar("R")


class Each(Protocol):
    """Calls a function of a module once for each of some arguments, here or in other processes.

    Results come in the order of the arguments. The first that fails, in that order, raises its error here.
    """

    def __call__(self, function: Callable[[A], R], arguments: Iterable[A]) -> Iterator[R]:
        """The result for each argument."""
        ...


def here(function: Callable[[A], R], arguments: Iterable[A]) -> Iterator[R]:
    """One after another in this process: an :class:`Each`."""
    return map(function, arguments)


def total(results: Iterable[Any]) -> Any:
    """The sum of results: of numbers and arrays, of tuples and dictionaries value by value."""
    return reduce(_plus, results)


def _plus(one: Any, other: Any) -> Any:
    if isinstance(one, dict):
        return {name: _plus(value, other[name]) for name, value in one.items()}
    if isinstance(one, tuple):
        return tuple(map(_plus, one, other))
    return one + other
