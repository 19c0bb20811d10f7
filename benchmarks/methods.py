"""`python -m benchmarks.methods LOG STUDY`: what each method gave in a study of them all, and what a step of it takes.

STUDY is the folder of `negsample compare LOG --methods all --epochs 20 --repeats 2 --jobs 2 --out STUDY`. Its figures
are joined with the milliseconds of a step, measured here on LOG, one method after the other on an otherwise idle
machine (the study's own seconds depend on what ran beside it). Writes `benchmarks/results/methods.json`, from which
`scripts/methods_page.py` makes `docs/methods.md`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.common import RESULTS, first_batches
from benchmarks.step import step_times
from negsample import METHODS, load_dataset
from negsample.machine import machine
from negsample.report.reading import read_study
from negsample.report.tables import study_table

BATCHES = 6
KEPT = ("hr@10", "ndcg@10", "head_hr@10", "mid_hr@10", "tail_hr@10", "balance@10", "coverage@10")


def main(log: str, study: str) -> None:
    """Measure, join, write."""
    data = load_dataset(log)
    steps = {row["method"]: row for row in step_times(data, first_batches(data, BATCHES), METHODS)}
    found = read_study(Path(study))
    rows = []
    for row in study_table(found).iter_rows(named=True):
        figures = {name: row[name] for column in KEPT for name in (column, f"{column}_sd") if name in row}
        own = {"method": row["method"], "runs": row["runs"], "train_seconds": row["train_seconds"]}
        rows.append(own | {"step_ms": steps[row["method"]]["step_ms"] if row["method"] in steps else None} | figures)
    about = {
        "machine": machine(),
        "dataset": data.name,
        "items": data.catalogue_size,
        "settings": found.about["settings"],
    }
    (RESULTS / "methods.json").write_text(json.dumps(about | {"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
