"""Few methods that have every way to draw, to select and to remember among them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from negsample.methods import METHODS, build_method, negative_settings
from negsample.methods.definition import Catalogue

_COUNTS = torch.tensor([0, 5, 4, 3, 2, 1])


def _parts(part: Any) -> Iterator[str]:
    """The classes of a part of a method, and of what it is made of."""
    if type(part).__module__.startswith("negsample."):
        yield type(part).__name__
    inside = part if isinstance(part, tuple | list) else vars(part).values() if hasattr(part, "__dict__") else ()
    for each in inside:
        yield from _parts(each)


def _kind(name: str) -> set[str]:
    built = build_method(name, Catalogue(5, _COUNTS, _COUNTS), negative_settings(name, {}))
    return {*_parts((built.sampler, built.miner, built.memory))}


def _few() -> tuple[str, ...]:
    kinds = {name: _kind(name) for name in METHODS}
    kept, seen = set[str](), set[str]()
    for name in sorted(kinds, key=lambda each: -len(kinds[each])):
        if kinds[name] - seen:
            kept.add(name)
            seen |= kinds[name]
    return tuple(name for name in METHODS if name in kept)


KINDS = _few()
"""Methods that have every class of samplers, of miners and of memories among them: for what no loss has a part in."""
