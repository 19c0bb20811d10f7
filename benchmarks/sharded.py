"""What each of several processes holds and sends while they train one model, beside what arithmetic says.

A synthetic log a size (Zipf's popularity), `mixed-log-q` with its published numbers of negatives, processes of gloo on
one machine. Steps are timed too, on cores that the processes share.
"""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from benchmarks.sampling import BATCH, LENGTH, log_of
from benchmarks.wire import bytes_sent
from negsample import Catalogue, build_method, generator, negative_settings, run_settings
from negsample.batches.epochs import epoch_batches, target_counts
from negsample.batches.windows import TrainEvents
from negsample.models.build import build_backbone
from negsample.optim import optimizer_for
from negsample.parallel.arithmetic import sent_in_a_step, share_of_table
from negsample.parallel.launch import leave
from negsample.parallel.processes import Processes, together
from negsample.runs.machine import forget_peak, peak_memory
from negsample.studies.forecast.divided import AN_ITEM
from negsample.studies.forecast.needs import table_bytes
from negsample.training.inputs import StepInputs, propose, step_options
from negsample.training.processes import pooled
from negsample.training.state import TrainingState
from negsample.training.step import step_of

ITEMS, PROCESSES = (10**5, 10**6, 4 * 10**6), (1, 2, 4)
STEPS, UNCOUNTED, DIM, METHOD = 12, 2, 64, "mixed-log-q"
CPU = torch.device("cpu")


def run(processes: Processes, items: int) -> dict[str, Any]:
    """Some steps of this process among ``processes``; what it held and sent."""
    forget_peak(CPU)
    before = peak_memory(CPU) or 0
    events, offsets = log_of(items)
    log = TrainEvents(events, offsets, offsets[1:], items)
    counts = torch.from_numpy(np.bincount(events, minlength=items + 1))
    targets = torch.from_numpy(target_counts(log, max_length=LENGTH))
    method = build_method(METHOD, Catalogue(items, counts, targets), negative_settings(METHOD, {}))
    settings = run_settings(table="sharded", dim=DIM, max_length=LENGTH, batch_size=BATCH)
    model = build_backbone(settings.model, items, rng=generator(0, "init"), device=CPU)
    training, optimizer = TrainingState(model, method, seed=0), optimizer_for(model, settings)
    training.begin(1)
    shards = model.table.shards
    assert shards is not None
    asked: list[int] = []
    fetch = shards.fetch

    def counting(ids_N: Tensor, rows_here: Callable[[Tensor], Tensor]) -> Tensor:
        asked.append(len(ids_N))
        return fetch(ids_N, rows_here)

    vars(shards)["fetch"] = counting
    rules: dict[str, Any] = {"batch_size": BATCH, "max_length": LENGTH, "exclude": method.exclude}
    batches = epoch_batches(log, **rules, rng=training.order_rng, processes=processes)
    steps = []
    for batch in islice(batches, STEPS):
        processes.wait()
        sent, began = bytes_sent(), time.perf_counter()
        there = pooled(batch, processes)
        negatives = propose(method, there, rng=training.draws_rng)
        given = StepInputs(
            model, method, there, negatives, training.miner_rng, training.dropout_rng, step_options(settings)
        )
        step_of([given], optimizer)
        processes.wait()
        seconds, whole = time.perf_counter() - began, there.of_all
        assert whole is not None
        steps.append({"sent": bytes_sent() - sent, "seconds": seconds, "targets": len(whole.targets_N)})
    counted = steps[UNCOUNTED:]
    kept = [each for each in optimizer.tables[0].state_dict().values() if isinstance(each, torch.Tensor)]
    return {
        "rows": statistics.fmean(asked[UNCOUNTED:]),
        "sent": statistics.fmean(each["sent"] for each in counted),
        "targets": statistics.fmean(each["targets"] for each in counted),
        "step_ms": 1000 * statistics.median(each["seconds"] for each in counted),
        "dense": sum(each.numel() for each in model.parameters()),
        "held": sum(each.nbytes for each in (model.table.weight, *kept) if len(each) == len(model.table.weight)),
        "peak": (peak_memory(CPU) or 0) - before,
    }


def point(items: int, processes: int) -> dict[str, Any]:
    """So many processes at ``items``: means over them, and arithmetic beside."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    done = subprocess.run(
        [*command, "-m", "benchmarks.sharded", str(items)], capture_output=True, text=True, timeout=600, check=True
    )
    each: list[dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    mean = {name: statistics.fmean(own[name] for own in each) for name in each[0]}
    said = sent_in_a_step(
        rows=mean["rows"], dim=DIM, targets=mean["targets"], dense=round(mean["dense"]), processes=processes
    )
    share = share_of_table(items + 1, processes)
    table = table_bytes(run_settings(table="sharded", dim=DIM), items) * share
    return mean | {
        "items": items,
        "processes": processes,
        "most_held": max(own["held"] for own in each),
        "most_peak": max(own["peak"] for own in each),
        "said_sent": said.total,
        "said_held": math.ceil(table),
        "said_items": AN_ITEM * (items + 1),
    }


def measure(log: str = "online-retail") -> dict[str, Any]:
    """All points; of synthetic logs: ``log`` plays no part."""
    rows = []
    for items in ITEMS:
        for processes in PROCESSES:
            rows.append(point(items, processes))
            print(rows[-1], file=sys.stderr, flush=True)
    return {"dim": DIM, "method": METHOD, "batch": BATCH, "rows": rows}


def lines(found: dict[str, Any]) -> list[str]:
    """Markdown: a line a point."""
    return [
        f"`{found['method']}`, B={found['batch']}, D={found['dim']}, Adam. A process's share of table and state; what "
        "its memory grew by at most, with all else; what it sent in a step by Linux's count, and by arithmetic.",
        "",
        "| items | processes | table and state | memory grew by | looked up in a step | sent in a step | arithmetic |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {r['items']:,} | {r['processes']} | {r['most_held'] / 1e6:,.0f} MB | {r['most_peak'] / 1e6:,.0f} MB | "
            f"{r['rows']:,.0f} items | {r['sent'] / 1e6:.2f} MB | {r['said_sent'] / 1e6:.2f} MB |"
            for r in found["rows"]
        ),
    ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    with together() as processes:
        every: list[Any] = [None] * processes.size
        dist.all_gather_object(every, run(processes, int(sys.argv[1])))
        if processes.is_first:
            print(json.dumps(every), flush=True)
    leave(0)
