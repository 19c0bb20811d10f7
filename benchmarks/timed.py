"""Training steps timed in a process of their own: by our interpreter, or by a peer's.

A runner is a command that takes one JSON argument, trains, and prints as its last line what each step took:
``whole_ms`` (from the end of the step before: load, draw, forward, backward, update), ``bare_ms`` (from when its batch
is there), ``targets`` (positions trained), and ``peak_mb`` (the most memory the process held).
"""

from __future__ import annotations

import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from negsample.batches.packed import Batch
from negsample.runs.machine import cores

ROOT = Path(__file__).parents[1]
UNCOUNTED = 3  # first steps of a process: they allocate


class LimitError(Exception):
    """A runner went past its memory or its time; the message says which."""


def peer(name: str) -> str:
    """The interpreter of a peer's environment."""
    interpreter = ROOT / f".venv-{name}" / "bin" / "python"
    if not interpreter.exists():
        sys.exit(f"{interpreter.parents[1].name} is not there; run `make bench`, which installs the peers first")
    return str(interpreter)


def timed(
    command: list[str], asked: dict[str, Any], *, gigabytes: float | None = None, seconds: float | None = None
) -> dict[str, Any]:
    """Run a runner on all cores, and sum up what its steps took.

    Raises:
        LimitError: it needed more address space than ``gigabytes``, or longer than ``seconds``.
        RuntimeError: it failed in another way; with the end of what it said.
    """

    def limit() -> None:
        if gigabytes:
            resource.setrlimit(resource.RLIMIT_AS, (int(gigabytes * 2**30),) * 2)

    request = json.dumps({"threads": cores()} | asked)
    try:
        done = subprocess.run(
            [*command, request],
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": str(cores())},
            capture_output=True,
            text=True,
            timeout=seconds,
            preexec_fn=limit,
        )
    except subprocess.TimeoutExpired:
        raise LimitError(f"more than {seconds:.0f} s") from None
    if done.returncode:
        if re.search(r"MemoryError|can't allocate memory", done.stderr):
            raise LimitError(f"more than {gigabytes} GiB of address space")
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return summed_up(json.loads(done.stdout.splitlines()[-1]))


def summed_up(said: dict[str, Any]) -> dict[str, Any]:
    """A runner's answer with medians for lists, without the first steps; ``mean_ms`` is the loop's time by steps."""
    whole, bare, targets = (said.pop(name)[UNCOUNTED:] for name in ("whole_ms", "bare_ms", "targets"))
    found = {
        "steps": len(whole),
        "step_ms": statistics.median(whole),
        "mean_ms": statistics.fmean(whole),
        "bare_ms": statistics.median(bare),
        "targets": statistics.fmean(targets),
    }
    return found | said


def time_steps(step: Callable[[Batch], object], batches: Iterable[Batch], steps: int) -> dict[str, Any]:
    """What a runner says, of ``step`` on the first batches."""
    whole_ms, bare_ms, targets = [], [], []
    ended = time.perf_counter()
    for batch in islice(batches, steps):
        loaded = time.perf_counter()
        step(batch)
        now = time.perf_counter()
        whole_ms.append(1000 * (now - ended))
        bare_ms.append(1000 * (now - loaded))
        targets.append(len(batch.targets_T))
        ended = time.perf_counter()
    peak_kb = int(re.findall(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[0])
    return {
        "whole_ms": whole_ms,
        "bare_ms": bare_ms,
        "targets": targets,
        "peak_mb": peak_kb / 1024,
        "torch": torch.__version__,
    }
