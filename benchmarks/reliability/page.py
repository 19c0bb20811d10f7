"""`docs/reliability.md`, from the committed results."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.common import RESULTS

PAGE = RESULTS.parents[1] / "docs" / "reliability.md"
PARTS = ("logs", "settings", "corruptions", "kills")
"""Modules of this package, in the order of the page."""

_TOP = """\
# Reliability

A study that was killed goes on where it was and ends with the same numbers. A damaged file is named, with the way
out. A log or a setting that cannot be used ends in one line that says why, and exit code 2. This page says how often
that was tried, and what came of it.

```sh
negsample verify DIR    # read and compare every file of a dataset, run, study or tuning; exit code 2 if one is damaged
```
"""
_CHECKED = """
## What is compared, and when

Every prepared dataset, run, study, tuning and stopped training has a list of its files with their sizes and SHA-256,
`checksums.json`, which is written last. The list of a run also says which run it is.

- A dataset is opened: the checksums of all its files, which reads them once: about a second a gigabyte. A worker of
  `--jobs` compares sizes, array headers, and that offsets ascend and counts add up.
- A report is written, and `compare` makes its table: of every run its settings, figures, log, dial and ranks; the
  study's own files; the summaries of its tunings.
- `evaluate`: also the saved model.
- A stopped training is carried on: its state, and its best weights.
- A tuning goes on: its journal, as far as it had been listed.
- `verify`: all of it, reports and charts too.

Files that change together take their places together: a process that is killed in between leaves them in a hidden
folder, and whoever reads next puts them in place. A checksum is no signature: who changes a file and the list alike is
not noticed.

Pictures are drawn in a process of their own: when that dies, the report is written without the picture and says so.
Workers end with the command that started them, however that ends: on Linux the system kills them.
"""


def results() -> dict[str, dict[str, Any]]:
    """What there is, by part."""
    paths = {name: RESULTS / f"reliability-{name}.json" for name in PARTS}
    return {name: json.loads(path.read_text("utf-8")) for name, path in paths.items() if path.exists()}


def page() -> str:
    """The whole page."""
    lines = [_TOP, "| tried | how many | what came of it | run by |", "|---|---|---|---|"]
    for found in results().values():
        outcomes = "; ".join(f"{count:,} {name}" for name, count in found["outcomes"].items())
        run_by = f"`{found['command']}` ({found['date']}); a few in CI: `{found['test']}`"
        lines.append(f"| {found['what']} | {found['tried']:,} | {outcomes} | {run_by} |")
    for name, found in results().items():
        if "by_kind" in found:
            lines += ["", f"## {name.capitalize()}", "", *_by_kind(found)]
    return "\n".join(lines) + "\n" + _CHECKED


def _by_kind(found: dict[str, Any]) -> list[str]:
    """A table of the outcomes by the kind of input."""
    names = list(found["outcomes"])
    lines = [f"| | {' | '.join(names)} |", f"|---|{'---:|' * len(names)}"]
    for kind, outcomes in found["by_kind"].items():
        lines.append(f"| {kind} | {' | '.join(f'{outcomes.get(name, 0):,}' for name in names)} |")
    return lines
