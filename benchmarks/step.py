"""A training step by method, on one log, and the share of it that drawing takes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Literal
from unittest.mock import patch

import numpy as np
import torch

from benchmarks.common import SETTINGS, first_batches, median_ms
from negsample import SASRec, build_method, catalogue_of, generator, load_dataset, negative_settings
from negsample.batches.packed import Batch
from negsample.data.dataset import Dataset
from negsample.methods import PAPER_SIX
from negsample.models.attention import lay_in_bins
from negsample.models.item_table import ItemTable
from negsample.optim import DenseAdam, optimizer_for
from negsample.training import step as train
from negsample.training.inputs import propose
from negsample.training.products import length_buckets
from negsample.training.step import step

BATCHES = 20
STAGES = ("draw", "gather", "forward", "score and lose", "backward", "update", "step")


def step_times(data: Dataset, batches: list[Batch], methods: Iterable[str]) -> list[dict[str, Any]]:
    """Milliseconds of a step by method, and of its proposal."""
    rows = []
    catalogue = catalogue_of(data, SETTINGS.model.max_length, torch.device("cpu"))
    for name in methods:
        method = build_method(name, catalogue, negative_settings(name, {"warm_up": 0}))  # a bank in use
        model = SASRec(data.catalogue_size, rng=generator(0, "init"))
        optimizer = DenseAdam(model.parameters(), lr=1e-3)
        draws, drops = generator(0, "negatives"), generator(0, "dropout")

        def under(method: Any) -> list[Batch]:
            return [replace(batch, exclude=method.exclude) for batch in batches]

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


def stages(data: Dataset, batches: list[Batch], name: str, table: Literal["dense", "rows"]) -> dict[str, Any]:
    """Median milliseconds of each stage of a step, and of the bare matrix products that it needs.

    Stages are the calls that `negsample.training.step.step` makes, timed one by one; what is left of the step (scores,
    selection, loss) is the last of them.
    """
    catalogue = catalogue_of(data, SETTINGS.model.max_length, torch.device("cpu"))
    method = build_method(name, catalogue, negative_settings(name, {}))
    rng = generator(0, "init")
    made = ItemTable(data.catalogue_size, SETTINGS.model.dim, rng=rng, by_rows=table == "rows")
    model = SASRec(data.catalogue_size, rng=rng, table=made)
    optimizer = optimizer_for(model, SETTINGS)
    draws, drops = generator(0, "negatives"), generator(0, "dropout")
    taken: dict[str, list[float]] = {}

    def timed(stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def timing(*args: Any, **named: Any) -> Any:
            began = time.perf_counter()
            result = call(*args, **named)
            taken.setdefault(stage, []).append(1000 * (time.perf_counter() - began))
            return result

        return timing

    watched: dict[str, tuple[Any, str]] = {
        "draw": (train, "propose"),
        "gather": (made, "lookup"),
        "forward": (model, "forward"),
        "backward": (torch.Tensor, "backward"),
        "update": (optimizer, "step"),
    }
    with ExitStack() as stack:
        for stage, (owner, attribute) in watched.items():
            stack.enter_context(patch.object(owner, attribute, timed(stage, getattr(owner, attribute))))
        one = timed("step", train.step)
        for turn in range(6):
            if turn == 1:  # the first is not counted
                taken.clear()
            for batch in batches:
                there = replace(batch, exclude=method.exclude)
                one(model, method, there, optimizer, negatives_rng=draws, dropout_rng=drops)
    found = {stage: statistics.median(times) for stage, times in taken.items()}
    bare = statistics.median(products_ms(batch, method.sampler.k, SETTINGS.model.dim) for batch in batches)
    rest = found["step"] - sum(found[stage] for stage in watched)
    return {"method": name, "table": table, **found, "score and lose": rest, "products": bare}


def products_ms(batch: Batch, k: int | str, dim: int) -> float:
    """Median milliseconds of a step's matrix products alone, there and back: dense layers, attention, scores.

    Of negatives drawn per sequence, as in the paper's methods; each product once forward and twice backward.
    """
    assert isinstance(k, int)
    t, bins = len(batch.targets_T), lay_in_bins(batch.inputs, torch.float32)
    states, weights = torch.randn(t, dim), torch.randn(dim, dim)
    spread, scores = torch.randn(bins.bins, bins.width, dim), torch.randn(bins.bins, bins.width, bins.width)
    lengths = np.diff(batch.inputs.offsets)
    buckets = [
        (torch.randn(last - first, int(lengths[first]), dim), torch.randn(last - first, dim, k))
        for first, last in length_buckets(lengths)
    ]

    def all_of_them() -> None:
        for _ in range(SETTINGS.flat()["blocks"]):
            for _ in range(5):
                states @ weights, states @ weights.T, states.T @ states
            for _ in range(2):
                torch.bmm(spread, spread.transpose(1, 2)), torch.bmm(scores, spread), torch.bmm(scores, spread)
        for some, own in buckets:
            product = torch.bmm(some, own)
            torch.bmm(product, own.transpose(1, 2)), torch.bmm(some.transpose(1, 2), product)

    return median_ms(all_of_them, 5)


def measure(log: str = "online-retail") -> dict[str, Any]:
    """A row a method of the paper's six, and where the time of a step goes."""
    data = load_dataset(log)
    batches = first_batches(data, BATCHES)
    positions = statistics.fmean(len(batch.targets_T) for batch in batches)
    broken_down = [stages(data, batches, "random", table) for table in ("dense", "rows")]
    rows = step_times(data, batches, PAPER_SIX)
    return {"dataset": data.name, "positions": positions, "rows": rows, "stages": broken_down}


def lines(found: dict[str, Any]) -> list[str]:
    """Markdown."""
    return [
        f"A training step on {found['dataset']}: B={SETTINGS.training.batch_size}, {found['positions']:.0f} positions, "
        f"D={SETTINGS.model.dim}.",
        "",
        "| method | step, ms | drawing, ms | share |",
        "|---|---|---|---|",
        *(
            f"| {r['method']} | {r['step_ms']:.1f} | {r['draw_ms']:.2f} | {100 * r['draw_share']:.0f} % |"
            for r in found["rows"]
        ),
        "",
        "Where it goes, ms, and what its matrix products take alone (forward and backward):",
        "",
        "| method | table | " + " | ".join(STAGES) + " | products | step / products |",
        "|---|---|" + "---|" * (len(STAGES) + 2),
        *(
            f"| {r['method']} | {r['table']} | {' | '.join(f'{r[stage]:.2f}' for stage in STAGES)} "
            f"| {r['products']:.2f} | {r['step'] / r['products']:.1f} |"
            for r in found["stages"]
        ),
    ]
