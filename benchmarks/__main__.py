"""`make bench`: a training step by method, and evaluation against the bare matrix products it needs.

Writes `benchmarks/results/core.json` and `core.md`. Figures are medians; only ratios within one run mean anything on
a shared machine.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from negsample import SASRec, TrainSettings, build_method, catalogue_of, generator, load_dataset, negative_settings
from negsample.config import checked
from negsample.data.batches import Batch, epoch_batches
from negsample.data.sequences import Dataset
from negsample.evaluation import encode, queries
from negsample.methods import PAPER_SIX
from negsample.ranking import ITEM_BLOCK, QUERY_BLOCK, rank
from negsample.study import machine
from negsample.train import propose, step

RESULTS = Path(__file__).parent / "results"
SETTINGS = checked(TrainSettings, {})


def median_ms(call: Callable[[], object], repeats: int) -> float:
    """Median milliseconds of a call, after one that is not counted."""
    call()
    taken = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def first_batches(data: Dataset, number: int) -> list[Batch]:
    """The first batches of an epoch."""
    batches = epoch_batches(
        data.items,
        data.offsets,
        data.train_ends,
        batch_size=SETTINGS.batch_size,
        max_length=SETTINGS.max_length,
        catalogue_size=data.catalogue_size,
        rng=generator(0, "order"),
    )
    return [batch for batch, _ in zip(batches, range(number), strict=False)]


def step_times(data: Dataset, batches: list[Batch], methods: Iterable[str]) -> list[dict[str, Any]]:
    """Milliseconds of a step by method, and of its proposal."""
    rows = []
    catalogue = catalogue_of(data, SETTINGS.max_length, torch.device("cpu"))
    for name in methods:
        method = build_method(name, catalogue, negative_settings(name, {"warm_up": 0}))  # a bank in use
        model = SASRec(data.catalogue_size, rng=generator(0, "init"))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98), fused=True)
        draws, drops = generator(0, "negatives"), generator(0, "dropout")

        def under(method: Any) -> list[Batch]:
            return [replace(batch, collisions=method.collisions) for batch in batches]

        def whole(
            method: Any = method, model: Any = model, optimizer: Any = optimizer, draws: Any = draws, drops: Any = drops
        ) -> None:
            for batch in under(method):
                step(model, method, batch, optimizer, negatives_rng=draws, dropout_rng=drops)

        def drawing(method: Any = method, draws: Any = draws) -> None:
            for batch in under(method):
                propose(method, batch, rng=draws)

        total, drawn = median_ms(whole, 5) / len(batches), median_ms(drawing, 5) / len(batches)
        rows.append({"method": name, "step_ms": total, "draw_ms": drawn, "draw_share": drawn / total})
    return rows


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


def main() -> None:
    """Measure, print, write."""
    data = load_dataset("online-retail")
    batches = first_batches(data, 20)
    positions = statistics.fmean(len(batch.targets_T) for batch in batches)
    steps = step_times(data, batches, PAPER_SIX)
    asked = queries(data, "test", history="frozen", max_length=SETTINGS.max_length)
    model = SASRec(data.catalogue_size, rng=generator(0, "init"))
    encoding = median_ms(lambda: encode(model, data.items, asked.windows, device=torch.device("cpu")), 3)
    ranking = [evaluation_times(12_000, 8_000), evaluation_times(1_000_000, 2_000)]
    lines = [
        f"{machine()['processor']}, {machine()['cores']} cores, torch {machine()['torch']}. Medians.",
        "",
        f"A training step on online-retail: B={SETTINGS.batch_size}, {positions:.0f} positions, D={SETTINGS.dim}.",
        "",
        "| method | step, ms | drawing, ms | share |",
        "|---|---|---|---|",
        *(
            f"| {r['method']} | {r['step_ms']:.1f} | {r['draw_ms']:.2f} | {100 * r['draw_share']:.0f} % |"
            for r in steps
        ),
        "",
        f"Encoding {len(asked.windows):,} histories: {encoding:.0f} ms. Exact ranks (D=64):",
        "",
        "| items | events | bare products, ms | ranks, ms | ratio | with the top 20, ratio |",
        "|---|---|---|---|---|---|",
        *(
            f"| {r['items']:,} | {r['events']:,} | {r['products_ms']:.0f} | {r['ranks_ms']:.0f} | {r['ratio']:.1f} "
            f"| {r['with_top_20_ratio']:.1f} |"
            for r in ranking
        ),
    ]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "core.md").write_text("\n".join(lines) + "\n")
    results = {"machine": machine(), "step": steps, "encode_ms": encoding, "rank": ranking}
    (RESULTS / "core.json").write_text(json.dumps(results, indent=1) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
