"""Several models of one shape, computed as one: their dense layers are batched products."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from negsample.batches.device import upload
from negsample.batches.packed import Packed
from negsample.models.attention import Bins, bins_of, lay
from negsample.models.build import Backbone
from negsample.models.dropout import Piece, dropout_by_piece
from negsample.models.sasrec import NORM_EPS, Block, SASRec, run_blocks


class Together:
    """S models of :class:`SASRec` that see S batches at once, each its own, and give what each would give alone.

    A small model leaves a GPU idle between its many short kernels; here there are as many kernels for all as for one.
    Parameters but for the item tables are moved into stacks, (S, ...), of which those of each model become views: what
    updates the stacks updates the models, and each can be measured, saved and loaded as before. Each model's random
    numbers come from a generator of its own, in the order in which it would draw them alone: results differ by
    rounding only.

    Args:
        models: of one shape, on one device.

    Raises:
        ValueError: they are no SASRec, or not of one shape.
    """

    def __init__(self, models: Sequence[Backbone]) -> None:
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
        self._stacks = {name: _stack([dict(_dense(model))[name] for model in models]) for name, _ in _dense(first)}
        self._blocks = [self._block(number) for number in range(len(first.blocks))]
        self._norm = _Norms(self._stacks["norm.weight"], self._stacks["norm.bias"])

    def parameters(self) -> Iterator[nn.Parameter]:
        """The stacks, and of each model the table, where it is a parameter."""
        yield from self._stacks.values()
        for model in self.models:
            yield from model.table.parameters()

    @property
    def padding_states(self) -> list[Tensor]:
        """(D,) of each model, see :attr:`negsample.models.SASRec.padding_state`."""
        return list(self._stacks["norm.bias"].unbind())

    def __call__(
        self, vectors: Sequence[Tensor], packed: Sequence[Packed], rngs: Sequence[torch.Generator]
    ) -> list[Tensor]:
        """(T_s, D) states of each model, from the rows of its table, (T_s, D), of the items of its batch."""
        counts = [len(each) for each in vectors]
        longest = max(counts)
        positions_SLD = self._stacks["positions"]
        positions_ST = pad_sequence(
            [each.positions_T + s * positions_SLD.shape[1] for s, each in enumerate(packed)], True
        )
        vectors_ND = pad_sequence(list(vectors), True).flatten(0, 1)
        states_ND = vectors_ND * math.sqrt(vectors_ND.shape[1])
        states_ND = states_ND + positions_SLD.flatten(0, 1).index_select(0, positions_ST.flatten())
        rows = [(slice(s * longest, s * longest + count),) for s, count in enumerate(counts)]
        bins, weights = lay_together(packed, longest, self.heads, states_ND.dtype)
        states_ND = run_blocks(
            states_ND,
            self._blocks,
            self._norm,
            bins,
            partial(dropout_by_piece, share=self.dropout, rngs=rngs, pieces=rows),
            partial(dropout_by_piece, share=self.dropout, rngs=rngs, pieces=weights),
        )
        each = torch.split(states_ND, longest)
        return [states[:count] for states, count in zip(each, counts, strict=True)]

    def _block(self, number: int) -> Block:
        def layer(name: str) -> nn.Module:
            weight, bias = (self._stacks[f"blocks.{number}.{name}.{part}"] for part in ("weight", "bias"))
            return (_Norms if name.endswith("norm") else _Linears)(weight, bias)

        return Block(self.heads, layer)


def lay_together(packed: Sequence[Packed], longest: int, heads: int, dtype: torch.dtype) -> tuple[Bins, list[Piece]]:
    """Bins for S packed batches, of which each has ``longest`` rows, and where in attention's weights each has its own.

    Each batch lies in bins of its own as it would alone, but as wide as the widest. Rows past its positions are
    sequences of one, in bins at the end; they lie in no piece.
    """
    laid = [lay(each.offsets) for each in packed]
    width = max(each.width for each in laid)
    spare = [longest - len(each.positions_T) for each in laid]
    pieces: list[Piece] = []
    bins = 0
    for each in laid:
        pieces.append((slice(bins * heads, (bins + each.bins) * heads), slice(each.width), slice(each.width)))
        bins += each.bins
    rest = np.split(bins * width + np.arange(sum(spare)), np.cumsum(spare)[:-1])
    positions, owners, first, sequences = [], [], 0, 0
    device = packed[0].device
    for each, batch, own in zip(laid, packed, rest, strict=True):
        positions += [(first + each.positions_T // each.width) * width + each.positions_T % each.width, own]
        owners += [batch.rows_T + sequences, torch.arange(len(own), device=device) + sequences + batch.sequences]
        first, sequences = first + each.bins, sequences + batch.sequences + len(own)
    bins += -(-sum(spare) // width)
    return bins_of(
        upload(torch.from_numpy(np.concatenate(positions)), device), torch.cat(owners), bins, width, dtype
    ), pieces


def _dense(model: SASRec) -> list[tuple[str, nn.Parameter]]:
    """All parameters but the item table."""
    return [(name, each) for name, each in model.named_parameters() if not name.startswith("table.")]


def _stack(parameters: list[nn.Parameter]) -> nn.Parameter:
    stack = nn.Parameter(torch.stack([each.detach() for each in parameters]))
    for each, own in zip(parameters, stack.detach(), strict=True):
        each.data = own
    return stack


class _Linears(nn.Module):
    """S linear layers: (S * N, D) to (S * N, D)."""

    def __init__(self, weight_SDD: nn.Parameter, bias_SD: nn.Parameter) -> None:
        super().__init__()
        self.weight, self.bias = weight_SDD, bias_SD

    def forward(self, states_ND: Tensor) -> Tensor:
        states_SND = states_ND.view(len(self.weight), -1, states_ND.shape[1])
        return torch.baddbmm(self.bias.unsqueeze(1), states_SND, self.weight.transpose(1, 2)).flatten(0, 1)


class _Norms(nn.Module):
    """S layer norms: (S * N, D) to (S * N, D)."""

    def __init__(self, weight_SD: nn.Parameter, bias_SD: nn.Parameter) -> None:
        super().__init__()
        self.weight, self.bias = weight_SD, bias_SD

    def forward(self, states_ND: Tensor) -> Tensor:
        states_SND = F.layer_norm(states_ND, states_ND.shape[1:], eps=NORM_EPS).view(
            len(self.weight), -1, states_ND.shape[1]
        )
        return torch.addcmul(self.bias.unsqueeze(1), states_SND, self.weight.unsqueeze(1)).flatten(0, 1)
