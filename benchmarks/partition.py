"""`python -m benchmarks.partition LOG ...`: are the log-q methods estimates of full cross-entropy on real batches?

Batches of whole sequences of real logs, and a model trained for 800 steps, whose scores of a user's own items are high.
For each method: the partition it estimates, `sum_j exp(s'_j)`, over the exact one of the items that its law can give,
and what of the exact one lies on items that it cannot give (nobody else's target). For each proposal: how far the mean
gradient of sampled softmax over the batches is from that of full cross-entropy, as m grows.

Beside each, what it was before a user's own targets were left out of in-batch negatives: they are among the negatives,
and `log_q` is their share of all targets. Results go into `benchmarks/results/gradient.json`, under `logs`.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from benchmarks.common import RESULTS
from negsample import SASRec, build_method, catalogue_of, generator, load_dataset, negative_settings
from negsample.batches.epochs import batches_of
from negsample.batches.packed import Batch, Packed
from negsample.data.dataset import Dataset
from negsample.losses import sampled_softmax
from negsample.methods import Catalogue, Method
from negsample.miners import LogQ
from negsample.optim import optimizer_for
from negsample.runs.machine import machine
from negsample.samplers import InBatch, MemoryBank, Mixture, Negatives, Sampler, Uniform
from negsample.settings import run_settings
from negsample.training.inputs import propose
from negsample.training.score import score
from negsample.training.step import step

FILE = RESULTS / "gradient.json"
SETTINGS = run_settings(**{"batch_size": 128, "learning_rate": 3e-3})
METHODS = (
    "sampled-softmax-log-q",
    "log-uniform",
    "in-batch-log-q",
    "corrected-log-q",
    "mixed-log-q",
    "cross-batch",
    "xir",
)
STEPS, BATCHES, POSITIONS = 800, 80, 64  # trained; measured; positions of each batch
GRADIENT_BATCHES, GRADIENT_POSITIONS, DRAWS = 16, 256, 4  # of the gradient; draws in each of two groups
SIZES = (64, 256, 1024)
PROPOSALS = ("uniform", "in-batch", "in-batch + uniform")


class Some(NamedTuple):
    """Some positions of a batch: their states, the batch of them alone, and which they are."""

    states_SD: Tensor
    batch: Batch
    at_S: Tensor


def trained(data: Dataset, catalogue: Catalogue) -> SASRec:
    """A model of the default shape after ``STEPS`` steps of ``mixed-log-q``."""
    model = SASRec(data.catalogue_size, rng=generator(0, "init"))
    method = build_method("mixed-log-q", catalogue, negative_settings("mixed-log-q", {}))
    optimizer = optimizer_for(model, SETTINGS)
    draws, drops = generator(0, "negatives"), generator(0, "dropout")
    for batch in endless(data, seed=0, number=STEPS):
        step(model, method, batch, optimizer, negatives_rng=draws, dropout_rng=drops)
    return model


def endless(data: Dataset, *, seed: int, number: int) -> Iterator[Batch]:
    """So many batches, of as many epochs as it takes."""
    rng = generator(seed, "order")
    while number > 0:
        for batch in batches_of(data, SETTINGS, "target", rng=rng):
            if number > 0:
                yield batch
            number -= 1


def some_of(states_TD: Tensor, batch: Batch, number: int, rng: torch.Generator) -> Some:
    """``number`` positions by chance, as a batch in which all sequences are known and most are empty."""
    at_S = torch.randperm(len(states_TD), generator=rng)[:number].sort().values
    inputs = batch.inputs
    packed = Packed(inputs.items_T[at_S], inputs.positions_T[at_S], inputs.rows_T[at_S], inputs.offsets)
    return Some(states_TD[at_S], replace(batch, inputs=packed, targets_T=batch.targets_T[at_S]), at_S)


def as_before(method: Method, batch: Batch, rng: torch.Generator) -> Negatives:
    """A proposal under the law that forgets whose the targets are."""
    drawn = method.sampler.draw(batch, rng=rng)
    of_targets = method.sampler.log_prob(batch.targets_T, batch, per="batch")
    log_q = method.sampler.log_prob(drawn.ids, batch, per="batch")
    return Negatives(drawn.ids, log_q, frozen=drawn.frozen, pos_log_q_T=of_targets, masked_T=of_targets.exp())


def estimates(method: Method, proposed: Negatives, some: Some, items: Tensor, rng: torch.Generator) -> Tensor:
    """(S,) what the method takes for the partition of its negatives."""
    of_targets, masked = (
        None if each is None else each[some.at_S] for each in (proposed.pos_log_q_T, proposed.masked_T)
    )
    scored = score(
        some.states_SD,
        items[some.batch.targets_T],
        items[proposed.ids],
        proposed._replace(pos_log_q_T=of_targets, masked_T=masked),
        some.batch,
        needs=method.miner.needs,
    )
    return method.miner(scored, rng=rng).neg_TK.double().exp().sum(1)


def reached(method: Method, catalogue: Catalogue, batch: Batch, some: Some) -> Tensor:
    """(S, V + 1) which items the method's law can give to each position, and may."""
    parts: list[Sampler] = method.sampler.parts if isinstance(method.sampler, Mixture) else [method.sampler]
    can = torch.ones(len(some.at_S), len(catalogue.counts), dtype=torch.bool)
    if all(isinstance(part, InBatch | MemoryBank) for part in parts):
        own = torch.zeros(batch.sequences, can.shape[1], dtype=torch.int64)
        own.index_put_((batch.inputs.rows_T, batch.targets_T), torch.ones_like(batch.targets_T), accumulate=True)
        can = catalogue.target_counts - own[some.batch.inputs.rows_T] > 0
    can[:, 0] = False
    return can.scatter_(1, some.batch.targets_T.unsqueeze(1), False)


