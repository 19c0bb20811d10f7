"""Several models of one shape, computed as one: their dense layers are batched products."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from negsample.batches.device import upload
from negsample.batches.packed import Packed
from negsample.batches.streams import Streams
from negsample.batches.windows import Ints
from negsample.models.attention import Bins, Laid, bins_of, lay
from negsample.models.build import Backbone, terms_of
from negsample.models.dropout import JointFactors
from negsample.models.item_table import ItemTable
from negsample.models.sasrec import Block, Drop, SASRec, run_blocks
from negsample.models.stacked import Linears, Norms


class Together:
    """S models of :class:`SASRec` that see S batches at once, each its own, and give what each would give alone.

    A small model leaves a GPU idle between its many short kernels; here there are as many kernels for all as for one.
    Parameters are moved into stacks, (S, ...), of which those of each model become views: what updates the stacks
    updates the models, and each can be measured, saved and loaded as before. Each model's random numbers come from a
    generator of its own, in the order in which it would draw them alone: results differ by rounding only.

    Args:
        models: of one shape, on one device.
        one_table: their item tables become one as well (:attr:`table`), which a batch of all of them is looked up in.

    Attributes:
        table: with the rows of all models, one model after another; None without ``one_table``.

    Raises:
        ValueError: they are no SASRec, or not of one shape.
    """

    def __init__(self, models: Sequence[Backbone], *, one_table: bool = False) -> None:
        self.models = [model for model in models if isinstance(model, SASRec)]
        if len(self.models) < len(models):
            raise ValueError("only models of SASRec can be trained together")
        first, models = self.models[0], self.models
        shapes = [{name: each.shape for name, each in _dense(model)} for model in models]
        if any(shape != shapes[0] for shape in shapes):
            raise ValueError("models that are computed together must be of one shape")
        for name in ("heads", "dropout"):
            if len(found := {getattr(model, name) for model in models}) > 1:
                raise ValueError(f"models that are computed together must have one {name}, got {sorted(found)}")
        self.heads, self.dropout = first.heads, first.dropout
        self.table = ItemTable.stacked([model.table for model in models]) if one_table else None
        self._stacks = {name: _stack([dict(_dense(model))[name] for model in models]) for name, _ in _dense(first)}
        self._blocks = [self._block(number) for number in range(len(first.blocks))]
        self._norm = Norms(self._stacks["norm.weight"], self._stacks["norm.bias"])

    @property
    def tables(self) -> list[ItemTable]:
        """What rows are looked up in: the one table, or that of each model."""
        return [model.table for model in self.models] if self.table is None else [self.table]

    def parameters(self) -> Iterator[nn.Parameter]:
        """The stacks, the tables, where they are parameters, and each model's weights of terms."""
        yield from self._stacks.values()
        apart: list[nn.Module | None] = [*self.tables, *map(terms_of, self.models)]
        for each in apart:
            yield from () if each is None else each.parameters()

    @property
    def padding_states(self) -> list[Tensor]:
        """(D,) of each model, see :attr:`negsample.models.SASRec.padding_state`."""
        return list(self._stacks["norm.bias"].unbind())

    def __call__(self, vectors_TD: Tensor, packed: Packed, rng: Streams) -> Tensor:
        """(T, D) states of all models' positions, from the rows of the items there; ``packed`` is of S models."""
        assert packed.split is not None
        models, device, dim = len(self.models), packed.device, vectors_TD.shape[1]
        firsts = packed.offsets[packed.split]
        counts = np.diff(firsts)
        longest = int(counts.max())
        model_T = np.repeat(np.arange(models), counts)
        place_T = np.arange(firsts[-1]) - firsts[model_T] + model_T * longest  # of (S, longest) rows
        laid = _Laid.of(packed, place_T, longest)
        there_T, bins = upload(torch.from_numpy(place_T), device), laid.bins_on(device, vectors_TD.dtype)
        drop, drop_weights = self._drops(rng, counts.tolist(), longest, laid, device)
        positions_SLD = self._stacks["positions"]
        lengths = np.diff(packed.offsets)
        before_end_T = np.repeat(packed.offsets[1:], lengths) - np.arange(firsts[-1])  # 1 for a sequence's last one
        at_T = upload(torch.from_numpy((model_T + 1) * positions_SLD.shape[1] - before_end_T), device)
        states_TD = vectors_TD * math.sqrt(dim) + positions_SLD.flatten(0, 1).index_select(0, at_T)
        states_ND = states_TD.new_zeros(models * longest, dim).index_copy(0, there_T, states_TD)
        states_ND = run_blocks(states_ND, self._blocks, self._norm, bins, drop, drop_weights)
        return states_ND.index_select(0, there_T)

    def _drops(
        self, rng: Streams, counts: list[int], longest: int, laid: _Laid, device: torch.device
    ) -> tuple[Drop, Drop]:
        """Dropout of (S * longest, D) rows and of attention's weights, of a step whose models have these many rows."""
        if self.dropout == 0:
            return _kept, _kept
        dim = self._stacks["norm.bias"].shape[1]
        rows, weights = [count * dim for count in counts], laid.weights(self.heads)
        sizes = [rows, *(each for _ in self._blocks for each in (weights, rows, rows))]
        factors = JointFactors(self.dropout, rng.rngs, sizes, device)
        zeros = torch.zeros((longest - min(counts)) * dim, device=device)

        def drop(values_ND: Tensor) -> Tensor:
            padded = [each for own in factors.next() for each in (own, zeros[: longest * dim - len(own)])]
            return values_ND * torch.cat(padded).view(values_ND.shape).to(values_ND.dtype)

        def drop_weights(values: Tensor) -> Tensor:
            return values * laid.spread(factors.next(), self.heads, values)

        return drop, drop_weights

    def _block(self, number: int) -> Block:
        def layer(name: str) -> nn.Module:
            weight, bias = (self._stacks[f"blocks.{number}.{name}.{part}"] for part in ("weight", "bias"))
            return (Norms if name.endswith("norm") else Linears)(weight, bias)

        return Block(self.heads, layer)


