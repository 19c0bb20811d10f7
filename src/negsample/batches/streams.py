"""Random numbers for a batch of several models: for the rows of each from a generator of its own, as it has alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from negsample.batches.windows import Ints


class Streams(NamedTuple):
    """The generators of several models, in their order."""

    rngs: tuple[torch.Generator, ...]


Chance = torch.Generator | Streams
"""Where random numbers come from: of one model, or of several."""


def uniform(rng: Chance, shape: Sequence[int], device: torch.device, split: Ints | None = None) -> Tensor:
    """Numbers in [0, 1), float64; ``split``: where the rows of each of several models begin, and their end."""
    values = torch.empty(*shape, dtype=torch.float64, device=device)
    for own, part in parts(rng, values, split):
        part.uniform_(generator=own)
    return values


def parts(rng: Chance, values: Tensor, split: Iterable[int] | None) -> Iterator[tuple[torch.Generator, Tensor]]:
    """Each generator with those of the rows of ``values`` that are filled by it."""
    if isinstance(rng, torch.Generator):
        yield rng, values
        return
    assert split is not None, "several models' numbers are asked for, and not which are whose"
    first, *stops = split
    for own, stop in zip(rng.rngs, stops, strict=True):
        yield own, values[first:stop]
        first = stop


def drawn_apart(rng: Chance, draw: Callable[[int, torch.Generator], Tensor]) -> list[Tensor]:
    """What ``draw`` gives for the number and the generator of each model."""
    rngs = (rng,) if isinstance(rng, torch.Generator) else rng.rngs
    return [draw(number, own) for number, own in enumerate(rngs)]
