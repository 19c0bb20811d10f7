"""Preparing a log of 30 million events, against Polars' own sort of the same file.

A synthetic Parquet log (skewed users and items, rows in no order; ids as integers and as text) in a temporary folder.
Each reading is a whole process, Python's start and the imports included: `negsample prepare`, and a script that sorts
by user and time, streaming to a file or in memory without writing. Memory is the peak of the process as the system
counts it, mapped pages included, and of its anonymous pages alone, looked at every 20 ms.
"""

from __future__ import annotations

import re
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import polars as pl

EVENTS, REPEATS = 30_000_000, 3
EVENTS_A_USER, EVENTS_AN_ITEM = 10, 30
IDS = ("integer", "text")
SORTS = {
    "sort to a file, streaming": "pl.scan_parquet(log).sort(['user', 'time']).sink_parquet(out)",
    "sort in memory": "pl.scan_parquet(log).sort(['user', 'time']).collect()",
}


def write_log(path: Path, events: int, ids: str) -> None:
    """Users by the square of a uniform number, items by Zipf's law, whole seconds over three years."""
    chance = np.random.default_rng(0)
    users, items = events // EVENTS_A_USER, events // EVENTS_AN_ITEM
    user = (users * chance.random(events) ** 2).astype(np.int64) * 2_654_435_761 % 10_000_000_019
    item = np.exp(chance.random(events) * np.log(items)).astype(np.int64) * 2_654_435_761 % 1_000_000_007
    second = 1_600_000_000 + chance.integers(0, 100_000_000, events)
    log = pl.LazyFrame({"user": user, "item": item, "time": second})
    if ids == "text":  # of 14 and 10 letters, as a shop's
        of_text = {"user": ("A", 13), "item": ("B", 9)}
        log = log.with_columns(
            (pl.lit(letter) + pl.col(role).cast(pl.String).str.zfill(digits)).alias(role)
            for role, (letter, digits) in of_text.items()
        )
    log.sink_parquet(path)


def watched(command: Sequence[str]) -> dict[str, float]:
    """Seconds of a process and of its processor time, and its peaks of memory in GiB.

    Raises:
        RuntimeError: it fails, or this is no Linux.
    """
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    peaks = {"VmHWM": 0, "RssAnon": 0}
    while process.poll() is None:
        status = Path(f"/proc/{process.pid}/status").read_text()
        for name in peaks:
            found = re.search(rf"{name}:\s+(\d+) kB", status)
            peaks[name] = max(peaks[name], int(found[1]) if found else 0)  # none when it has just ended
        time.sleep(0.02)
    seconds = time.perf_counter() - began
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = children.ru_utime + children.ru_stime - before.ru_utime - before.ru_stime
    assert process.stderr is not None
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {process.stderr.read()}")
    return {
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_gib": peaks["VmHWM"] / 2**20,
        "anonymous_gib": peaks["RssAnon"] / 2**20,
    }


def measure(log: str = "online-retail", *, events: int = EVENTS, repeats: int = REPEATS) -> dict[str, Any]:
    """Medians of what each command takes, one after another, by the kind of ids; ``log`` plays no part."""
    rows = []
    for ids in IDS:
        with TemporaryDirectory() as folder:
            source, out = Path(folder) / "log.parquet", Path(folder) / "out"
            make(source, events, ids)
            rows += [{"ids": ids, **row} for row in compared(source, out, SORTS, repeats)]
    return {"polars": pl.__version__, "events": events, "repeats": repeats, "rows": rows}


def make(source: Path, events: int, ids: str) -> None:
    """:func:`write_log` in a process of its own."""
    code = f"from pathlib import Path; from benchmarks.prepare import write_log as w; w(Path({str(source)!r}), "
    subprocess.run([sys.executable, "-c", f"{code}{events}, {ids!r})"], check=True)


def compared(source: Path, out: Path, scripts: Mapping[str, str], repeats: int) -> list[dict[str, Any]]:
    """``prepare`` beside the scripts, in turns: medians."""
    commands = {"prepare": [sys.executable, "-m", "negsample", "prepare", str(source), "--out", str(out)]}
    for name, code in scripts.items():
        script = f"import polars as pl; log, out = {str(source)!r}, {str(out)!r}; {code}"
        commands[name] = [sys.executable, "-c", script]
    readings: dict[str, list[dict[str, float]]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            readings[name].append(watched(command))
            print(source.name, name, readings[name][-1], file=sys.stderr, flush=True)
            if out.is_dir():
                shutil.rmtree(out)
            out.unlink(missing_ok=True)
    size = source.stat().st_size / 2**20
    return [
        {"what": name, "log_mib": size} | {key: statistics.median(each[key] for each in of_name) for key in of_name[0]}
        for name, of_name in readings.items()
    ]


def lines(results: dict[str, Any]) -> list[str]:
    """Markdown: a line a command, with its time against that of each sort."""
    table = [
        f"Polars {results['polars']}. {results['events']:,} events of "
        f"{results['events'] // EVENTS_A_USER:,} users and {results['events'] // EVENTS_AN_ITEM:,} items; whole "
        f"processes; medians of {results['repeats']}.",
        "",
        "| ids | what | time, s | peak memory, GiB | of it anonymous, at most, GiB | prepare takes, times this |",
        "|---|---|---|---|---|---|",
    ]
    prepared = {row["ids"]: row["seconds"] for row in results["rows"] if row["what"] == "prepare"}
    for row in results["rows"]:
        table.append(
            f"| {row['ids']} | {row['what']} | {row['seconds']:.1f} | {row['peak_gib']:.2f} "
            f"| {row['anonymous_gib']:.2f} | {prepared[row['ids']] / row['seconds']:.2f} |"
        )
    return table
