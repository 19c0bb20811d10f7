"""Commands killed at random moments (SIGKILL), started again until they end, and compared with ones left in peace."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.reliability.small import OPTIONS, write_log
from negsample.studies.verify import verify

WHAT = (
    "`prepare`, `train`, `tune`, `compare` (with tuning; with `--jobs 2`), `report` and `evaluate` are killed at a"
    " random moment, and the same command is given again"
)
COUNT = 100
TEST = "tests/benchmarks/test_reliability.py::test_killed_commands_end_with_the_same_numbers"

_COMMANDS = ("cli", "cli.terminal", "data.load", "report.page", "studies.forecast", "studies.study", "studies.tuning")
_OF_TIME = ("seconds", "memory", "created", "command")
_UNCOMPARED = (".html", ".png", ".svg", ".tex", ".log")  # they tell times, or what the others tell


class Series(NamedTuple):
    """A command, tried in ``share`` of a hundred kills, ``at_a_time`` of them before it is left in peace.

    ``begin``: makes what it works on, given the folder; ``arguments``: of the command line, given the folder.
    """

    name: str
    share: int
    at_a_time: int
    begin: Callable[[Path], object]
    arguments: Callable[[Path], Sequence[Any]]


def measure(count: int, seed: int) -> dict[str, dict[str, int]]:
    """Kill ``count`` times; how many of them ended, by what was killed, with the same numbers, or lost."""
    chance, found = random.Random(seed), dict[str, dict[str, int]]()
    _import_everything()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        os.environ["NEGSAMPLE_CACHE"] = str(scratch / "cache")
        _wait(_start(lambda: bool(write_log(scratch / "log.csv") and 0), scratch / "said"))
        _in_peace(["prepare", scratch / "log.csv", "--out", scratch / "data"], scratch)
        reached = 0
        for series in _series(scratch):
            reached += series.share
            kills = reached * count // 100 - sum(sum(each.values()) for each in found.values())
            if kills:
                lost = _tried(series, kills, chance, scratch)
                found[series.name] = {"ended with the same numbers": kills - lost, "lost": lost}
    return found


def _series(scratch: Path) -> list[Series]:
    log, data, whole = scratch / "log.csv", scratch / "data", scratch / "whole"
    small = ("--methods", "random,mixed", "--repeats", 2, *OPTIONS)

    def nothing(out: Path) -> None:
        pass

    def finished(name: str) -> Callable[[Path], object]:
        """A copy of what an earlier series ended with, which this one begins with."""
        return lambda out: shutil.copytree(whole / name, out)

    return [
        Series("prepare", 14, 5, nothing, lambda out: ["prepare", log, "--out", out]),
        Series("train", 20, 5, nothing, lambda out: ["train", data, "--method", "mixed", "--out", out, *OPTIONS]),
        Series("evaluate", 12, 6, finished("train"), lambda out: ["evaluate", out, "--dial", "0.3"]),
        Series("compare", 24, 8, nothing, lambda out: ["compare", data, *small, "--tune-trials", 2, "--out", out]),
        Series("report", 8, 4, finished("compare"), lambda out: ["report", out]),
        Series("compare --jobs 2", 6, 3, nothing, lambda out: ["compare", data, *small, "--jobs", 2, "--out", out]),
        Series(
            "tune",
            16,
            5,
            nothing,
            lambda out: ["tune", data, "--method", "random", "--trials", 4, "--out", out, *OPTIONS],
        ),
    ]


def _tried(series: Series, kills: int, chance: random.Random, scratch: Path) -> int:
    """How many of ``kills`` ended with other numbers than a command that was left in peace, or not at all."""
    whole = scratch / "whole" / series.name
    whole.parent.mkdir(exist_ok=True)
    series.begin(whole)
    began = time.monotonic()
    _in_peace(series.arguments(whole), scratch)
    took, expected = time.monotonic() - began, numbers(whole)
    done, lost, out = 0, 0, scratch / "killed"
    while done < kills:
        shutil.rmtree(out, ignore_errors=True)
        series.begin(out)
        here, attempts = 0, 0
        while here < min(series.at_a_time, kills - done) and attempts < 4 * series.at_a_time:
            attempts += 1
            process = _start(lambda: _command(series.arguments(out)), scratch / "said")
            time.sleep(chance.uniform(0, took / (1 + 2 * chance.random() * (series.at_a_time > 1))))
            os.kill(process, signal.SIGKILL)  # it alone: workers see to their own end
            here += _wait(process) == -signal.SIGKILL
        try:
            _in_peace(series.arguments(out), scratch)
            same = numbers(out) == expected and not list(out.rglob(".*")) and _is_whole(out)
        except RuntimeError as error:
            print(error, flush=True)
            same = False
        if not same:
            lost += here
            shutil.copytree(out, Path(tempfile.mkdtemp(prefix="lost-")) / series.name)
        done += here
        print(series.name, done, lost, flush=True)
    return lost


def numbers(folder: Path) -> dict[str, Any]:
    """All that came of a command, but for what it took, by the path of the file."""
    found: dict[str, Any] = {}
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        content: Any = None
        if path.name.endswith("checksums.json") or path.suffix in _UNCOMPARED:
            pass
        elif path.suffix == ".json":
            content = _timeless(json.loads(path.read_text("utf-8")))
        elif path.suffix == ".jsonl":
            content = [_timeless(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
        elif path.suffix == ".csv":
            with path.open(newline="", encoding="utf-8") as file:
                content = [_timeless(row) for row in csv.DictReader(file)]
        else:
            content = path.read_bytes()
        found[str(path.relative_to(folder))] = content
    return found


def _timeless(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: each for key, each in value.items() if not any(word in key for word in _OF_TIME)}
        return {key: _timeless(each) for key, each in kept.items() if key != "steps_per_second"}
    return [_timeless(each) for each in value] if isinstance(value, list) else value


def _is_whole(folder: Path) -> bool:
    return not any(found.damaged for found in verify(folder))


def _import_everything() -> None:
    """So that a fork of this process is a command that has just started."""
    import torch

    from negsample.report.vega import vega

    for name in _COMMANDS:
        import_module(f"negsample.{name}")
    torch.set_num_threads(1)
    vega()  # it takes seconds, and is always the same


def _command(arguments: Sequence[Any]) -> int:
    from negsample.cli import main

    sys.argv = ["negsample", *map(str, arguments)]
    try:
        main()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _start(work: Callable[[], int], said: Path) -> int:
    """A fork that does ``work``; what it says goes to ``said``."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        target = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(target, 1)
        os.dup2(target, 2)
        code = work()
        sys.stdout.flush()
    finally:
        os._exit(code)


def _wait(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def _in_peace(arguments: Sequence[Any], scratch: Path) -> None:
    """Do a command to its end.

    Raises:
        RuntimeError: it ends with anything but 0.
    """
    code = _wait(_start(lambda: _command(arguments), scratch / "said"))
    if code != 0:
        said = (scratch / "said").read_text("utf-8", errors="replace")
        raise RuntimeError(f"{' '.join(map(str, arguments))} ended with {code}: {said[-2000:]}")
