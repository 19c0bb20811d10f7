"""`python -m benchmarks.gpu --out FILE [--device cpu] [--seconds 420] [--small] [--parts PART,...]`

Each part runs in a process of its own, which is ended when its share of the time is over: what it has found until then
is in the file, beside its error, and the next part begins. The file is written anew after each part. ``--small``:
models, logs and times of a test, and no forecast.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from benchmarks.gpu.forecast import forecast
from benchmarks.gpu.parts import PARTS, QUERIES, Asked
from negsample.files.folders import write_json

SECONDS, A_FIGURE, SMALL_FIGURE = 420, 1.2, 0.02  # in all, and for which each figure is measured at least
_SHOWN = 2_000  # letters of an error
_LOST = 3  # the exit code of a process whose device can do no more


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="the file with the results, JSON")
    parser.add_argument("--device", default="cuda", help="what is measured; cpu: to try the script")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for all parts together")
    parser.add_argument("--small", action="store_true", help="small models, for a test")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--from", type=int, dest="first", help=argparse.SUPPRESS)  # this figure on, in this process
    given = parser.parse_args(arguments)
    names = [name for name in given.parts.split(",") if name]
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"no part {', '.join(unknown)}; the parts are: {', '.join(PARTS)}")
    if given.first is None:
        _measure_each(names, given)
    else:
        _measure(names[0], given)


def _measure(name: str, given: argparse.Namespace) -> None:
    """Here: the figures of a part from one on, each written as soon as it is there, or its error.

    After an error of the device nothing more can be done in a process, and it ends.
    """
    rows: list[dict[str, Any]] = []
    measure, _ = PARTS[name]
    with TemporaryDirectory() as folder:
        figure = SMALL_FIGURE if given.small else A_FIGURE
        asked = Asked(torch.device(given.device), Path(folder), figure, given.small)
        for row, call in islice(measure(asked), given.first, None):
            write_json(given.out, {"rows": rows, "begun": row})
            try:
                rows.append(row | call())
            except Exception as error:  # whatever a device says
                rows.append(row | {"error": f"{type(error).__name__}: {error}"[:_SHOWN]})
            write_json(given.out, {"rows": rows})
            if "CUDA error" in rows[-1].get("error", ""):
                sys.exit(_LOST)


def _measure_each(names: Sequence[str], given: argparse.Namespace) -> None:
    """Each part in a process of its own; the results so far are in the file."""
    results: dict[str, Any] = {"device": given.device, "small": given.small, "seconds": given.seconds, "parts": {}}
    whole = sum(PARTS[name][1] for name in names)
    with TemporaryDirectory() as folder:
        for name in names:
            limit = given.seconds * PARTS[name][1] / whole
            results["parts"][name] = part = _of_process(name, given, Path(folder) / f"{name}.json", limit)
            print(f"{name}: {len(part['rows'])} rows in {part['seconds']:.0f} s; {part['error'] or 'done'}", flush=True)
            results["forecast"] = None if given.small else _forecast(results["parts"])
            write_json(given.out, results)


def _of_process(name: str, given: argparse.Namespace, file: Path, limit: float) -> dict[str, Any]:
    """What a part found in its time, and what ended it; a process that ended before is followed by another, for the
    figures after the one at which it did."""
    began, rows = time.perf_counter(), list[dict[str, Any]]()
    while True:
        file.unlink(missing_ok=True)
        command = [sys.executable, "-m", "benchmarks.gpu", "--from", str(len(rows)), "--parts", name]
        command += ["--out", str(file), "--device", given.device, *(["--small"] if given.small else [])]
        error, ended, left = None, False, limit - (time.perf_counter() - began)
        try:
            done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=left, check=False)
            ended = done.returncode != 0
            error = f"ended with {done.returncode}: {done.stderr[-_SHOWN:]}" if ended else None
        except subprocess.TimeoutExpired:
            error = f"stopped after {limit:.0f} s, its share of the time"
        found = json.loads(file.read_text()) if file.exists() else {"rows": []}
        rows += found["rows"]
        if ended and "begun" in found:
            rows.append(found["begun"] | {"error": error})
        if not ended or not file.exists():
            return {"rows": rows, "error": error, "seconds": time.perf_counter() - began}


def _forecast(parts: dict[str, Any]) -> dict[str, Any]:
    try:
        rows = [parts.get(name, {"rows": []})["rows"] for name in ("steps", "evaluation")]
        return forecast(rows[0], rows[1], QUERIES)
    except Exception as error:  # of figures that are odd: they are in the file all the same
        return {"error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    main()
