"""The published code's training of `in-batch`, again: plain, padded, and apart from the package's own training.

Of the package only the split, the cohorts and the published settings are used; model, negatives, loss, Adam, reuse of
batches and ranks are written out here from what the published code does. `benchmarks.in_batch_parity` runs it, and
`tests/benchmarks/test_plain_reference.py` holds `--preset reference` against it.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from negsample import Dataset
from negsample.paper.published import published_settings

BLOCKS, KEPT_EPOCHS, EPOCHS, EVERY = 2, 30, 100, 20
BETAS, EPS, NORM_EPS = (0.9, 0.98), 1e-8, 1e-8
_WIDE = (0, 64, 104, 128)  # sequences by length, in groups that are padded to their longest
Parameters = dict[str, Tensor]
Drop = Callable[[Tensor], Tensor]
Batch = tuple[list[list[int]], list[list[int]], NDArray[np.int64]]


def initial(items: int, length: int, dim: int, rng: torch.Generator) -> Parameters:
    """Glorot uniform for every matrix, 0 for biases, 1 for scales."""

    def glorot(rows: int, columns: int) -> Tensor:
        bound = math.sqrt(6 / (rows + columns))
        return torch.empty(rows, columns).uniform_(-bound, bound, generator=rng)

    made = {"items": glorot(items + 1, dim), "slots": glorot(length, dim)}
    norms = ["last", *(f"{name}{block}" for block in range(BLOCKS) for name in ("attention", "feed"))]
    for block in range(BLOCKS):
        for name in ("query", "key", "value", "inner", "outer"):
            made |= {f"{name}{block}": glorot(dim, dim), f"{name}{block}.bias": torch.zeros(dim)}
    for name in norms:
        made |= {f"{name}.scale": torch.ones(dim), f"{name}.bias": torch.zeros(dim)}
    return {name: value.requires_grad_() for name, value in made.items()}


def states(p: Parameters, items_BW: Tensor, drop: Drop = lambda values: values) -> Tensor:
    """(B, W, D) of sequences padded with 0 on the left to a width W of at most L."""
    length, dim = p["slots"].shape
    width = items_BW.shape[1]
    real = (items_BW > 0).float().unsqueeze(-1)
    x = drop(p["items"][items_BW] * real * math.sqrt(dim) + p["slots"][length - width :]) * real
    later = torch.ones(width, width, dtype=torch.bool).triu(1)
    for block in range(BLOCKS):

        def dense(name: str, values: Tensor, block: int = block) -> Tensor:
            return values @ p[f"{name}{block}"] + p[f"{name}{block}.bias"]

        normed = _norm(p, f"attention{block}", x)
        scores = dense("query", normed) @ dense("key", x).transpose(1, 2) / math.sqrt(dim)
        hidden = (items_BW == 0).unsqueeze(1) | later
        weights = scores.masked_fill(hidden, -(2.0**32) + 1).softmax(-1) * real
        fed = _norm(p, f"feed{block}", drop(weights) @ dense("value", x) + normed)
        x = (fed + drop(dense("outer", drop(torch.relu(dense("inner", fed)))))) * real
    return _norm(p, "last", x)


def _norm(p: Parameters, name: str, x: Tensor) -> Tensor:
    mean = x.mean(-1, keepdim=True)
    deviation = ((x - mean).square().mean(-1, keepdim=True) + NORM_EPS).sqrt()
    return (x - mean) / deviation * p[f"{name}.scale"] + p[f"{name}.bias"]


def loss_of(p: Parameters, batch: Batch, drop: Drop = lambda values: values) -> Tensor:
    """Means over all B x L slots. What is cut off on the left is blank: its state is the bias of the last norm."""
    inputs, targets, negatives = batch
    length, slots = len(p["slots"]), len(inputs) * len(p["slots"])
    lengths = np.array([len(each) for each in inputs])
    order, ids = np.argsort(lengths, kind="stable"), torch.from_numpy(negatives)
    of_targets = of_negatives = torch.zeros(())
    for low, high in itertools.pairwise(_WIDE):
        rows = order[low:high]
        if not len(rows):
            continue
        width = int(lengths[rows].max())
        x, y = (_padded([some[row] for row in rows], width) for some in (inputs, targets))
        h, known = states(p, x, drop), (y > 0).float()
        score = (h * p["items"][y] * known.unsqueeze(-1)).sum(-1)
        drawn = p["items"][ids[rows]]
        of_targets = of_targets + functional.binary_cross_entropy_with_logits(score, known, reduction="sum")
        of_negatives = of_negatives + functional.softplus(h @ drawn.transpose(1, 2)).sum()
        blank = length - width
        of_targets = of_targets + blank * len(rows) * math.log(2)
        of_negatives = of_negatives + blank * functional.softplus(drawn @ p["last.bias"]).sum()
    loss: Tensor = of_targets / slots + of_negatives / (slots * negatives.shape[1])
    return loss


def _padded(sequences: Sequence[Sequence[int]], width: int) -> Tensor:
    rows = [[0] * (width - len(each)) + list(each) for each in sequences]
    return torch.tensor(rows, dtype=torch.int64).view(len(sequences), width)


class Adam:
    """As TensorFlow 1 has it: epsilon beside the uncorrected second moment, every row of the table at each step."""

    def __init__(self, p: Parameters, lr: float) -> None:
        self.lr, self.steps = lr, 0
        self.state = [(value, torch.zeros_like(value), torch.zeros_like(value)) for value in p.values()]

    @torch.no_grad()
    def step(self) -> None:
        """Learn from the gradients, and forget them."""
        self.steps += 1
        rate = self.lr * math.sqrt(1 - BETAS[1] ** self.steps) / (1 - BETAS[0] ** self.steps)
        for value, first, second in self.state:
            assert value.grad is not None
            first.lerp_(value.grad, 1 - BETAS[0])
            second.lerp_(value.grad.square(), 1 - BETAS[1])
            value.addcdiv_(first, second.sqrt().add_(EPS), value=-rate)
            value.grad = None


def draw(train: Sequence[Sequence[int]], size: int, k: int, length: int, rng: np.random.Generator) -> Batch:
    """Users with replacement, and for each K of the batch's targets that are none of their own in the window."""
    taken: list[Sequence[int]] = []
    while len(taken) < size:
        items = train[int(rng.integers(len(train)))]
        if len(items) > 1:
            taken.append(items[-(length + 1) :])
    inputs, targets = [list(each[:-1]) for each in taken], [list(each[1:]) for each in taken]
    pool = np.concatenate([np.array(each) for each in targets])
    chosen = [rng.choice(pool[~np.isin(pool, each)], k, replace=False) for each in targets]
    return inputs, targets, np.stack(chosen)


