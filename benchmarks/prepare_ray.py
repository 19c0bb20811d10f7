"""`python -m benchmarks.prepare_ray`: what `prepare --on ray` holds, in the process that starts it and in its tasks.

The synthetic logs of :mod:`benchmarks.prepare`, in 16 Parquet files, prepared by a whole process here and by one that
starts Ray on this machine with two cores. Files are compared byte for byte. Memory is that of the process and of the
worker that had most, at their peaks, mapped pages included, and of anonymous pages alone, looked at every 20 ms.
Results go into `benchmarks/results/prepare-ray.json`.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import ray

from benchmarks.common import RESULTS
from benchmarks.prepare import make
from negsample.data import blocks
from negsample.runs.machine import machine

FILES = 16
LOGS = ((3_000_000, "integer"), (10_000_000, "integer"), (10_000_000, "text"))
CODE = """
import sys, ray
from negsample import PrepareSettings, prepare
log, out, on = sys.argv[1:]
if on == "ray":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
prepare(log, PrepareSettings(), out, on=on)
"""


def parted(folder: Path, events: int, ids: str) -> Path:
    """A log in files."""
    make(folder / "log.parquet", events, ids)
    log, size = folder / "log", -(-events // FILES)
    log.mkdir()
    for number in range(FILES):
        pl.scan_parquet(folder / "log.parquet").slice(number * size, size).sink_parquet(log / f"{number:02}.parquet")
    (folder / "log.parquet").unlink()
    return log


def _status(process: int | str) -> dict[str, float]:
    """Of a process: GiB at its peak and, of anonymous pages, now; none when it has ended."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return {}
    found = {name: re.search(rf"{name}:\s+(\d+)", text) for name in ("VmHWM", "RssAnon")}
    return {name: int(each[1]) / 2**20 for name, each in found.items() if each}


def _workers(driver: int) -> list[str]:
    """The processes of Ray that call functions, below a driver."""
    parents, names = {}, {}
    for each in Path("/proc").glob("[0-9]*"):
        try:
            parents[each.name] = (each / "stat").read_text().rpartition(")")[2].split()[1]
            names[each.name] = (each / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue

    def below(process: str) -> bool:
        return process == str(driver) or (process in parents and process != "1" and below(parents[process]))

    return [process for process, name in names.items() if name.startswith("ray::_call") and below(process)]


def watched(log: Path, out: Path, on: str) -> dict[str, Any]:
    """Seconds, and peaks of memory of the process and of the worker that had most."""
    began = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", CODE, str(log), str(out), on])
    peaks: dict[str, dict[str, float]] = {"driver": {}, "task": {}}
    while process.poll() is None:
        for who, processes in (("driver", [str(process.pid)]), ("task", _workers(process.pid))):
            for each in processes:
                for name, value in _status(each).items():
                    peaks[who][name] = max(peaks[who].get(name, 0), value)
        time.sleep(0.02)
    assert not process.returncode, "it failed"
    return {"on": on, "seconds": time.perf_counter() - began} | {
        f"{who}_{name}": peak[key]
        for who, peak in peaks.items()
        for name, key in (("peak_gib", "VmHWM"), ("anonymous_gib", "RssAnon"))
        if key in peak
    }


def main() -> None:
    """Measure, print, write."""
    rows = []
    for events, ids in LOGS:
        with TemporaryDirectory() as folder:
            log = parted(Path(folder), events, ids)
            outs = {on: Path(folder) / on for on in ("local", "ray")}
            for on, out in outs.items():
                rows.append({"events": events, "ids": ids} | watched(log, out, on))
                print(rows[-1], file=sys.stderr, flush=True)
            here, there = ({each.name: each.read_bytes() for each in out.iterdir()} for out in outs.values())
            assert here == there, "not the same bytes"
            for out in outs.values():
                shutil.rmtree(out)
    write(rows)


def write(rows: list[dict[str, Any]]) -> None:
    """The results, with what they were measured on."""
    about = {"polars": pl.__version__, "ray": ray.__version__, "files": FILES, "block": blocks.BLOCK}
    found = {"machine": machine(), **about, "rows": rows}
    (RESULTS / "prepare-ray.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