@torch.no_grad()
def partitions(model: SASRec, data: Dataset, catalogue: Catalogue) -> list[dict[str, Any]]:
    """A row for each method: ratio to the truth after and before, with its standard error over batches."""
    made = {name: [build_method(name, catalogue, _chosen(name)) for _ in range(2)] for name in METHODS}
    chance, picks = [generator(1, "negatives") for _ in range(2)], generator(2, "negatives")
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in METHODS}
    items = model.table.weight
    for batch in endless(data, seed=1, number=BATCHES):
        states_TD = model(items[batch.inputs.items_T], batch.inputs)
        some = some_of(states_TD, batch, POSITIONS, picks)
        exp_SV = (some.states_SD @ items.T).double().exp()
        for name, (method, old) in made.items():
            can_SV = reached(method, catalogue, batch, some)
            truth_S = (exp_SV * can_SV).sum(1)
            allowed_S = exp_SV[:, 1:].sum(1) - exp_SV.gather(1, some.batch.targets_T.unsqueeze(1)).squeeze(1)
            now_S = estimates(method, propose(method, batch, rng=chance[0]), some, items, chance[0])
            then_S = estimates(old, as_before(old, batch, chance[1]), some, items, chance[1])
            row = (now_S / truth_S).mean(), (then_S / truth_S).mean(), (1 - truth_S / allowed_S).mean()
            found[name].append((float(row[0]), float(row[1]), float(row[2])))
    rows = []
    for name, values in found.items():
        now, then, missing = zip(*values[1:], strict=True)  # the first found a bank and a cache empty
        rows.append(
            {
                "method": name,
                "ratio": statistics.fmean(now),
                "error": statistics.stdev(now) / math.sqrt(len(now)),
                "before": statistics.fmean(then),
                "before_error": statistics.stdev(then) / math.sqrt(len(then)),
                "out_of_reach": max(statistics.fmean(missing), 0.0),
            }
        )
    return rows


def _chosen(name: str) -> dict[str, Any]:
    return negative_settings(name, {"warm_up": 1})