@torch.no_grad()
def figures(p: Parameters, data: Dataset, sequences: Sequence[Sequence[int]], part: str) -> dict[str, float]:
    """In %: HR@10 in all and by cohort, NDCG@10; and the hits on cold items."""
    ends = np.asarray(data.train_ends if part == "valid" else data.valid_ends) - np.asarray(data.offsets[:-1])
    stops = np.asarray(data.valid_ends if part == "valid" else data.offsets[1:]) - np.asarray(data.offsets[:-1])
    users = np.flatnonzero((stops > ends) & (ends > 0))
    length = len(p["slots"])
    ranks, items = [], []
    for some in np.array_split(users, -(-len(users) // 256)):
        histories = [list(sequences[user][max(ends[user] - length, 0) : ends[user]]) for user in some]
        scores = states(p, _padded(histories, length))[:, -1] @ p["items"][1:].T
        places = (-scores).argsort(dim=1, stable=True).argsort(dim=1)
        for row, user in enumerate(some):
            for item in sequences[user][ends[user] : stops[user]]:
                ranks.append(int(places[row, item - 1]))
                items.append(item)
    hit, rank, item = np.array(ranks) < 10, np.array(ranks), np.array(items)
    cohort = np.asarray(data.cohorts)[item]
    found = {"hr@10": hit.mean(), "ndcg@10": (hit / np.log2(rank + 2)).mean()}
    found |= {f"{name}_hr@10": hit[cohort == of].mean() for of, name in enumerate(("head", "mid", "tail"))}
    cold = np.asarray(data.train_counts)[item] == 0
    return {name: 100 * float(value) for name, value in found.items()} | {"cold_hits": int(hit[cold].sum())}


def train(data: Dataset, seed: int, on_line: Callable[[Mapping[str, Any]], None]) -> list[dict[str, Any]]:
    """The figures every `EVERY` epochs."""
    settings, negatives = published_settings("amazon-beauty", "in-batch")
    size, length, share = int(settings["batch_size"]), int(settings["max_length"]), settings["dropout"]
    offsets, train_ends = np.asarray(data.offsets), np.asarray(data.train_ends)
    events = np.asarray(data.items)
    sequences = [events[low:high].tolist() for low, high in itertools.pairwise(offsets)]
    known = [each[: end - low] for each, low, end in zip(sequences, offsets[:-1], train_ends, strict=True)]
    rng, chance = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    p = initial(data.catalogue_size, length, 50, chance)
    adam, kept, log = Adam(p, float(settings["learning_rate"])), list[Batch](), list[dict[str, Any]]()

    def drop(values: Tensor) -> Tensor:
        return values * (torch.rand(values.shape, generator=chance) >= share).float() / (1 - share)

    began = time.perf_counter()
    for epoch in range(1, EPOCHS + 1):
        losses = []
        for _ in range(len(sequences) // size):
            if epoch <= KEPT_EPOCHS:
                kept.append(draw(known, size, negatives["in_batch_negatives"], length, rng))
            batch = kept[-1] if epoch <= KEPT_EPOCHS else kept[int(rng.integers(len(kept)))]
            loss = loss_of(p, batch, drop)
            loss.backward()  # type: ignore[no-untyped-call]
            adam.step()
            losses.append(float(loss.detach()))
        if epoch % EVERY == 0:
            parts = {part: figures(p, data, sequences, part) for part in ("valid", "test")}
            log.append(
                {"epoch": epoch, "loss": float(np.mean(losses)), **parts, "seconds": time.perf_counter() - began}
            )
            on_line(log[-1])
    return log
