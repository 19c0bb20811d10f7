"""`python -m scripts.readme_table`: the example table of README.md, from the runs of docs/studies/terms on Beauty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from negsample.methods import PAPER_SIX
from scripts.study_runs import BASELINE, in_percent
from scripts.terms_lines import AFTER, CONTENDER, NO_TARGETS, REFIT, TRAINED, Found, by_log

ROOT = Path(__file__).parent.parent
RUNS, LOG = ROOT / "docs/studies/terms/runs.jsonl", "amazon-beauty-5core"
MARK = "<!-- table -->"
BASELINES = ("Terms", "ItemKNN", "RecentPop", "PopRec")
"""Those that are shown: the best ones, and the paper's."""


def table() -> list[str]:
    """Its lines."""
    lines = map(json.loads, RUNS.read_text(encoding="utf-8").splitlines())
    found = by_log(each for each in lines if each["log"] == LOG)[LOG]
    head = ("method", "as trained", "refit", "terms", "Balance, %")
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *_rows(found)]


def _rows(found: Found) -> Iterator[str]:
    ways = [found["rows", way] for way in (TRAINED, REFIT, AFTER)]
    for method in (CONTENDER, *PAPER_SIX):
        cells = [in_percent(way[method], "ndcg@10") for way in ways]
        yield f"| `{method}` | {' | '.join(cells)} | {in_percent(ways[-1][method], 'balance@10')} |"
    for rule in BASELINES:
        of = found.get((NO_TARGETS, BASELINE), {})[rule]
        cells = ["", "", in_percent(of, "ndcg@10")] if rule == "Terms" else ["", in_percent(of, "ndcg@10"), ""]
        yield f"| `{rule}` | {' | '.join(cells)} | {in_percent(of, 'balance@10')} |"


def main() -> None:
    """Write it into README.md."""
    path = ROOT / "README.md"
    before, _, after = path.read_text(encoding="utf-8").split(MARK)
    path.write_text(MARK.join([before, "\n" + "\n".join(table()) + "\n", after]), encoding="utf-8")


if __name__ == "__main__":
    main()