def sampler_of(proposal: str, m: int, catalogue: Catalogue) -> Sampler:
    """``m`` shared draws."""
    counts, v = catalogue.target_counts, catalogue.items
    if proposal == "uniform":
        return Uniform(v, m, per="batch")
    if proposal == "in-batch":
        return InBatch(m, counts=counts, per="batch")
    return Mixture(InBatch(m // 2, counts=counts, per="batch"), Uniform(v, m // 2, per="batch"))


def gradients(
    model: SASRec, data: Dataset, catalogue: Catalogue, number: int, sizes: Sequence[int], draws: int
) -> list[dict[str, Any]]:
    """A row for each proposal and m: how far the mean gradient over so many batches is from the exact one.

    The noise beside it is that of the draws, not of which users are in a batch.
    """
    kinds = [(each, law) for each in PROPOSALS for law in ("now", "before") if law == "now" or each != "uniform"]
    ways = [(proposal, law, m) for proposal, law in kinds for m in sizes]
    parameters = list(model.parameters())
    size = sum(each.numel() for each in parameters)
    exact, sums = torch.zeros(size), {way: torch.zeros(2, size) for way in ways}
    chance, picks = generator(3, "negatives"), generator(4, "negatives")
    for batch in endless(data, seed=3, number=number):
        items = model.table.weight
        states_TD = model(items[batch.inputs.items_T], batch.inputs)
        some = some_of(states_TD, batch, GRADIENT_POSITIONS, picks)
        targets_S = some.batch.targets_T
        loss = torch.nn.functional.cross_entropy(some.states_SD @ items[1:].T, targets_S - 1)
        exact += _gradient(loss, parameters)
        for proposal, law, m in ways:
            sampler = sampler_of(proposal, m, catalogue)
            method = Method(sampler, LogQ(), sampled_softmax, exclude="target")
            for group in range(2):
                losses = []
                for _ in range(draws):
                    proposed = propose(method, batch, rng=chance) if law == "now" else as_before(method, batch, chance)
                    scored = score(
                        some.states_SD,
                        items[targets_S],
                        items[proposed.ids],
                        proposed,
                        some.batch,
                        needs=method.miner.needs,
                    )
                    scored = method.miner(scored, rng=chance)
                    losses.append(method.loss(scored.pos_T, scored.neg_TK))
                sums[proposal, law, m][group] += _gradient(torch.stack(losses).mean(), parameters)
    rows = []
    for (proposal, law, m), of_groups in sums.items():
        error = (of_groups.mean(0) - exact).norm() / exact.norm()
        noise = (of_groups[0] - of_groups[1]).norm() / 2 / exact.norm()
        rows.append({"proposal": proposal, "law": law, "m": m, "error": float(error), "noise": float(noise)})
    return rows


def _gradient(loss: Tensor, parameters: Sequence[Tensor]) -> Tensor:
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    pairs = zip(found, parameters, strict=True)
    return torch.cat([(torch.zeros_like(of) if each is None else each).flatten() for each, of in pairs])


def epoch_of(model: SASRec, data: Dataset, catalogue: Catalogue) -> dict[str, Any]:
    """The gradient's errors over all batches of an epoch, at the largest m."""
    number = sum(1 for _ in batches_of(data, SETTINGS, "target", rng=generator(0, "order")))
    return {"epoch_batches": number, "epoch": gradients(model, data, catalogue, number, SIZES[-1:], 1)}


def measure(log: str) -> dict[str, Any]:
    """Both tables of a log."""
    data, began = load_dataset(log), time.perf_counter()
    catalogue = catalogue_of(data, SETTINGS.model.max_length)
    model = trained(data, catalogue)
    rows = partitions(model, data, catalogue)
    print(data.name, json.dumps(rows, indent=1), flush=True)
    found: dict[str, Any] = {"items": data.catalogue_size, "partition": rows}
    found["gradient"] = gradients(model, data, catalogue, GRADIENT_BATCHES, SIZES, DRAWS)
    found |= epoch_of(model, data, catalogue)
    print(json.dumps(found["gradient"], indent=1), flush=True)
    return {"dataset": data.name, **found, "seconds": round(time.perf_counter() - began)}


def main(*logs: str) -> None:
    """Measure, write; a log measured before is replaced, the others stay."""
    torch.set_num_threads(1)
    for log in logs:
        found = measure(log)
        kept = json.loads(FILE.read_text("utf-8"))
        others = [each for each in kept.get("logs", {}).get("rows", []) if each["dataset"] != found["dataset"]]
        about = {"machine": machine(), "steps": STEPS, "batches": BATCHES, "gradient_batches": GRADIENT_BATCHES}
        kept["logs"] = about | {"batch_size": SETTINGS.training.batch_size, "rows": [*others, found]}
        FILE.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
