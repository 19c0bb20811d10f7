"""`python -m benchmarks.recommend`: top lists for many people from a large catalogue, beside the bare products.

A MODEL is made by chance: a SASRec that was not trained, and two million events that popularity, own items and
neighbours are taken from. People are answered in blocks, as `negsample recommend` does; of each block the products of
its states and the item table are timed alone, in the fastest of several block sizes, in the same moment. With all terms
fewer people are asked for, since a person costs some ten times as much.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from benchmarks.common import RESULTS
from negsample import generator, run_settings
from negsample.data.manifest import Manifest
from negsample.data.until import in_memory
from negsample.evaluation.evaluate import QUERIES_AT_ONCE
from negsample.models.build import build_backbone, set_terms
from negsample.models.terms import AFTER, TermWeights
from negsample.runs.machine import machine
from negsample.serving.histories import Histories
from negsample.serving.model import FORMAT, About, Member
from negsample.serving.recommender import Recommender

EVENTS, DAY, START = 2_000_000, 86_400 * 10**6, 1_600_000_000 * 10**6
PRODUCTS = ((128, 16384), (256, 4096), (512, 2048), (1024, 2048))
OUT = RESULTS / "recommend.json"


def recommender_by_chance(items: int, people: int, *, terms: bool) -> Recommender:
    """So many items and users, with two million events."""
    draws, settings = np.random.default_rng(0), run_settings()
    users = np.sort(draws.integers(0, people, EVENTS))
    chosen = 1 + (items * draws.random(EVENTS) ** 3).astype(np.int64)
    times = START + draws.integers(0, 90 * DAY, EVENTS)
    order = np.lexsort((times, users))
    until = START + 90 * DAY
    model = build_backbone(settings.model, items, rng=generator(0, "init"), device=torch.device("cpu"))
    if terms:
        weights = TermWeights(AFTER)
        for parameter in weights.parameters():
            parameter.data.normal_(0, 0.1, generator=torch.Generator().manual_seed(1))
        set_terms(model, weights)
    manifest = _manifest()
    known = in_memory(manifest, Path("none"), (users[order], chosen[order], times[order]), people, items, until)
    about = About(
        format=FORMAT,
        method="random",
        members=[Member(weights="model-0.safetensors", seed=0, epochs=0, terms={})],
        settings=settings.flat(),
        negatives={},
        dial=0.0,
        until=until,
        recent_half_life=None,
        users=people,
        items=items,
        events=EVENTS,
        manifest=manifest,
        versions={},
    )
    ids = pl.Series("item", np.arange(items))
    return Recommender(Path("none"), about, [model], known, ids, pl.Series(np.arange(people)), known.train_counts)


def _manifest() -> Manifest:
    """Of no log; only its times are looked at."""
    fields: dict[str, Any] = dict.fromkeys(Manifest.model_fields, 0)
    return Manifest.model_construct(**fields | {
        "name": "by-chance", "fingerprint": "0" * 12, "test_start": "2020-12-12T00:00:00",
        "valid_start": "2020-12-01T00:00:00", "first_time": "2020-09-13T00:00:00", "last_time": "2020-12-12T00:00:00",
        "weight": None,
    })  # fmt: skip


def histories(items: int, people: int, length: int) -> Histories:
    """Of so many people, with ``length`` events each, one an hour."""
    draws = np.random.default_rng(1)
    chosen = 1 + (items * draws.random(people * length) ** 3).astype(np.int64)
    times = START + 80 * DAY + np.tile(np.arange(length), people) * (DAY // 24)
    offsets = np.arange(people + 1) * length
    return Histories(pl.Series(np.arange(people)), chosen, times, offsets, 0, [])


def measured(items: int, people: int, *, terms: bool, length: int = 20) -> dict[str, Any]:
    """Seconds for all ``people``, in all and of the products alone; the first block makes what is made once."""
    recommender = recommender_by_chance(items, 50_000, terms=terms)
    asked, ask = histories(items, people, length), recommender.ask(k=10)
    began = time.perf_counter()
    next(recommender.answers(asked.take(0, 256), ask))
    once = time.perf_counter() - began
    table = recommender.models[0].table.block(1, items + 1)
    whole, bare, encoding = [], [], []
    for first in range(0, people, QUERIES_AT_ONCE):
        some = asked.take(first, min(first + QUERIES_AT_ONCE, people))
        began = time.perf_counter()
        for _ in recommender.answers(some, ask):
            pass
        whole.append(time.perf_counter() - began)
        began = time.perf_counter()
        states = recommender.ranker.states(some)
        encoding.append(time.perf_counter() - began)
        bare.append(min(_products(states, table, *sizes) for sizes in PRODUCTS))
    found = {"seconds": sum(whole), "products_seconds": sum(bare), "states_seconds": sum(encoding)}
    ratio = statistics.median(each / product for each, product in zip(whole, bare, strict=True))
    about = {"items": items, "people": people, "history": length, "terms": terms, "once_seconds": once}
    return about | found | {"ratio_of_products": ratio, "people_a_second": people / sum(whole)}


def _products(states: torch.Tensor, table: torch.Tensor, queries: int, items: int) -> float:
    """Seconds of all products, estimated from a tenth of the states at least a thousand."""
    some = states[: max(len(states) // 10, 1000)]
    cells = torch.empty(queries * min(items, len(table)))
    began = time.perf_counter()
    for start in range(0, len(table), items):
        block = table[start : start + items]
        for first in range(0, len(some), queries):
            asking = some[first : first + queries]
            torch.mm(asking, block.T, out=cells[: len(asking) * len(block)].view(len(asking), len(block)))
    return (time.perf_counter() - began) * len(states) / len(some)


def main() -> None:
    """Measure, and write the result."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.recommend")
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--people-with-terms", type=int, default=32_768)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    asked = ((given.people, False), (given.people_with_terms, True))
    rows = [measured(given.items, people, terms=terms) for people, terms in asked]
    result = {"machine": machine(), "threads": torch.get_num_threads(), "rows": rows}
    given.out.write_text(json.dumps(result, indent=1, allow_nan=False) + "\n")
    for row in rows:
        print(row)


if __name__ == "__main__":
    main()
