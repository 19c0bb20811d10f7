"""Exact ranks over the whole catalogue, against the bare matrix products they need."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.common import SETTINGS, median_ms
from benchmarks.memory import peak_bytes
from negsample import SASRec, generator, load_dataset
from negsample.batches.windows import Ints
from negsample.evaluation.encode import encode
from negsample.evaluation.queries import queries
from negsample.evaluation.ranks import ITEM_BLOCK, QUERY_BLOCK, rank
from negsample.evaluation.seen import Seen
from negsample.models.item_table import ItemTable
from negsample.scoring.dial import dials

_PRODUCT_BLOCKS = [(QUERY_BLOCK, ITEM_BLOCK), (256, 4096), (512, 2048), (1024, 2048)]
_SEEN = 10  # items a query that the filter leaves out


def evaluation_times(items: int, query: Ints, dim: int, *, repeats: int = 7) -> dict[str, Any]:
    """Milliseconds to rank an event of each of ``query`` (ascending) among ``items``, beside the same products alone.

    The products are one a query, in the fastest of several block sizes, ours among them. All are measured in turn,
    so that what else the machine does falls on all of them.
    """
    rng = torch.Generator().manual_seed(0)
    table = ItemTable(items, dim, rng=rng)
    number = int(query[-1]) + 1
    states = torch.randn(number, dim, generator=rng)
    targets = torch.randint(1, items + 1, (len(query),), generator=rng).numpy()
    left_out = torch.randint(1, items + 1, (number * _SEEN,), generator=rng).numpy()
    seen = Seen.of_pairs(np.repeat(np.arange(number), _SEEN), left_out, queries=number, items=items)
    nine = dials(1e6 / torch.arange(1, items + 2))  # by Zipf's law

    def products(query_block: int, item_block: int) -> None:
        cells = torch.empty(query_block * min(item_block, items))
        for start in range(1, items + 1, item_block):
            block = table.block(start, min(start + item_block, items + 1))
            for first in range(0, number, query_block):
                asking = states[first : first + query_block]
                torch.mm(asking, block.T, out=cells[: len(asking) * len(block)].view(len(asking), len(block)))

    def ranks(top_k: int = 0, seen: Seen | None = None) -> None:
        rank(states, table, query, targets, top_k=top_k, seen=seen)

    def by_dial(top_k: int) -> None:
        rank(states, table, query, targets, nine, top_k=top_k)

    calls: dict[str, Callable[[], None]] = {f"products {q} x {i}": partial(products, q, i) for q, i in _PRODUCT_BLOCKS}
    calls |= {"ranks": ranks, "top": partial(ranks, 20), "seen": partial(ranks, 0, seen)}
    calls |= {"top, seen": partial(ranks, 20, seen)}
    calls |= {"nine": partial(by_dial, 0), "nine, top": partial(by_dial, 20)}
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            taken[name].append(1000 * (time.perf_counter() - began))
    found = {name: statistics.median(each[1:]) for name, each in taken.items()}
    product = min((name for name in found if name.startswith("products")), key=found.__getitem__)
    return {
        "items": items,
        "events": len(query),
        "queries": number,
        "dim": dim,
        "product_block": product.removeprefix("products "),
        "products_ms": found[product],
        "ranks_ms": found["ranks"],
        "ratio": found["ranks"] / found[product],
        "with_top_20_ratio": found["top"] / found[product],
        "with_seen_ratio": found["seen"] / found[product],
        "with_both_ratio": found["top, seen"] / found[product],
        "nine_dials_ratio": found["nine"] / found["ranks"],
        "nine_dials_with_top_20_ratio": found["nine, top"] / found["top"],
        "memory_mb": sum(peak_bytes(partial(ranks, 20))) / 1e6,
        "block_memory_mb": 4 * min(ITEM_BLOCK, items) * (6 * QUERY_BLOCK + 3 * dim) / 1e6,
    }


def measure(log: str = "online-retail") -> dict[str, Any]:
    """Encoding the histories of a log, ranks of its test events, and ranks at three sizes."""
    data = load_dataset(log)
    asked = queries(data, "test", history="frozen", max_length=SETTINGS.model.max_length)
    model = SASRec(data.catalogue_size, rng=generator(0, "init"))
    encoding = median_ms(lambda: encode(model, data.items, asked.windows, device=torch.device("cpu")), 7)
    # As many as Beauty (5-core) has: frozen histories, then rolling ones, then a catalogue of a million.
    of_beauty = np.random.default_rng(0).integers(0, 3_700, 8_057 - 3_700)
    ranking = [
        evaluation_times(data.catalogue_size, asked.query_E, SETTINGS.model.dim),
        evaluation_times(12_101, np.sort(np.concatenate([np.arange(3_700), of_beauty])), 50),
        evaluation_times(12_101, np.arange(8_057), 50),
        evaluation_times(1_000_000, np.arange(2_000), 64, repeats=3),
    ]
    return {"log": log, "histories": len(asked.windows), "encode_ms": encoding, "rank": ranking}


def lines(found: dict[str, Any]) -> list[str]:
    """Markdown."""
    return [
        f"Encoding {found['histories']:,} histories of {found['log']}: {found['encode_ms']:.0f} ms.",
        "",
        "Exact ranks against the bare products of queries and items, in the fastest of several block sizes. Memory: "
        "the peak beside what was given, with the top 20, and what the blocks allow. Nine dials: ranks at each in one "
        "pass, against the ranks at one; with the top 20 of each, against that with its top 20.",
        "",
        "| items | events | queries | D | products, ms (block) | ranks, ms | ratio | top 20 | seen left out | both "
        "| nine dials against one | with top 20 | memory, MB | allowed |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {r['items']:,} | {r['events']:,} | {r['queries']:,} | {r['dim']} "
            f"| {r['products_ms']:.0f} ({r['product_block']}) | {r['ranks_ms']:.0f} | {r['ratio']:.2f} "
            f"| {r['with_top_20_ratio']:.2f} | {r['with_seen_ratio']:.2f} | {r['with_both_ratio']:.2f} "
            f"| {r['nine_dials_ratio']:.2f} | {r['nine_dials_with_top_20_ratio']:.2f} "
            f"| {r['memory_mb']:.0f} | {r['block_memory_mb']:.0f} |"
            for r in found["rank"]
        ),
    ]
