"""Parts of your own, each by a name for the command line: sampler, miner, loss, backbone, term, baseline, metric.

    negsample compare online-retail --plugin examples/plugin.py --methods random,follows,below-target --out STUDY
    negsample train online-retail --plugin examples/plugin.py --method hinge --set backbone=convolution --out RUN
    negsample train online-retail --plugin examples/plugin.py --method mixed-log-q --set terms=family,recency --out RUN

docs/extending.md goes through this file part by part.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
import polars as pl
import torch
from pydantic import Field
from torch import Tensor, nn

from negsample import (
    Backbone,
    Batch,
    Catalogue,
    Dataset,
    KeepAll,
    Method,
    MethodDefinition,
    ModelSettings,
    Negatives,
    PopRec,
    Scored,
    Settings,
    Uniform,
    register_backbone,
    register_baseline,
    register_method,
    register_metric,
    register_term,
)
from negsample.batches.packed import Packed
from negsample.losses import bce, from_terms, weighted
from negsample.methods import fields
from negsample.models.dropout import dropout
from negsample.models.item_table import ItemTable
from negsample.samplers.exclusion import excluded

# A sampler proposes ids.


class Follows:
    """``K`` items by how often they follow the current item of the user, plus ``smoothing`` times their popularity.

    For a catalogue of up to some 10,000 items: it holds V x V weights, and T x V of them for a batch.
    """

    per: Literal["position"] = "position"  # each position has draws of its own

    def __init__(self, catalogue: Catalogue, k: int, smoothing: float) -> None:
        counts = np.zeros((catalogue.items + 1, catalogue.items + 1), dtype=np.float32)
        items, offsets, ends = catalogue.events
        for first, end in zip(offsets, ends, strict=False):  # of each user; offsets has one more
            np.add.at(counts, (items[first : end - 1], items[first + 1 : end]), 1)
        popularity_V = catalogue.counts / catalogue.counts.sum().clamp(min=1)
        self.weights_VV = torch.from_numpy(counts).to(popularity_V.device) + smoothing * popularity_V
        self.k = k

    def draw(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """Ids without their ``log_q``, for losses that do not need it."""
        weights_TV = self._weights(batch)
        weights_TV[:, 0] = (weights_TV.sum(1) == 0).float()  # id 0 is padding: nothing is left to draw
        return Negatives(torch.multinomial(weights_TV, self.k, replacement=True, generator=rng))

    def sample(self, batch: Batch, *, rng: torch.Generator) -> Negatives:
        """Ids with the log-probability of each, for the log-q correction."""
        drawn = self.draw(batch, rng=rng)
        return drawn._replace(log_q=self.log_prob(drawn.ids, batch, per=self.per))

    def log_prob(
        self, ids: Tensor, batch: Batch, *, per: Literal["batch", "sequence", "position"], rows: Tensor | None = None
    ) -> Tensor:
        """Log-probability of one draw of ``ids``: exact for a position; with ``per="batch"`` over all items."""
        weights = self._weights(batch, rows) if per == "position" else self.weights_VV.sum(0, keepdim=True)
        shares = weights / weights.sum(1, keepdim=True)
        of_ids = shares.gather(1, ids) if ids.dim() == 2 and len(shares) == len(ids) else shares[:, ids].squeeze(0)
        return of_ids.log()

    def _weights(self, batch: Batch, rows: Tensor | None = None) -> Tensor:
        """(N, V + 1) weights of all ids at the positions ``rows``, 0 for what is excluded there."""
        at = batch.of_targets(batch.inputs.items_T)  # the last item that each target is predicted from
        at = at if rows is None else at[rows]
        every = torch.arange(len(self.weights_VV), device=batch.device).expand(len(at), -1)
        return self.weights_VV[at].masked_fill(excluded(every, batch, "position", rows), 0)


class FollowsSettings(Settings):
    """The settings of ``follows``; each is given by ``--set NAME=VALUE``."""

    follows_negatives: Annotated[fields.Number, Field(description="draws by what follows"), fields.Proposed()] = 50
    smoothing: Annotated[float, Field(ge=0, description="weight of popularity beside the counts")] = 1.0
    exclude: fields.Exclude = "history"


register_method(
    "follows",
    MethodDefinition(
        settings=FollowsSettings,
        build=lambda c, n: Method(Follows(c, n.follows_negatives, n.smoothing), KeepAll(), bce),
        sampler="by what follows the item that the user is at",
        loss="BCE",
        paper="an example",
        year=2026,
    ),
)

# A miner: which of the proposed ids take part, by their scores.


class BelowTarget:
    """Leaves out negatives that score above the target by more than ``margin``: perhaps the user would like them."""

    needs: frozenset[Literal["log_q", "pos_log_q", "masked", "ids", "whole"]] = frozenset()  # scores are enough

    def __init__(self, margin: float) -> None:
        self.margin = margin

    def __call__(self, scored: Scored, *, rng: torch.Generator) -> Scored:
        """Those left out have the score ``-inf``, which no loss counts."""
        above_TK = scored.neg_TK > scored.pos_T.unsqueeze(1) + self.margin
        return scored._replace(neg_TK=scored.neg_TK.masked_fill(above_TK, -math.inf))


class BelowTargetSettings(Settings):
    """The settings of ``below-target``."""

    random_negatives: fields.RandomNegatives = 100
    margin: Annotated[float, Field(ge=0, description="how far above the target a negative may score")] = 1.0
    draws_per: fields.DrawsPer = "sequence"
    exclude: fields.Exclude = "history"


register_method(
    "below-target",
    MethodDefinition(
        settings=BelowTargetSettings,
        build=lambda c, n: Method(Uniform(c.items, n.random_negatives, per=n.draws_per), BelowTarget(n.margin), bce),
        sampler="uniform over the catalogue",
        miner="those not far above the target",
        loss="BCE",
    ),
)

# A loss: a function of the scores.


def hinge(pos_T: Tensor, neg_TK: Tensor, *, parts: bool = False, weights_T: Tensor | None = None) -> Tensor:
    """The mean over present negatives of ``max(0, 1 - s+ + s)``."""
    terms_TK = torch.relu(1 - pos_T.unsqueeze(1) + neg_TK)
    return from_terms([(weighted(terms_TK, weights_T), (neg_TK > -math.inf).sum())], parts)


class HingeSettings(Settings):
    """The settings of ``hinge``."""

    random_negatives: fields.RandomNegatives = 100
    draws_per: fields.DrawsPer = "sequence"
    exclude: fields.Exclude = "history"


register_method(
    "hinge",
    MethodDefinition(
        settings=HingeSettings,
        build=lambda c, n: Method(Uniform(c.items, n.random_negatives, per=n.draws_per), KeepAll(), hinge),
        sampler="uniform over the catalogue",
        loss="hinge",
    ),
)

# A backbone: from a history to a state at each position.


class Convolution(nn.Module):
    """Causal convolutions whose reach doubles from block to block, as in NextItNet (Yuan et al., WSDM'19)."""

    def __init__(
        self, table: ItemTable, *, dim: int, max_length: int, blocks: int, dropout: float, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.table, self.max_length, self.dropout = table, max_length, dropout
        self.taps = nn.Parameter(torch.empty(blocks, 2, dim, dim).normal_(0, dim**-0.5, generator=rng))
        self.norm = nn.LayerNorm(dim)

    def forward(self, vectors_TD: Tensor, packed: Packed, rng: torch.Generator | None = None) -> Tensor:
        """(T, D) states. Sequences lie one after the other, without padding; ``packed.rows_T``: whose each is."""
        states_TD = dropout(vectors_TD * math.sqrt(vectors_TD.shape[1]), self.dropout, rng)
        for block, (now, before) in enumerate(self.taps):
            reach = 2**block
            earlier_TD = states_TD.roll(reach, 0)
            same_T = packed.rows_T.roll(reach) == packed.rows_T  # else the sequence has no such position
            same_T = same_T & (torch.arange(len(same_T), device=same_T.device) >= reach)
            mixed_TD = states_TD @ now + earlier_TD.where(same_T.unsqueeze(1), 0) @ before
            states_TD = states_TD + dropout(torch.relu(mixed_TD), self.dropout, rng)
        result: Tensor = self.norm(states_TD)
        return result


class ConvolutionSettings(ModelSettings):
    """The settings of ``backbone=convolution``: those that every backbone has, and its own."""

    backbone: Literal["convolution"] = "convolution"
    blocks: int = Field(4, ge=1, description="convolutions; with B of them a state sees 2^B items")

    def build(self, table: ItemTable, *, rng: torch.Generator) -> Backbone:
        """A new model around the item ``table``."""
        sizes = {"dim": self.dim, "max_length": self.max_length, "blocks": self.blocks}
        return Convolution(table, **sizes, dropout=self.dropout, rng=rng)


register_backbone("convolution", ConvolutionSettings)

# A term: numbers of all items as of a time, which are added to scores with weights that are learned.

WEEK = 7 * 86_400 * 10**6  # microseconds


def family(data: Dataset, times: np.ndarray) -> Iterator[np.ndarray]:
    """How popular an item's family was lately: all items whose ids begin with the same two characters."""
    family_V = data.item_ids().cast(pl.String).str.head(2).rank("dense").to_numpy() - 1
    items = np.arange(1, data.catalogue_size + 1)
    for time in times:
        counts = 1 + np.bincount(family_V, data.known.counts(items, time, WEEK))  # a half-life of a week
        log_share = np.log(counts / counts.mean())
        yield np.append(0, log_share[family_V])[:, None]  # (V + 1, 1): id 0 is no item


register_term("family", family)

# A baseline: a rule that is measured beside the methods, and not trained.


def last_items(data: Dataset) -> PopRec:
    """For everybody the items that most users have as their last one in train."""
    ends = np.asarray(data.train_ends)
    counts = np.bincount(data.items[ends[ends > data.offsets[:-1]] - 1], minlength=data.catalogue_size + 1)
    return PopRec(torch.from_numpy(np.argsort(-counts[1:], kind="stable") + 1))


register_baseline("last-items", last_items)

# A metric: a number for each evaluated event, from the rank of its target.


def rank_biased(ranks: np.ndarray, k: int) -> np.ndarray:
    """Rank-biased precision (Moffat & Zobel, TOIS'08) of a user who goes on to the next item 8 times in 10."""
    return np.where(ranks < k, 0.2 * 0.8**ranks, 0.0)


register_metric("rbp", rank_biased)


def position(ranks: np.ndarray, k: int) -> np.ndarray:
    """Where the target stands in the list, from 1; ``k + 1`` where it is not among the first ``k``."""
    return np.minimum(ranks, k) + 1


register_metric("position", position, higher_is_better=False, unit="number")
