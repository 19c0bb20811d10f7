"""What the report says of runs that failed."""

from __future__ import annotations

from typing import NamedTuple

from negsample.analysis.reading import Study


class FailureLine(NamedTuple):
    """Of a method with failed runs. ``runs``: how many of its runs did; ``reasons``: why, each once, with its seeds."""

    method: str
    runs: str
    reasons: list[str]


def failure_lines(study: Study, dataset: str) -> list[FailureLine]:
    """The methods with failed runs on ``dataset``, in the study's order."""
    found = []
    for method in study.about["methods"]:
        failed = [each for each in study.failures_of(dataset) if each.method == method]
        if not failed:
            continue
        finished = len(study.runs_of(dataset, method))
        runs = f"{len(failed)} of {len(failed) + finished} runs failed"
        rest = "; its figures are means over the others" if finished else ""
        seeds: dict[str, list[str]] = {}
        for each in failed:
            seeds.setdefault(each.reason, []).append(str(each.seed))
        reasons = [f"seed{'s' * (len(of) > 1)} {', '.join(of)}: {reason}" for reason, of in seeds.items()]
        found.append(FailureLine(method, runs + rest, reasons))
    return found
