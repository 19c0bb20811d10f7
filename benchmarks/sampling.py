"""`python -m benchmarks.sampling`: what drawing negatives costs, by method and catalogue size.

Every method of the table with its published numbers of negatives (its row's; of the paper's six, no fewer than the
paper's tuned ones) on a synthetic log with Zipf's popularity, at 10^5 and 10^7 items. Writes
`benchmarks/results/sampling.json` and `sampling.md`. Figures are medians.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.common import RESULTS, median_ms
from negsample import METHODS, Catalogue, SASRec, build_method, generator, negative_settings
from negsample.batches.epochs import epoch_batches, target_counts
from negsample.batches.packed import Batch, Exclude
from negsample.batches.windows import TrainEvents
from negsample.methods import Method
from negsample.runs.machine import machine
from negsample.training.inputs import propose
from negsample.training.step import step

SIZES = (10**5, 10**7)
BATCH, LENGTH, USERS, MEAN_EVENTS = 128, 50, 20_000, 9.2  # of Beauty 5-core: inputs of 8.2 items on average
DRAWS, STEPS = 16, 4  # batches a reading


def log_of(items: int) -> tuple[np.ndarray, np.ndarray]:
    """Items of all users end to end, and where each user starts: popularity is Zipf's, ids are in no order."""
    chance = np.random.default_rng(0)
    lengths = 2 + chance.geometric(1 / (MEAN_EVENTS - 1), USERS) - 1
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    rank = np.exp(chance.random(offsets[-1]) * np.log(items)).astype(np.int64)  # density 1 / rank
    shuffle = 2_654_435_761 % items | 1  # coprime to a power of ten when it does not end in 5
    while np.gcd(shuffle, items) != 1:
        shuffle += 2
    return ((rank - 1) * shuffle % items + 1).astype(np.int32), offsets


def batches_of(items: np.ndarray, offsets: np.ndarray, v: int, exclude: Exclude, number: int) -> Iterator[Batch]:
    """The first batches of an epoch."""
    all_of_them = epoch_batches(
        TrainEvents(items, offsets, offsets[1:], v),
        batch_size=BATCH,
        max_length=LENGTH,
        exclude=exclude,
        rng=generator(0, "order"),
    )
    return (batch for batch, _ in zip(all_of_them, range(number), strict=False))


def drawn(method: Method, batch: Batch, rng: torch.Generator) -> int:
    """How many ids one proposal draws."""
    return propose(method, batch, rng=rng).ids.numel()


def rows_at(v: int) -> list[dict[str, Any]]:
    """Each method's drawing and step at ``v`` items."""
    items, offsets = log_of(v)
    counts = torch.from_numpy(np.bincount(items, minlength=v + 1))
    targets = target_counts(TrainEvents(items, offsets, offsets[1:], v), max_length=LENGTH)
    catalogue = Catalogue(v, counts, torch.from_numpy(targets))
    model = SASRec(v, rng=generator(0, "init"))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, betas=(0.9, 0.98), fused=True)
    rows, steps = [], STEPS if v <= 10**6 else 2  # most of a step is the optimiser's pass over the table there
    for name in (name for name in METHODS if "half_life" not in METHODS[name].defaults):  # this log has no times
        method = build_method(name, catalogue, negative_settings(name, {}))
        batches = list(batches_of(items, offsets, v, method.exclude, DRAWS))
        draws, drops = generator(0, "negatives"), generator(0, "dropout")

        def drawing(method: Any = method, batches: Any = batches, draws: Any = draws) -> None:
            for batch in batches:
                propose(method, batch, rng=draws)

        def whole(method: Any = method, batches: Any = batches, draws: Any = draws, drops: Any = drops) -> None:
            for batch in batches[:steps]:
                step(model, method, batch, optimizer, negatives_rng=draws, dropout_rng=drops)

        if name == "cross-batch":  # its bank is used after the warm-up
            for _ in range(8):
                drawing()
        draw_ms = median_ms(drawing, 7) / len(batches)
        ids = sum(drawn(method, batch, draws) for batch in batches) / len(batches)
        # Full cross-entropy draws nothing, and a step of it at ten million items takes a minute here.
        step_ms = median_ms(whole, 3) / steps if not (method.merged and v > 10**6) else None
        rows.append({"method": name, "items": v, "ids": ids, "draw_ms": draw_ms, "step_ms": step_ms})
        print(rows[-1], file=sys.stderr, flush=True)
    return rows


def table(rows: list[dict[str, Any]]) -> list[str]:
    """Markdown: a line a method, both sizes side by side."""
    small, large = ({row["method"]: row for row in rows if row["items"] == v} for v in SIZES)
    uniform = {
        v: each["random"]["draw_ms"] / each["random"]["ids"] for v, each in zip(SIZES, (small, large), strict=True)
    }
    lines = [
        "| method | ids a step | 10^5: draws/s | draw, ms | step, ms | share | 10^7: draws/s | draw, ms | step, ms "
        "| share | share of the step at 10^5 |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name in small:
        cells = [name, f"{small[name]['ids']:,.0f}"]
        for row in (small[name], large[name]):
            cells += [f"{1000 * row['ids'] / row['draw_ms'] / 1e6:.1f} M", f"{row['draw_ms']:.2f}"]
            cells += [f"{row['step_ms']:.0f}", share(row["draw_ms"], row["step_ms"])] if row["step_ms"] else ["-", "-"]
        lines.append("| " + " | ".join([*cells, share(large[name]["draw_ms"], small[name]["step_ms"])]) + " |")
    ratios = [
        (each["popularity"]["draw_ms"] / each["popularity"]["ids"]) / uniform[v]
        for v, each in zip(SIZES, (small, large), strict=True)
    ]
    return [
        *lines,
        "",
        f"A popularity draw takes {ratios[0]:.1f} times a uniform one at 10^5 items, {ratios[1]:.1f} at 10^7.",
    ]


def share(part: float, whole: float) -> str:
    """In %."""
    return f"{100 * part / whole:.1f} %"


def main() -> None:
    """Measure, print, write."""
    rows = [row for v in SIZES for row in rows_at(v)]
    about = machine()
    head = (
        f"{about['processor']}, {about['cores']} cores, torch {about['torch']}. Medians. B={BATCH}, sequences of "
        f"{MEAN_EVENTS - 1:.1f} inputs on average, SASRec with D=50 and a dense table, Zipf's popularity."
    )
    lines = [head, "", *table(rows)]
    (RESULTS / "sampling.md").write_text("\n".join(lines) + "\n")
    (RESULTS / "sampling.json").write_text(json.dumps({"machine": about, "rows": rows}, indent=1) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
