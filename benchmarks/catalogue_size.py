"""A training step and the memory it takes, against the number of items: our tables and RecTools'.

One synthetic log a size (Zipf's popularity, sequences as short as Beauty's), each point a process of its own. Ours
under two methods, `random` (100 negatives a sequence) and `sampled-softmax` (256 a batch); RecTools' BCE with 100
negatives a position and with one, its cheapest. A line ends where the next point needs too much memory or time.

Writes `benchmarks/results/catalogue-size.svg` beside the figures.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import torch

from benchmarks.common import RESULTS
from benchmarks.sampling import BATCH, LENGTH, batches_of, log_of
from benchmarks.timed import UNCOUNTED, LimitError, peer, time_steps, timed
from negsample import Catalogue, SASRec, build_method, generator, negative_settings, run_settings
from negsample.batches.epochs import target_counts
from negsample.batches.windows import TrainEvents
from negsample.models import Backbone
from negsample.models.item_table import ItemTable
from negsample.optim import Optimizer, optimizer_for
from negsample.report.palette import PAPER, looks
from negsample.training.step import step

STEPS = {10**4: 40, 10**5: 40, 10**6: 12, 10**7: 12}
"""Steps counted, by items."""
DIM, GIGABYTES, SECONDS = 64, 16, 120
IMAGE = RESULTS / "catalogue-size.svg"
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "random, 100 a sequence": ("random", {"random_negatives": 100, "draws_per": "sequence"}),
    "sampled softmax, 256 a batch": ("sampled-softmax", {"random_negatives": 256}),
}
RECTOOLS_NEGATIVES = (100, 1)


def dense(items: int) -> tuple[Backbone, Optimizer]:
    """A model whose table is one dense parameter, and its optimiser, as `negsample.training.loop.fit` has them."""
    model = SASRec(items, dim=DIM, max_length=LENGTH, rng=generator(0, "init"))
    return model, optimizer_for(model, run_settings())


def rows(items: int) -> tuple[Backbone, Optimizer]:
    """The same with a table of rows."""
    rng = generator(0, "init")
    table = ItemTable(items, DIM, rng=rng, by_rows=True)
    model = SASRec(items, dim=DIM, max_length=LENGTH, rng=rng, table=table)
    return model, optimizer_for(model, run_settings())


TABLES: dict[str, Callable[[int], tuple[Backbone, Optimizer]]] = {"rows": rows, "dense": dense}
"""Our tables: each makes the model and the optimiser for so many items."""


def run(asked: dict[str, Any]) -> None:
    """The runner of ours: train, and print what each step took."""
    torch.set_num_threads(asked["threads"])
    v, (name, changes) = asked["items"], METHODS[asked["method"]]
    items, offsets = log_of(v)
    counts = torch.from_numpy(np.bincount(items, minlength=v + 1))
    targets = torch.from_numpy(target_counts(TrainEvents(items, offsets, offsets[1:], v), max_length=LENGTH))
    method = build_method(name, Catalogue(v, counts, targets), negative_settings(name, changes))
    model, optimizer = TABLES[asked["table"]](v)
    draws, drops = generator(0, "negatives"), generator(0, "dropout")
    found = time_steps(
        lambda batch: step(model, method, batch, optimizer, negatives_rng=draws, dropout_rng=drops),
        batches_of(items, offsets, v, method.exclude, asked["steps"]),
        asked["steps"],
    )
    print(json.dumps(found))


def points(v: int) -> list[dict[str, Any]]:
    """All contestants at ``v`` items, or why not."""
    ours = [sys.executable, "-m", "benchmarks.catalogue_size"]
    theirs = [peer("rectools"), str(Path(__file__).parent / "peers" / "run_rectools.py")]
    common: dict[str, Any] = {"steps": STEPS[v] + UNCOUNTED, "dim": DIM, "max_length": LENGTH, "batch_size": BATCH}
    common |= {"blocks": 2, "heads": 1, "dropout": 0.2, "learning_rate": 1e-3}
    with tempfile.TemporaryDirectory() as folder:
        items, offsets = log_of(v)
        sequences = Path(folder) / "sequences.npz"
        np.savez(sequences, users=np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)), items=items)
        asked = [
            (f"negsample, {table}", method, ours, {"table": table, "method": method, "items": v})
            for table in TABLES
            for method in METHODS
        ] + [
            (
                "RecTools",
                f"BCE, {n} a position",
                theirs,
                {"sequences": str(sequences), "catalogue_size": v, "negatives": n},
            )
            for n in RECTOOLS_NEGATIVES
        ]
        found = []
        for who, method, command, own in asked:
            about = {"who": who, "method": method, "items": v}
            try:
                found.append(about | timed(command, common | own, gigabytes=GIGABYTES, seconds=SECONDS))
            except LimitError as past:
                found.append(about | {"stopped": str(past)})
            print(found[-1], file=sys.stderr, flush=True)
    return found


def measure(log: str = "online-retail") -> dict[str, Any]:
    """All points, and the picture of them; of synthetic logs: ``log`` plays no part."""
    rows = [row for v in STEPS for row in points(v)]
    draw(rows)
    return {"dim": DIM, "gigabytes": GIGABYTES, "seconds": SECONDS, "rows": rows}


def draw(rows: list[dict[str, Any]]) -> None:
    """The picture, to disk."""
    chart = chart_of(rows)
    chart.config = PAPER
    chart.save(str(IMAGE))


def lines(found: dict[str, Any]) -> list[str]:
    """Markdown: a line a contestant, sizes in columns."""
    cells: dict[tuple[str, str], dict[int, str]] = {}
    for r in found["rows"]:
        cell = r["stopped"] if "stopped" in r else f"{number(r['step_ms'])} ms, {number(r['peak_mb'])} MiB"
        cells.setdefault((r["who"], r["method"]), {})[r["items"]] = cell
    sizes = sorted({r["items"] for r in found["rows"]})
    return [
        f"Median step and peak memory of the process, against the number of items: B={BATCH}, L={LENGTH}, "
        f"D={found['dim']}, SASRec, synthetic logs of short sequences. No point past {found['gigabytes']} GiB of "
        f"address space or {found['seconds']} s. `{IMAGE.name}` is the picture.",
        "",
        f"| | method | {' | '.join(f'{v:,} items' for v in sizes)} |",
        f"|---|---|{'---|' * len(sizes)}",
        *(f"| {who} | {method} | {' | '.join(by[v] for v in sizes)} |" for (who, method), by in cells.items()),
    ]


def number(value: float) -> str:
    """Three digits, or as many as it has before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def chart_of(rows: list[dict[str, Any]]) -> alt.HConcatChart:
    """Step time and memory, side by side on logarithmic axes: a colour a table, a dash a method."""
    shown = [row for row in rows if "stopped" not in row]
    who = list(dict.fromkeys(row["who"] for row in rows))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    look = looks(who)
    base = alt.Chart(alt.InlineData(values=shown)).encode(
        x=alt.X(
            "items:Q",
            title="items in the catalogue",
            scale=alt.Scale(type="log", nice=False, padding=12),
            axis=alt.Axis(values=list(STEPS), format="~s"),
        ),
        color=alt.Color(
            "who:N",
            scale=alt.Scale(domain=who, range=[look[name].colour for name in who]),
            legend=alt.Legend(title=None, symbolType="stroke", symbolSize=500),
        ),
    )
    dash = alt.StrokeDash(
        "method:N",
        scale=alt.Scale(domain=methods, range=[[1, 0], [7, 4], [2, 3], [7, 3, 2, 3]][: len(methods)]),
        legend=alt.Legend(title="negatives", symbolType="stroke", symbolSize=500, labelLimit=300),
    )
    panels = []
    for field, title, ticks in (
        ("step_ms", "a training step, ms", [3, 10, 30, 100, 300, 1000, 3000]),
        ("peak_mb", "peak memory of the process, MiB", [500, 1000, 2000, 5000, 10_000]),
    ):
        y = alt.Y(
            f"{field}:Q",
            title=title,
            scale=alt.Scale(type="log", nice=False, padding=12),
            axis=alt.Axis(values=ticks, format=","),
        )
        drawn = base.encode(y=y)
        panels.append(
            alt.layer(
                drawn.mark_line(strokeWidth=2).encode(strokeDash=dash), drawn.mark_circle(size=36, opacity=1)
            ).properties(width=330, height=300)
        )
    ends = {
        (r["who"], r["items"]): f"{r['who']} at {r['items']:,} items: {r['stopped']}" for r in rows if "stopped" in r
    }
    return alt.hconcat(*panels, spacing=30).properties(
        title=alt.TitleParams(
            "A training step and its memory against the size of the catalogue",
            subtitle=[f"SASRec, B={BATCH}, L={LENGTH}, D={DIM}; each point is a process of its own.", *ends.values()],
            anchor="start",
        )
    )


if __name__ == "__main__":
    run(json.loads(sys.argv[1]))
