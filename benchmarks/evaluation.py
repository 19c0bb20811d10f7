"""Exact ranks over the whole catalogue, against the bare matrix products they need."""

from __future__ import annotations

from typing import Any

import torch

from benchmarks.common import SETTINGS, median_ms
from negsample import SASRec, generator, load_dataset
from negsample.evaluation import encode, queries
from negsample.ranking import ITEM_BLOCK, QUERY_BLOCK, rank


def evaluation_times(items: int, events: int, dim: int = 64) -> dict[str, Any]:
    """Milliseconds to rank ``events`` (one a query) among ``items``, beside the same products alone."""
    rng = torch.Generator().manual_seed(0)
    table = SASRec(items, dim=dim, rng=rng).table
    states = torch.randn(events, dim, generator=rng)
    targets = torch.randint(1, items + 1, (events,), generator=rng).numpy()
    query = torch.arange(events).numpy()

    def products() -> None:
        with torch.no_grad():
            for first in range(0, events, QUERY_BLOCK):
                for start in range(1, items + 1, ITEM_BLOCK):
                    states[first : first + QUERY_BLOCK] @ table.block(start, min(start + ITEM_BLOCK, items + 1)).T

    ranks = median_ms(lambda: rank(states, table, query, targets), 3)
    with_top = median_ms(lambda: rank(states, table, query, targets, top_k=20), 3)
    bare = median_ms(products, 3)
    return {
        "items": items,
        "events": events,
        "products_ms": bare,
        "ranks_ms": ranks,
        "ratio": ranks / bare,
        "with_top_20_ratio": with_top / bare,
    }


def measure(log: str = "online-retail") -> dict[str, Any]:
    """Encoding the histories of a log, and ranks at two sizes."""
    data = load_dataset(log)
    asked = queries(data, "test", history="frozen", max_length=SETTINGS.max_length)
    model = SASRec(data.catalogue_size, rng=generator(0, "init"))
    encoding = median_ms(lambda: encode(model, data.items, asked.windows, device=torch.device("cpu")), 3)
    ranking = [evaluation_times(12_000, 8_000), evaluation_times(1_000_000, 2_000)]
    return {"histories": len(asked.windows), "encode_ms": encoding, "rank": ranking}


def lines(found: dict[str, Any]) -> list[str]:
    """Markdown."""
    return [
        f"Encoding {found['histories']:,} histories: {found['encode_ms']:.0f} ms. Exact ranks (D=64):",
        "",
        "| items | events | bare products, ms | ranks, ms | ratio | with the top 20, ratio |",
        "|---|---|---|---|---|---|",
        *(
            f"| {r['items']:,} | {r['events']:,} | {r['products_ms']:.0f} | {r['ranks_ms']:.0f} | {r['ratio']:.1f} "
            f"| {r['with_top_20_ratio']:.1f} |"
            for r in found["rank"]
        ),
    ]
