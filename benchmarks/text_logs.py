"""Preparing 3 million events in text, against Polars' own read, sort and write of the same file.

CSV with seconds and CSV with ISO text, which Polars parses by its own parser. Each reading is a whole process. On a
busy machine the processor's time says more than the clock.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from benchmarks.prepare import compared, make

EVENTS, REPEATS = 3_000_000, 3
READS = {
    "CSV, seconds": "pl.scan_csv(log)",
    "CSV, ISO text": "pl.scan_csv(log).with_columns(pl.col('time').str.to_datetime('%Y-%m-%dT%H:%M:%S'))",
}
BESIDE = {
    "read, sort and write": "{}.sort(['user', 'time']).sink_parquet(out)",
    "bare read": "print({}.select(pl.len(), pl.col('time').max()).collect(engine='streaming'))",
}


def measure(log: str = "online-retail", *, events: int = EVENTS, repeats: int = REPEATS) -> dict[str, Any]:
    """Medians of what each command takes, one after another, by the kind of text; ``log`` plays no part."""
    rows = []
    with TemporaryDirectory() as folder:
        source, path, out = (Path(folder) / name for name in ("log.parquet", "log.csv", "out"))
        make(source, events, "integer")
        moment = (pl.col("time") * 1000).cast(pl.Datetime("ms")).dt.strftime("%Y-%m-%dT%H:%M:%S")
        for text, read in READS.items():
            pl.scan_parquet(source).with_columns(time=moment if "ISO" in text else pl.col("time")).sink_csv(path)
            scripts = {name: code.format(read) for name, code in BESIDE.items()}
            rows += [{"text": text, **row} for row in compared(path, out, scripts, repeats)]
    return {"polars": pl.__version__, "events": events, "repeats": repeats, "rows": rows}


def lines(results: dict[str, Any]) -> list[str]:
    """Markdown: a line a command, with its time against that of each script."""
    table = [
        f"Polars {results['polars']}. {results['events']:,} events; whole processes; medians of {results['repeats']}.",
        "",
        "| text | what | time, s | processor, s | peak memory, GiB | prepare takes, times this | in processor time |",
        "|---|---|---|---|---|---|---|",
    ]
    prepared = {row["text"]: row for row in results["rows"] if row["what"] == "prepare"}
    for row in results["rows"]:
        times = (prepared[row["text"]][of] / row[of] for of in ("seconds", "cpu_seconds"))
        table.append(
            f"| {row['text']} | {row['what']} | {row['seconds']:.1f} | {row['cpu_seconds']:.1f} "
            f"| {row['peak_gib']:.2f} | {' | '.join(f'{each:.2f}' for each in times)} |"
        )
    return table
