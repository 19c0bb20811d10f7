"""`python -m scripts.scale_page`: the tables of docs/scale.md, of what was measured and by arithmetic."""

from __future__ import annotations

import json

from benchmarks import sharded
from benchmarks.common import RESULTS
from negsample.parallel.arithmetic import Sent, sent_in_a_step, share_of_table
from negsample.settings import run_settings
from negsample.studies.forecast.divided import AN_ITEM
from negsample.studies.forecast.needs import table_bytes

ITEMS, DIM, TARGETS, SHARED, DENSE = 10**9, 64, 65_536, 512, 50_000
"""A catalogue, targets of a batch, negatives that the batch shares, and parameters beside the table."""
NETWORKS = {"10 Gbit/s": 1.25e9, "200 Gbit/s": 25e9}
"""Bytes a second."""
SMALLEST = {"table_optimizer": "adagrad", "table_dtype": "bfloat16"}


def measured() -> list[str]:
    """What the benchmark found."""
    return sharded.lines(json.loads((RESULTS / "sharded.json").read_text()))[2:]


def sent(processes: int) -> Sent:
    """What a process sends in a step where no item is twice in its share of inputs and targets."""
    rows = 2 * TARGETS / processes + SHARED
    return sent_in_a_step(rows=rows, dim=DIM, targets=TARGETS, dense=DENSE, processes=processes)


def large() -> list[str]:
    """A catalogue that nobody trained here, on more and more processes."""
    head = ["cards", "table, Adam", "table, smallest", "counts", "sent in a step", *NETWORKS]
    found = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for processes in (8, 16, 64):
        share = share_of_table(ITEMS + 1, processes)
        adam, smallest = (
            table_bytes(run_settings(table="sharded", dim=DIM, **changes), ITEMS) * share for changes in ({}, SMALLEST)
        )
        total = sent(processes).total
        times = [f"{1000 * total / speed:.2f} ms" for speed in NETWORKS.values()]
        sizes = [f"{size / 1e9:.1f} GB" for size in (adam, smallest, AN_ITEM * ITEMS)]
        found.append(f"| {' | '.join([str(processes), *sizes, f'{total / 1e6:.1f} MB', *times])} |")
    return found


if __name__ == "__main__":
    print("\n".join([*measured(), "", *large()]))
