"""A training step by method, on one log, and the share of it that drawing takes."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import torch

from benchmarks.common import SETTINGS, first_batches, median_ms
from negsample import SASRec, build_method, catalogue_of, generator, load_dataset, negative_settings
from negsample.data.batches import Batch
from negsample.data.sequences import Dataset
from negsample.methods import PAPER_SIX
from negsample.train import propose, step

BATCHES = 20


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


def measure(log: str = "online-retail") -> dict[str, Any]:
    """A row a method of the paper's six."""
    data = load_dataset(log)
    batches = first_batches(data, BATCHES)
    positions = statistics.fmean(len(batch.targets_T) for batch in batches)
    return {"dataset": data.name, "positions": positions, "rows": step_times(data, batches, PAPER_SIX)}


def lines(found: dict[str, Any]) -> list[str]:
    """Markdown."""
    return [
        f"A training step on {found['dataset']}: B={SETTINGS.batch_size}, {found['positions']:.0f} positions, "
        f"D={SETTINGS.dim}.",
        "",
        "| method | step, ms | drawing, ms | share |",
        "|---|---|---|---|",
        *(
            f"| {r['method']} | {r['step_ms']:.1f} | {r['draw_ms']:.2f} | {100 * r['draw_share']:.0f} % |"
            for r in found["rows"]
        ),
    ]
