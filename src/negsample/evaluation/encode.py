"""Histories encoded: the state that each query is answered by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.batches.device import upload
from negsample.batches.from_windows import pack
from negsample.batches.packed import Packed
from negsample.batches.windows import Ints, Windows, longest_first
from negsample.data.known import checked_events
from negsample.errors import InputError, guarded, some
from negsample.evaluation.divided import divided
from negsample.evaluation.ranks import RankedItems
from negsample.models import Backbone
from negsample.models.build import terms_of
from negsample.parallel.processes import Processes

ENCODE_BLOCK = 256  # histories encoded at once; more at once take longer each


class Model(Protocol):
    """A backbone with its table."""

    @property
    def table(self) -> RankedItems:
        """The item embeddings."""
        ...

    @property
    def max_length(self) -> int:
        """L."""
        ...

    def __call__(self, vectors_TD: Tensor, packed: Packed, rng: torch.Generator | None = None) -> Tensor:
        """(T, D) states."""
        ...


@torch.no_grad()
def encode(model: Model, items: NDArray[np.int32], windows: Windows, *, device: torch.device) -> Tensor:
    """(Q, D) state after the last item of each window.

    Where the table is divided over processes each encodes some of the blocks, and has all states.
    """
    order = np.argsort(windows.starts - windows.stops, kind="stable")
    blocks = [order[start : start + ENCODE_BLOCK] for start in range(0, len(order), ENCODE_BLOCK)]
    parted = divided(model.table)
    own = blocks if parted is None else blocks[parted.shards.processes.rank :: parted.shards.processes.size]
    parts = []
    for block in own:
        chosen = longest_first(windows.take(block))
        packed = pack(items, chosen, model.max_length).to(device)
        states = model(model.table.lookup(packed.items_T)[0], packed)
        parts.append(states.index_select(0, upload(torch.from_numpy(packed.offsets[1:] - 1), device)))
    if parted is not None:
        parts, order = _of_all(parts, blocks, model, parted.shards.processes, device)
    back = upload(torch.from_numpy(np.argsort(order)), device)
    return torch.cat(parts).index_select(0, back)


def _of_all(
    parts: list[Tensor], blocks: list[Ints], model: Model, processes: Processes, device: torch.device
) -> tuple[list[Tensor], Ints]:
    """The states that all ``processes`` have, and the windows that they are of."""
    if len(parts) < -(-len(blocks) // processes.size):  # the others look up for one block more
        nothing = model.table.lookup(torch.empty(0, dtype=torch.int64, device=device))[0]
        parts = parts or [nothing]
    of = [np.concatenate([*blocks[rank :: processes.size], blocks[0][:0]]) for rank in range(processes.size)]
    return [processes.joined(torch.cat(parts))], np.concatenate(of)


@guarded
def encode_histories(model: Backbone, histories: Sequence[Sequence[int] | Ints]) -> Tensor:
    """(Q, D) the state of ``model`` after each of Q histories, times its share: what queries of an index are made of.

    Args:
        model: trained.
        histories: the ids of each, in the order of time; the latest L of them count.

    Raises:
        InputError: one is empty, or has what is no id in ``1..V``.
    """
    some("histories", histories)
    if not all(map(len, histories)):
        raise InputError("histories must each have an item; there is no state after none")
    flat = np.concatenate([np.asarray(each) for each in histories])
    items, _ = checked_events(flat, np.zeros(len(flat), np.int64), model.table.items)
    stops = np.cumsum([len(each) for each in histories])
    starts = stops - [min(len(each), model.max_length) for each in histories]
    windows = Windows(np.arange(len(stops)), starts, stops)
    states = encode(model, items.astype(np.int32), windows, device=next(model.parameters()).device)
    weights = terms_of(model)
    return states if weights is None else states * weights.share
