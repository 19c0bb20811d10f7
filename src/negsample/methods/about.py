"""What is said of a method: its words and its cost."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import torch

from negsample.methods.names import build_method
from negsample.methods.parts import Catalogue
from negsample.methods.rows import METHODS
from negsample.miners import Scored
from negsample.samplers import MemoryBank, Mixture


class Words(NamedTuple):
    """A method's formula, when to take it, and what it does to head, mid and tail."""

    formula: str
    take: str
    serves: str


@cache
def words() -> dict[str, Words]:
    """What is said of each method, from ``words.toml``."""
    told = tomllib.loads((files("negsample.methods") / "words.toml").read_text("utf-8"))
    return {name: Words(**told[name]) for name in METHODS}


def cost(name: str) -> str:
    """What a position costs with the default settings: ids drawn and for whom, scores computed, scores in the loss."""
    row = METHODS[name]
    method = build_method(name, Catalogue(3, _COUNTS, _COUNTS), row.defaults)
    if method.merged:
        return "V scores, none kept in memory; nothing drawn"
    parts = method.sampler.parts if isinstance(method.sampler, Mixture) else [method.sampler]
    drawn = sum(int(part.size if isinstance(part, MemoryBank) else part.k) for part in parts)
    one = torch.zeros(1, drawn)
    scored = Scored(one[:, 0], one, one, one[:, 0], torch.ones(1, drawn, dtype=torch.int64), one[:, 0])
    in_loss = method.miner(scored, rng=torch.Generator()).neg_TK.shape[1]
    lost = "" if in_loss == drawn else f", {in_loss:,} in the loss"
    return f"{drawn:,} scores{lost}; {drawn:,} ids a {method.sampler.per}"


_COUNTS = torch.tensor([0, 1, 1, 1])
