"""Arguments of public functions, checked at the door: what is wrong is said there, and not by whatever meets it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from pathlib import Path
from types import UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

P = ParamSpec("P")
R = TypeVar("R")
W = TypeVar("W", bound=str)

SEEDS = 2**31 - 2_000_000
"""Seeds are below it, so that those of repeats and searches fit in 32 bits too."""

_SHOWN = 80  # characters of a value
_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


class InputError(ValueError):
    """What a person gave is wrong; the message names the value, the rule and the way out (exit code 2), on one line."""

    def __init__(self, message: str = "") -> None:
        super().__init__("".join(repr(each)[1:-1] if each in _BREAKS else each for each in message))


class FailedError(Exception):
    """Runs or searches failed; everything else is done (exit code 3).

    Attributes:
        lines: what failed and why, a line each.
        page: the report of the study, where there is one.
    """

    def __init__(self, lines: Sequence[str], page: Path | None = None) -> None:
        super().__init__("; ".join(lines))
        self.lines, self.page = list(lines), page


def guarded(function: Callable[P, R]) -> Callable[P, R]:
    """``function``, which refuses an argument that is not of its annotated type, with the rule and the value.

    Text stands for a path, and a whole number for another number, never true or false for either. What a sequence
    holds is checked, what a mapping holds is not; of a protocol, that there is what it names.
    """
    signature = inspect.signature(function)

    @wraps(function)
    def checking(*given: P.args, **named: P.kwargs) -> R:
        for name, value in signature.bind(*given, **named).arguments.items():
            kind = _kind(function, signature.parameters[name].annotation)
            if not _fits(value, kind):
                raise InputError(f"{function.__name__}: {name} must be {_words(kind)}, got {shown(value)}")
        return function(*given, **named)

    return checking


def whole(name: str, value: Any, low: int, high: int) -> int:
    """``value``, a whole number from ``low`` to ``high``, or an :class:`InputError`."""
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"{name} must be a whole number from {low:,} to {high:,}, got {shown(value)}")
    return value


def some(name: str, values: Sequence[Any]) -> None:
    """Refuses a sequence with nothing in it by an :class:`InputError`."""
    if not values:
        raise InputError(f"{name} must not be empty")


def check_word(name: str, given: W, known: Sequence[str]) -> W:
    """``given``, where it is one of the ``known`` words; no other is taken for one, it is an :class:`InputError`."""
    if given not in known:
        raise InputError(f"{name} must be {' or '.join(map(repr, known))}, got {given!r}")
    return given


@cache
def _kind(function: Callable[..., Any], annotation: Any) -> Any:
    """What an annotation stands for; where its names are not there when it runs, anything."""
    try:
        return eval(annotation, vars(sys.modules[function.__module__])) if isinstance(annotation, str) else annotation
    except NameError:
        return Any


def _fits(value: Any, kind: Any) -> bool:
    origin = get_origin(kind)
    if kind in (Any, object, inspect.Parameter.empty):
        return True
    if kind is None:
        return value is None
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in get_args(kind))
    if origin is Literal:
        return any(value is each or (isinstance(value, str) and value == each) for each in get_args(kind))
    if origin is Sequence:
        return (
            isinstance(value, Sequence)
            and not isinstance(value, str | bytes)
            and all(_fits(each, get_args(kind)[0]) for each in value)
        )
    if kind in (int, float):
        return isinstance(value, int if kind is int else int | float) and not isinstance(value, bool)
    if kind is Path:
        return isinstance(value, Path | str) and "\0" not in str(value)
    if kind is str:
        return isinstance(value, str) and "\0" not in value
    plain = origin or kind
    if plain is Callable:
        return callable(value)
    if getattr(plain, "_is_protocol", False):
        return all(hasattr(value, name) for name in (*inspect.get_annotations(plain), *vars(plain)) if name[0] != "_")
    return isinstance(value, plain) if isinstance(plain, type) else True


def _words(kind: Any) -> str:
    origin, of = get_origin(kind), get_args(kind)
    if kind is None or kind is type(None):
        return "None"
    if origin in (Union, UnionType):
        return " or ".join(dict.fromkeys(_words(each) for each in of))
    if origin is Literal:
        return " or ".join(map(repr, of))
    if origin is Sequence:
        return "a list" if of[0] is Any else f"a list, each of it {_words(of[0])}"
    named = {int: "a whole number", float: "a number", str: "text", Path: "a path", bool: "True or False"}
    plain = origin or kind
    if plain is Mapping:
        return "a dictionary"
    if plain in named:
        return named[plain]
    return "a function" if getattr(plain, "__name__", "") == "Callable" else f"a {getattr(plain, '__name__', plain)}"


def shown(value: Any) -> str:
    """A value for a message: itself where it is short, else how it begins, or of what type it is."""
    text = repr(value) if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
