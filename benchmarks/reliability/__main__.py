"""`python -m benchmarks.reliability [PART ...]`: tries the parts, writes their results, and `docs/reliability.md`.

`--count N`: fewer, to see whether it works; nothing is written then. No part: the page alone is made again.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from importlib import import_module

from benchmarks.common import RESULTS
from benchmarks.reliability import faults, total
from benchmarks.reliability.page import PAGE, PARTS, page


def main() -> int:
    """Try, print, write; 1 if something happened that never must."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; none: the page alone")
    parser.add_argument("--count", type=int, help="how many of each; nothing is written then")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if unknown := [name for name in given.parts if name not in PARTS]:
        parser.error(f"no part {', '.join(unknown)}; the parts are: {', '.join(PARTS)}")
    bad: dict[str, int] = {}
    for name in given.parts:
        part = import_module(f"benchmarks.reliability.{name}")
        count = given.count or part.COUNT
        by_kind = part.measure(count, given.seed)
        outcomes = total(by_kind)
        found = {
            "what": part.WHAT,
            "tried": count,
            "outcomes": outcomes,
            **({} if outcomes == by_kind else {"by_kind": by_kind}),
            "seed": given.seed,
            "command": f"python -m benchmarks.reliability {name}" + (f" --seed {given.seed}" if given.seed else ""),
            "test": part.TEST,
            "date": datetime.date.today().isoformat(),
        }
        print(json.dumps(found, indent=1), flush=True)
        bad |= faults(outcomes)
        if given.count is None:
            (RESULTS / f"reliability-{name}.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if given.count is None:
        PAGE.write_text(page(), encoding="utf-8")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
