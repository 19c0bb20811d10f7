"""A training step of SASRec at the same settings: ours, RecTools' and RecBole's, on the same sequences.

Each reading is a process of its own on all cores; the contestants take turns, so that all see the same machine. A
step is everything from batch to batch: load and collate, draw negatives, forward, backward, update.

- negsample: BCE on the real positions; ``n`` uniform negatives for each position (as RecTools), or shared by the
  sequence (the default of `random`), never items that the user has.
- RecTools: BCE on sequences padded to L; ``n`` uniform negatives for each of the L places, anything in the catalogue.
- RecBole: BPR (it has no BCE) on a row for each target, with the items before it padded to L; with ``n`` negatives it
  repeats the row ``n`` times, and its batch size counts those.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.common import SETTINGS
from benchmarks.timed import UNCOUNTED, peer, timed
from negsample import load_dataset
from negsample.batches.windows import training_windows
from negsample.data.blocks import spans
from negsample.data.dataset import Dataset

HERE = Path(__file__).parent
NEGATIVES, ROUNDS, STEPS = (1, 5, 100), 5, 40 + UNCOUNTED
OURS, OURS_SHARED, RECTOOLS, RECBOLE = "negsample", "negsample, n a sequence", "RecTools", "RecBole"


class Contestant(NamedTuple):
    """Who, with how many negatives, by which command, and what else it is asked."""

    name: str
    negatives: int
    command: list[str]
    asked: dict[str, Any]


def contestants(log: str, sequences: Path, catalogue_size: int, targets: int) -> list[Contestant]:
    """Everybody at each number of negatives; RecBole also with as many ``targets`` a step as the others."""
    ours = [sys.executable, "-m", "benchmarks.peers.run_ours"]
    rectools = [peer("rectools"), str(HERE / "run_rectools.py")]
    recbole = [peer("recbole"), str(HERE / "run_recbole.py")]
    given = {"sequences": str(sequences)}
    everybody = []
    for n in NEGATIVES:
        everybody += [
            Contestant(OURS, n, ours, {"log": log, "draws_per": "position"}),
            Contestant(OURS_SHARED, n, ours, {"log": log, "draws_per": "sequence"}),
            Contestant(RECTOOLS, n, rectools, given | {"catalogue_size": catalogue_size}),
            Contestant(RECBOLE, n, recbole, given),
        ]
    same_targets = given | {"batch_size": targets}
    return [*everybody, Contestant(f"{RECBOLE}, {targets:,} rows", 1, recbole, same_targets)]


def write_sequences(data: Dataset, max_length: int, path: Path) -> int:
    """What we train on, for the others: users and items of all training windows, in order. Returns the targets."""
    windows = training_windows(data, max_length)
    lengths = windows.stops + 1 - windows.starts  # the last target too
    items = data.items[spans(windows.starts, lengths)].astype(np.int64)
    np.savez(path, users=np.repeat(windows.users, lengths), items=items)
    return len(items) - len(windows)


def measure(log: str = "online-retail", rounds: int = ROUNDS) -> dict[str, Any]:
    """Medians over the rounds of each contestant's medians, and the rounds."""
    data = load_dataset(log)
    common = {name: SETTINGS.flat()[name] for name in ("batch_size", "max_length", "dim", "blocks", "heads", "dropout")}
    common |= {"learning_rate": SETTINGS.training.learning_rate, "steps": STEPS}
    with tempfile.TemporaryDirectory() as folder:
        sequences = Path(folder) / "sequences.npz"
        targets = write_sequences(data, SETTINGS.model.max_length, sequences)
        trained = int((data.train_ends - data.offsets[:-1] >= 2).sum())
        a_step = round(targets / trained * SETTINGS.training.batch_size)
        everybody = contestants(log, sequences, data.catalogue_size, a_step)
        read: list[list[dict[str, Any]]] = [[] for _ in everybody]
        for turn in range(rounds):
            for found, each in zip(read, everybody, strict=True):
                found.append(timed(each.command, common | {"negatives": each.negatives} | each.asked))
                print(turn, each.name, each.negatives, found[-1], file=sys.stderr, flush=True)
    rows = [row_of(each, found) for each, found in zip(everybody, read, strict=True)]
    return {"dataset": data.name, "sequences": trained, "targets": targets, "settings": common, "rows": rows}


def row_of(who: Contestant, rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the rounds, ``us_a_target`` from them, and the rounds."""
    measured = ("step_ms", "mean_ms", "bare_ms", "targets", "peak_mb")
    middle = {name: statistics.median(each[name] for each in rounds) for name in measured}
    facts = {name: value for name, value in rounds[0].items() if name not in measured and name != "steps"}
    return (
        {"name": who.name, "negatives": who.negatives}
        | middle
        | {"us_a_target": 1000 * middle["step_ms"] / middle["targets"]}
        | facts
        | {"rounds": [{name: each[name] for name in ("steps", *measured)} for each in rounds]}
    )


def lines(found: dict[str, Any]) -> list[str]:
    """Markdown: a line a contestant, beside ours of as many negatives for each position."""
    s, rows = found["settings"], found["rows"]
    ours = {row["negatives"]: row for row in rows if row["name"] == OURS}

    def times(row: dict[str, Any]) -> str:
        """The ratio, and its range over the rounds."""
        beside = ours[row["negatives"]]
        turns = zip(row["rounds"], beside["rounds"], strict=True)
        each = sorted(theirs["step_ms"] / own["step_ms"] for theirs, own in turns)
        return f"{row['step_ms'] / beside['step_ms']:.1f} ({each[0]:.1f} to {each[-1]:.1f})"

    versions = {row["name"]: row["version"] for row in rows if "version" in row and row["name"] in (RECTOOLS, RECBOLE)}
    words = [
        f"SASRec on {found['dataset']} ({found['sequences']:,} sequences, {found['targets']:,} targets): "
        f"B={s['batch_size']}, L={s['max_length']}, D={s['dim']}, {s['blocks']} blocks, {s['heads']} head, "
        f"dropout {s['dropout']}, Adam.",
        ", ".join(f"{name} {version}" for name, version in versions.items())
        + f", torch {' and '.join(sorted({row['torch'] for row in rows}))}.",
        f"Medians over {len(rows[0]['rounds'])} rounds, in turns, of the median step; all cores.",
        "A step is load, draw, forward, backward and update; *bare* begins when its batch is there.",
        "*times ours*: the step, and the time a target, as multiples of negsample with n negatives a position "
        "(from round to round).",
    ]
    return [
        " ".join(words),
        "",
        "| n | | step, ms | loop's mean, ms | bare, ms | targets a step | µs a target | step, times ours "
        "| target, times ours | peak, MiB |",
        "|---|---|---|---|---|---|---|---|---|---|",
        *(
            f"| {r['negatives']} | {r['name']} | {r['step_ms']:.1f} | {r['mean_ms']:.1f} | {r['bare_ms']:.1f} "
            f"| {r['targets']:,.0f} | {r['us_a_target']:,.1f} | {times(r)} "
            f"| {r['us_a_target'] / ours[r['negatives']]['us_a_target']:.1f} | {r['peak_mb']:,.0f} |"
            for r in rows
        ),
    ]
