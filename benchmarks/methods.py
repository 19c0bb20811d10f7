"""`python -m benchmarks.methods LOG STUDY [anew]`: what each method gave in a study of them all, and what a step takes.

STUDY is the folder of `negsample compare LOG --methods all --epochs 20 --early-stop 0 --repeats 2 --no-refit --terms
none --jobs 2 --out STUDY`. Its figures are joined with the milliseconds of a step, measured here on LOG, one method
after the other on an otherwise idle machine (the study's own seconds depend on what ran beside it). Writes
`benchmarks/results/methods.json`, from which `scripts/methods_page.py` makes `docs/methods.md`.

With `anew` STUDY has only methods that are new or whose computation changed: their rows are added or replaced, with the
time of a step as it was measured before. A method with fewer repeats than the table has is not taken. Baselines, which
have one run, depend on how they are measured alone: those of a study of baselines are taken whatever its training.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks.common import RESULTS, first_batches
from benchmarks.step import step_times
from negsample import METHODS, load_dataset, run_settings
from negsample.analysis.reading import read_study
from negsample.analysis.tables import study_table
from negsample.models.baselines import BASELINES, is_baseline
from negsample.runs.machine import machine

BATCHES = 6
KEPT = ("hr@10", "ndcg@10", "head_hr@10", "mid_hr@10", "tail_hr@10", "balance@10", "coverage@10")


def main(log: str, study: str, anew: str | None = None) -> None:
    """Measure, join, write."""
    file, found = RESULTS / "methods.json", read_study(Path(study))
    kept = json.loads(file.read_text("utf-8"))
    data = load_dataset(log)
    if anew is None:
        times = {each["method"]: each["step_ms"] for each in step_times(data, first_batches(data, BATCHES), METHODS)}
    else:
        times = {each["method"]: each["step_ms"] for each in kept["rows"]}
    made = {}
    repeats = 1 if anew is None else max(each["runs"] for each in kept["rows"])
    for row in study_table(found).iter_rows(named=True):
        if row["runs"] < repeats and not is_baseline(row["method"]):  # not all of it is done yet
            continue
        figures = {name: row[name] for column in KEPT for name in (column, f"{column}_sd") if name in row}
        own = {"method": row["method"], "runs": row["runs"], "train_seconds": row["train_seconds"]}
        made[row["method"]] = own | {"step_ms": times.get(row["method"])} | figures
    about = {"machine": machine(), "dataset": data.name, "items": data.catalogue_size}
    about["settings"] = found.about["settings"]
    if anew is None:
        rows = list(made.values())
    else:
        both = (run_settings(**each) for each in (found.about["settings"], kept["settings"]))  # older ones lack some
        same = {each.evaluation if all(map(is_baseline, made)) else each for each in both}
        assert len(same) == 1, "the rows of a table have one setting"
        about |= {"machine": kept["machine"], "settings": kept["settings"]}
        by_method = {each["method"]: each for each in kept["rows"]} | made
        rows = [by_method[name] for name in (*METHODS, *BASELINES) if name in by_method]
    file.write_text(json.dumps(about | {"anew": anew is not None, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
