"""Runs of several studies as lines of a page's `runs.jsonl`, and their means: what pages of many studies share."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from negsample.runs.folder import Run, is_run, read_grid, read_run

BASELINE = "baseline"
"""How a baseline was trained: not at all."""
Line = dict[str, Any]
"""Of a run under one way of training or measuring: what it is of, and figures as `valid_ndcg@10`, `test_ndcg@10`."""
Figures = dict[str, Any]
"""Means over the runs of a method: of each figure `NAME` that, `NAME_sd` (None for one run), and how many `runs`."""


def merged(kept: Path, new: Iterable[Line], key: Sequence[str]) -> list[Line]:
    """The lines of the file `kept`, and `new` ones in place of those with the same `key`. All are written to it, in the
    order of their keys."""
    lines = [json.loads(line) for line in kept.read_text(encoding="utf-8").splitlines()] if kept.exists() else []
    found = {tuple(each[name] for name in key): each for each in (*lines, *new)}
    ordered = [found[each] for each in sorted(found)]
    kept.write_text("".join(json.dumps(each) + "\n" for each in ordered), encoding="utf-8")
    return ordered


def runs_in(study: Path) -> Iterator[Run]:
    """The finished runs of the study in the folder `study`.

    Raises:
        InputError: a file of one is damaged.
    """
    return (read_run(folder) for folder in sorted(study.glob("runs/[!.]*")) if is_run(folder))


def at_dial_zero(run: Run) -> dict[str, dict[str, Any]]:
    """Figures by part, whatever the dial that the run has: `valid`, `test`, and with a refit `test_before_refit`."""
    grid = read_grid(run.folder)
    at = grid.betas.index(0.0)
    before = {"test_before_refit": grid.test_before_refit[at]} if grid.test_before_refit else {}
    return {"valid": grid.valid[at], "test": grid.test[at]} | before


def as_trained(run: Run) -> dict[str, dict[str, Any]]:
    """The same of the model as it was trained, without terms that were fitted afterwards."""
    return run.metrics["without_terms"] or at_dial_zero(run)


def of_parts(valid: Mapping[str, Any], test: Mapping[str, Any], names: Sequence[str]) -> Line:
    """The figures `names` of both parts, as a line has them; one that is undefined is left out."""
    parts = {"valid": valid, "test": test}
    return {
        f"{part}_{name}": each[name] for part, each in parts.items() for name in names if each.get(name) is not None
    }


def summary(runs: Sequence[Line], names: Sequence[str]) -> Figures:
    """Means, standard deviations and the number of `runs`."""
    found: Figures = {"runs": len(runs)}
    for name in (f"{part}_{name}" for part in ("valid", "test") for name in names):
        values = [each[name] for each in runs if name in each]
        if values:
            sd = statistics.stdev(values) if len(values) > 1 else None
            found |= {name: statistics.fmean(values), f"{name}_sd": sd}
    return found


def in_percent(figures: Mapping[str, Any] | None, name: str) -> str:
    """The figure `name` on test in %, ± its standard deviation; empty where there is none."""
    if figures is None or f"test_{name}" not in figures:
        return ""
    value, sd = figures[f"test_{name}"], figures[f"test_{name}_sd"]
    digits = 1 if "balance" in name else 2
    return f"{100 * value:.{digits}f}" + ("" if sd is None else f" ±{100 * sd:.{digits}f}")


def usual(counts: Iterable[int]) -> int:
    """The most frequent of `counts`, the largest of equals."""
    found = Counter(counts)
    return max(found, key=lambda count: (found[count], count))
