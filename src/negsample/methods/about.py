"""What a method costs, measured on a draw of its default settings."""

from __future__ import annotations

import torch

from negsample.methods.definition import Catalogue
from negsample.methods.names import build_method
from negsample.miners import Scored

_COUNTS = torch.tensor([0, 1, 1, 1])


def cost(name: str) -> str:
    """What a position costs with the default settings: ids drawn and for whom, scores computed, scores in the loss."""
    method = build_method(name, Catalogue(3, _COUNTS, _COUNTS), {})
    if method.merged:
        return "V scores, none kept in memory; nothing drawn"
    if method.sampler.k == "all":
        return "a score for each target of the batch"
    parts = getattr(method.sampler, "parts", [method.sampler])
    drawn = sum(getattr(part, "most", part.k) for part in parts)
    one = torch.zeros(1, drawn)
    scored = Scored(one[:, 0], one, one, one[:, 0], torch.ones(1, drawn, dtype=torch.int64), one[:, 0])
    in_loss = method.miner(scored, rng=torch.Generator()).neg_TK.shape[1]
    left = "" if in_loss == drawn else f", {in_loss:,} in the loss"
    return f"{drawn:,} scores{left}; {drawn:,} ids a {method.sampler.per}"
