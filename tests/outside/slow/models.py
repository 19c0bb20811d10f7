"""SASRec as FIELD section 3 has it, and GRU4Rec: one history at a time, padded, with loops where the law has sums."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

NORM_EPS = 1e-8
Weights = Mapping[str, Tensor]


def norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Layer norm of a vector."""
    mean = x.sum() / len(x)
    variance = ((x - mean) ** 2).sum() / len(x)
    return (x - mean) / (variance + NORM_EPS).sqrt() * weight + bias


def sasrec(weights: Weights, history: Sequence[int], longest: int, *, blocks: int, heads: int) -> Tensor:
    """(n, D) state after each of the n items of a history, at most L; the last slot is the most recent item."""
    table = weights["table.weight"]
    width = table.shape[1]
    padding = longest - len(history)
    assert padding >= 0
    x = [table[item] * math.sqrt(width) + weights["positions"][slot] for slot, item in enumerate(history, padding)]
    x = [torch.zeros(width, dtype=table.dtype)] * padding + x

    def layer(name: str, value: Tensor) -> Tensor:
        return weights[f"{name}.weight"] @ value + weights[f"{name}.bias"]

    def normed(name: str, value: Tensor) -> Tensor:
        return norm(value, weights[f"{name}.weight"], weights[f"{name}.bias"])

    for block in range(blocks):
        name = f"blocks.{block}"
        after = list(x)
        for slot in range(padding, longest):
            normal = normed(f"{name}.attention_norm", x[slot])
            query = layer(f"{name}.query", normal)
            seen = range(padding, slot + 1)  # itself and what came before it, no padding
            keys = [layer(f"{name}.key", x[other]) for other in seen]
            values = [layer(f"{name}.value", x[other]) for other in seen]
            attended = []
            for head in range(heads):
                part = slice(head * width // heads, (head + 1) * width // heads)
                likeness = torch.stack([query[part] @ key[part] for key in keys]) / math.sqrt(width // heads)
                share = torch.exp(likeness - likeness.max())
                share = share / share.sum()
                attended.append(sum(w * value[part] for w, value in zip(share, values, strict=True)))
            state = normal + torch.cat(attended)
            normal = normed(f"{name}.feed_norm", state)
            after[slot] = normal + layer(f"{name}.outer", torch.relu(layer(f"{name}.inner", normal)))
        x = after
    return torch.stack([normed("norm", x[slot]) for slot in range(padding, longest)])


def gru4rec(weights: Weights, history: Sequence[int], *, blocks: int) -> Tensor:
    """(n, D) state after each of the n items of a history; the gates as PyTorch's documentation of GRU writes them."""
    table = weights["table.weight"]
    width = table.shape[1]
    x = [table[item] * math.sqrt(width) for item in history]
    for block in range(blocks):
        into, back = (weights[f"blocks.{block}.weight_{each}_l0"].split(width) for each in ("ih", "hh"))
        into_bias, back_bias = (weights[f"blocks.{block}.bias_{each}_l0"].split(width) for each in ("ih", "hh"))
        hidden, states = torch.zeros(width, dtype=table.dtype), []
        for value in x:
            (r_in, z_in, n_in) = (into[gate] @ value + into_bias[gate] for gate in range(3))
            (r_back, z_back, n_back) = (back[gate] @ hidden + back_bias[gate] for gate in range(3))
            reset, update = torch.sigmoid(r_in + r_back), torch.sigmoid(z_in + z_back)
            hidden = (1 - update) * torch.tanh(n_in + reset * n_back) + update * hidden
            states.append(hidden)
        x = states
    return torch.stack(x)
