"""`make bench`: each part measured, written to `benchmarks/results/<part>.json`, and all of them to `bench.md`.

`python -m benchmarks [--log LOG] [PART ...]`: those parts alone; `bench.md` is made of what lies in the results.
Figures are medians; only ratios within one run mean anything on a shared machine.
"""

from __future__ import annotations

import argparse
import json
from types import ModuleType

from benchmarks import catalogue_size, evaluation, forecast, prepare, sharded, step, text_logs
from benchmarks.common import RESULTS, of_machine
from benchmarks.peers import compare
from negsample.runs.machine import machine

PARTS: dict[str, ModuleType] = {
    "step": step,
    "evaluation": evaluation,
    "peers": compare,
    "catalogue-size": catalogue_size,
    "forecast": forecast,
    "prepare": prepare,
    "text-logs": text_logs,
    "sharded": sharded,
}
"""Each has ``measure(log) -> dict`` and ``lines(dict) -> list[str]`` (Markdown)."""


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; none: all")
    parser.add_argument("--log", default="online-retail", help="bundled name, prepared folder or log to measure on")
    given = parser.parse_args()
    asked: list[str] = given.parts
    unknown = set(asked) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; the parts are: {', '.join(PARTS)}")
    RESULTS.mkdir(exist_ok=True)
    for name in asked or PARTS:
        found = PARTS[name].measure(given.log)
        (RESULTS / f"{name}.json").write_text(json.dumps({"machine": machine()} | found, indent=1) + "\n")
        print("\n".join(PARTS[name].lines(found)), flush=True)
    (RESULTS / "bench.md").write_text(page())


def page() -> str:
    """`bench.md`, of all results there are."""
    text = ["# Benchmarks", "", "`make bench`. Medians; only ratios within one part mean anything."]
    for name, part in PARTS.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            found = json.loads(path.read_text())
            text += ["", f"## {name}", "", of_machine(found["machine"]), "", *part.lines(found)]
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    main()
