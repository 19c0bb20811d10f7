"""`docs/reliability.md`, from the committed results."""

from __future__ import annotations

import json
from typing import Any

from benchmarks.common import RESULTS

PAGE = RESULTS.parents[1] / "docs" / "reliability.md"
PARTS = ("logs", "generated", "settings", "corruptions", "kills", "studies")
"""Modules of this package, in the order of the page."""

_TOP = """\
# Reliability

What you can rely on:

- A command that was killed resumes if you give it again, and ends with the same numbers.
- A damaged file is named, with what to do about it.
- A log or a setting that cannot be used ends in a message of one line that gives the reason, and exit code 2.

To check the files of a dataset, run, study or tuning (exit code 2 if one is damaged):

```sh
negsample verify DIR
```

This page has the results of tests with changed logs, random settings, damaged files and killed processes. Each test
tries many random cases; a few of them also run in CI. Results that must not happen: *silent* (a wrong result without a
message), *traceback*, *lost* (no result, or a different one), *unnamed* (a damaged file that is not named).
"""
_CHECKED = """
## Checksums

Every prepared dataset, run, study, tuning and training state has a file `checksums.json`, with the size and SHA-256 of
each of its files. It is written last. That of a run also says which run it is. What is compared:

| when | files |
|---|---|
| a dataset is opened | all its files, which takes about a second a gigabyte; a worker of `--jobs` compares only \
sizes, array headers, and that offsets ascend and counts add up |
| `compare` prints its table, a report is written | of every run: settings, metrics, log, dial and ranks; the study's \
own files; the summaries of its tunings |
| `evaluate` | the same of the run, and the saved model |
| a training is resumed | the training state and the best weights |
| a tuning is resumed | its journal, as far as it is listed |
| `verify` | all files, also reports and charts |

Files that belong together are replaced together. If a process is killed during this, the new files are in a hidden
folder, and the next process that reads the folder moves them into place. A checksum is not a signature: a change of
both the file and the list is not noticed.

Charts are drawn in a separate process. If it dies, the report is written without the chart and says so. Workers end
with the command that started them, however it ends (on Linux the system kills them).
"""


def results() -> dict[str, dict[str, Any]]:
    """What there is, by part."""
    paths = {name: RESULTS / f"reliability-{name}.json" for name in PARTS}
    return {name: json.loads(path.read_text("utf-8")) for name, path in paths.items() if path.exists()}


def page() -> str:
    """The whole page."""
    lines = [_TOP, "| test | cases | results | command |", "|---|---|---|---|"]
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
