"""What terms cost: an evaluation, the fit of their weights to validation, and a step of training.

`python -m benchmarks.terms LOG...`: writes `benchmarks/results/terms.json`, or another with `--out`. The ways are taken
in turn; medians. An evaluation is of an untrained SASRec on a log's test events, with all figures: without terms, with
those that are trained along, and with all that are fitted after training. Neighbours are found once for all evaluations
of a run, so the first of them is measured apart. A step is making a batch and learning from it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

import torch

from benchmarks.common import RESULTS
from negsample import (
    build_method,
    catalogue_of,
    evaluate,
    generator,
    load_dataset,
    negative_settings,
    run_settings,
)
from negsample.batches.epochs import batches_of
from negsample.data.dataset import Dataset
from negsample.errors import InputError
from negsample.evaluation.fit_terms import fit_terms
from negsample.models.build import build_backbone, set_terms
from negsample.models.terms import AFTER, TermWeights
from negsample.optim import optimizer_for
from negsample.rules import nearest
from negsample.runs.machine import machine, peak_memory
from negsample.scoring.lately import spread_cuts
from negsample.settings import laid_out
from negsample.training.knowledge import knowledge_for
from negsample.training.step import step

CPU = torch.device("cpu")
METHODS = ("random", "mixed-log-q", "full-ce")
ALONG = ("popularity", "recency", "repeats")
WITHOUT = "without"
STEPS = 20


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.terms")
    parser.add_argument("logs", nargs="+", help="bundled names, prepared folders or logs")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--dim", type=int, default=run_settings().model.dim, help="of the model that is evaluated")
    parser.add_argument("--out", default="terms", help="name of the result")
    given = parser.parse_args()
    rows = []
    for log in given.logs:
        data = load_dataset(log)
        row = {"dataset": data.name, "items": data.catalogue_size, "events": len(data.items)}
        row |= {"steps": steps(data), "evaluations": evaluations(data, given.repeats, given.dim)}
        row["peak_mb"] = (peak_memory(CPU) or 0) >> 20
        rows.append(row)
        print(json.dumps(row), flush=True)
    (RESULTS / f"{given.out}.json").write_text(json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")


def in_turn(
    calls: Mapping[str, Callable[[], object]],
    repeats: int,
    unseen: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, dict[str, float]]:
    """Median milliseconds of each call, all in turn, after ``unseen`` that do not count; and ratios to the first."""
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + unseen):
        for name, call in calls.items():
            began = clock()
            call()
            taken[name].append(1000 * (clock() - began))
    medians = {name: statistics.median(each[unseen:]) for name, each in taken.items()}
    first = next(iter(medians.values()))
    return {name: {"ms": round(each, 2), "ratio": round(each / first, 3)} for name, each in medians.items()}


def evaluations_of(data: Dataset, along: Sequence[str], dim: int) -> dict[str, Callable[[], object]]:
    """By way an evaluation of one model that is not trained; the last one fits all terms."""
    settings = run_settings(dim=dim)
    model = build_backbone(settings.model, data.catalogue_size, rng=generator(0, "init"), device=CPU)
    fitted = drawn(AFTER, 0.5)

    def of(weights: TermWeights | None, new: bool = False) -> Callable[[], object]:
        def call() -> object:
            if new:
                nearest._kept.cache_clear()
            set_terms(model, weights)
            return evaluate(model, data, "test", settings)

        return call

    def fit() -> object:
        nearest._kept.cache_clear()
        set_terms(model, None)
        return fit_terms(model, data, settings, device=CPU)

    calls = {WITHOUT: of(None), "trained along": of(drawn(tuple(along), 1.0))}
    return calls | {"fitted, first": of(fitted, new=True), "fitted": of(fitted), "fit": fit}


def evaluations(data: Dataset, repeats: int, dim: int) -> dict[str, Any]:
    """Of one model with several terms, and of fitting them: four times, as a run does."""
    calls = evaluations_of(data, ALONG, dim)
    return in_turn(calls, repeats)


def drawn(names: tuple[str, ...], share: float) -> TermWeights:
    """Weights of terms that are not 0."""
    weights, rng = TermWeights(names), generator(0, "init")
    with torch.no_grad():
        for each in weights.parameters():
            each.normal_(std=0.1, generator=rng)
        weights.share.fill_(share)
    return weights


def steps(data: Dataset) -> dict[str, Any]:
    """By method; why not, where terms cannot be trained along."""
    try:
        spread_cuts(data, laid_out([name for name in ALONG if name != "repeats"]))
    except InputError as refused:
        return {"refused": str(refused)}
    ways = {WITHOUT: "", "trained along": ",".join(ALONG)}
    return {
        method: in_turn({way: steps_of(data, method, terms) for way, terms in ways.items()}, STEPS, unseen=2)
        for method in METHODS
    }


def steps_of(data: Dataset, name: str, terms: str) -> Callable[[], object]:
    """A call that takes the next step of one training."""
    settings = run_settings(terms=terms)
    method = build_method(name, catalogue_of(data, settings.model.max_length), negative_settings(name, {}))
    model = build_backbone(settings.model, data.catalogue_size, rng=generator(0, "init"), device=CPU)
    optimizer, order = optimizer_for(model, settings), generator(0, "order")
    known = knowledge_for(model, method, data, settings, CPU)
    rngs: dict[str, Any] = {"negatives_rng": generator(0, "negatives"), "dropout_rng": generator(0, "dropout")}
    batches = (batch for _ in cycle([0]) for batch in batches_of(data, settings, method.exclude, rng=order))

    def call() -> object:
        batch = next(batches)
        return step(model, method, batch, optimizer, terms=None if known is None else known.of(batch), **rngs)

    return call


if __name__ == "__main__":
    main()
