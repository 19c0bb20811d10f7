"""Item vectors as indexes of FAISS: the exact one, and approximate ones where they find what it finds."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from negsample.data.blocks import spans
from negsample.scoring.dial import BETAS
from negsample.scoring.serving import item_vectors, query_vectors
from negsample.serving.padded import vectors_of

if TYPE_CHECKING:
    from negsample.serving.recommender import Recommender

RECALL = 0.99
"""Of the exact top 10, at every setting of the dial: what an approximate index must find to be written."""
QUERIES = 1000
"""Users whose states are asked with, spread evenly over all that have events."""
FEW = 1000
"""Items below which there is only the exact index."""
TOP = 10
_LINKS = 32
_OF_A_LIST = 39
"""Items that a list needs at least, by FAISS's own rule."""
_BREADTHS = (64, 128, 256, 512)

Floats = NDArray[np.float32]


class Measured(NamedTuple):
    """Of an approximate index: how much of the exact top 10 it finds at each of ``BETAS``, with its ``setting``."""

    setting: str
    recalls: list[float]

    @property
    def enough(self) -> bool:
        """Whether it may be used."""
        return min(self.recalls) >= RECALL


def write_indexes(recommender: Recommender, column_V: Tensor, folder: Path, k: int) -> dict[str, Any]:
    """``exact.faiss``, and of ``ivf.faiss`` and ``hnsw.faiss`` those that find enough of what it finds.

    All are of vectors with two coordinates more, ``log p`` and ``term``; see
    :func:`negsample.scoring.serving.item_vectors`. The first item is at 0. Returns what was measured, by kind.
    """
    import faiss

    vectors_VD = torch.cat(vectors_of(recommender.models), 1)
    vectors = item_vectors(vectors_VD, recommender.log_p_V, column_V)[1:].contiguous().numpy()
    exact = faiss.IndexFlatIP(vectors.shape[1])
    exact.add(vectors)
    faiss.write_index(exact, str(folder / "exact.faiss"))
    found: dict[str, Measured] = {}
    states_QD = torch.empty(0)
    if len(vectors) >= FEW:
        states_QD = _states(recommender)
        asked = [query_vectors(states_QD, beta, terms=True).numpy() for beta in BETAS]
        of_exact = [(queries, exact.search(queries, TOP)[0][:, -1:]) for queries in asked]
        for kind, approximate in (("ivf", _ivf), ("hnsw", _hnsw)):
            index, found[kind] = approximate(vectors, lambda index: _recalls(index, of_exact))
            if found[kind].enough:
                faiss.write_index(index, str(folder / f"{kind}.faiss"))
    facts = {"measured": found, "queries": len(states_QD), "betas": BETAS, "least": RECALL}
    return facts | {"width": vectors_VD.shape[1]}


def _recalls(index: Any, of_exact: list[tuple[Floats, Floats]]) -> list[float]:
    """How much of the exact top 10 of some queries, whose last scores are beside them, ``index`` finds at each setting;
    an item with the same score is as good."""
    return [
        float((index.search(queries, TOP)[0] >= least_Q1 - 1e-5 * np.maximum(np.abs(least_Q1), 1)).mean())
        for queries, least_Q1 in of_exact
    ]


def _states(recommender: Recommender) -> Tensor:
    """(Q, D) of some users, spread evenly over those with events."""
    everybody = recommender.users
    lengths = np.diff(everybody.offsets)
    users = np.flatnonzero(lengths)
    users = users[np.unique(np.linspace(0, len(users) - 1, QUERIES).astype(np.int64))]
    events = spans(everybody.offsets[users], lengths[users])
    people = everybody._replace(
        keys=everybody.keys[users],
        items=everybody.items[events],
        times=everybody.times[events],
        offsets=np.append(0, np.cumsum(lengths[users])),
    )
    return recommender.ranker.states(people).cpu()


def _ivf(vectors: Floats, recalls: Callable[[Any], list[float]]) -> tuple[Any, Measured]:
    """With the fewest lists probed, at most half of all.

    Items are in lists by distance, and lists are probed by the products of queries with their centres. FAISS's own way
    puts items into lists by products too, with centres of length 1, and misses what a dial below 0 brings up: on three
    logs its recall there is 0 to 0.9 where this one's is 1 (docs/log.md, 2026-11-30).
    """
    import faiss

    dim, lists = vectors.shape[1], min(round(4 * math.sqrt(len(vectors))), len(vectors) // _OF_A_LIST)
    nearest, centres = faiss.IndexFlatL2(dim), faiss.IndexFlatIP(dim)
    index = faiss.IndexIVFFlat(nearest, dim, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.spherical = False
    index.train(vectors)
    index.add(vectors)
    centres.add(nearest.reconstruct_n(0, lists))
    index.quantizer = centres
    whole: Any = faiss.deserialize_index(faiss.serialize_index(index))  # it owns its centres
    while True:
        found = Measured(f"nprobe {whole.nprobe} of {lists} lists", recalls(whole))
        if found.enough or 4 * whole.nprobe > lists:
            return whole, found
        whole.nprobe *= 2


def _hnsw(vectors: Floats, recalls: Callable[[Any], list[float]]) -> tuple[Any, Measured]:
    import faiss

    index = faiss.IndexHNSWFlat(vectors.shape[1], _LINKS, faiss.METRIC_INNER_PRODUCT)
    index.add(vectors)
    for breadth in _BREADTHS:
        index.hnsw.efSearch = breadth
        found = Measured(f"efSearch {breadth}", recalls(index))
        if found.enough:
            break
    return index, found