class _Laid(NamedTuple):
    """Where the positions of S models lie in bins: each model's in bins of its own as it would alone (``own``), but as
    wide as the widest; rows without a position in bins at the end, each a sequence of one."""

    own: list[Laid]
    places: Ints
    owners: Ints
    bins: int
    width: int

    @classmethod
    def of(cls, packed: Packed, place_T: Ints, longest: int) -> _Laid:
        """``place_T``: of each position among S x ``longest`` rows."""
        split, offsets = packed.split, packed.offsets
        assert split is not None
        own = [lay(offsets[first : last + 1]) for first, last in pairwise(split.tolist())]
        width = max(each.width for each in own)
        rows = (len(split) - 1) * longest
        places, owners = np.empty(rows, np.int64), np.empty(rows, np.int64)
        first, parts = 0, []
        for each in own:
            parts.append((first + each.positions_T // each.width) * width + each.positions_T % each.width)
            first += each.bins
        spare = np.ones(rows, bool)
        spare[place_T] = False
        extra = int(spare.sum())
        places[place_T], places[spare] = np.concatenate(parts), first * width + np.arange(extra)
        owners[place_T] = np.repeat(np.arange(packed.sequences), np.diff(offsets))
        owners[spare] = packed.sequences + np.arange(extra)
        return cls(own, places, owners, first + -(-extra // width), width)

    def bins_on(self, device: torch.device, dtype: torch.dtype) -> Bins:
        """For attention of all rows."""
        places, owners = (upload(torch.from_numpy(each), device) for each in (self.places, self.owners))
        return bins_of(places, owners, self.bins, self.width, dtype)

    def weights(self, heads: int) -> list[int]:
        """How many weights attention has in each model's own bins."""
        return [heads * each.bins * each.width**2 for each in self.own]

    def spread(self, factors: Sequence[Tensor], heads: int, like: Tensor) -> Tensor:
        """(bins * heads, W, W) as ``like``, of the factors of each model's own bins; 0 elsewhere."""
        if all(each.width == self.width for each in self.own):
            rest = like.new_zeros(like.numel() - sum(map(len, factors)), dtype=factors[0].dtype)
            return torch.cat([*factors, rest]).view(like.shape).to(like.dtype)
        spread, first = like.new_zeros(like.shape), 0
        for each, part in zip(self.own, factors, strict=True):
            last = first + heads * each.bins
            spread[first:last, : each.width, : each.width] = part.view(-1, each.width, each.width)
            first = last
        return spread


def _kept(values: Tensor) -> Tensor:
    return values


def _dense(model: SASRec) -> list[tuple[str, nn.Parameter]]:
    """All parameters but the item table and weights of terms, which are a step's and not the encoder's."""
    return [(name, each) for name, each in model.named_parameters() if not name.startswith(("table.", "terms."))]


def _stack(parameters: list[nn.Parameter]) -> nn.Parameter:
    stack = nn.Parameter(torch.stack([each.detach() for each in parameters]))
    for each, own in zip(parameters, stack.detach(), strict=True):
        each.data = own
    return stack
