"""Ours against the reference's own runs, and what changes when one setting of its preset is changed.

`python -m benchmarks.parity LOG REFERENCE --out DIR`: LOG is `amazon-beauty-5core.parquet`, REFERENCE the folder of its
runs: `beauty5-<method>.json`, and `beauty5-<method>-seed<n>.json` where there are more of a method, whose mean ours is
held against. Studies in DIR, resumable, all under `--preset reference`, 100 epochs validated every 20: the methods of
REFERENCE (or of `--methods`), and `random` (for what is not kept `adaptive-mixed`) again with one setting of the preset
changed at a time. Writes `benchmarks/results/parity.json`, in which what is not run now stays as it was, `parity.md`
and `docs/images/parity.svg`.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.common import RESULTS
from benchmarks.parity_page import EVERY, FIGURES, beside, curve, lines, picture, their_curve
from negsample import compare, load_dataset, plan, run_settings
from negsample.analysis.study import Study
from negsample.data.dataset import Dataset
from negsample.methods import POPREC
from negsample.paper.presets import PRESETS, whose
from negsample.runs.machine import machine
from negsample.settings import is_run_setting

PRESET = PRESETS["reference"]
INGREDIENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "padding": ("padding left out of the loss (`padding=omit`)", {"padding": "omit"}),
    "not-kept": ("negatives that are not selected left out of the loss (`not_kept=omit`)", {"not_kept": "omit"}),
    "table": ("Adam by rows instead of dense Adam (`table=rows`)", {"table": "rows"}),
    "split": ("split at a point in time (`--split timestamp`)", {}),
    "batches": (
        "each user once an epoch, not drawn with replacement (`with_replacement=false`)",
        {"with_replacement": False},
    ),
    "initial": ("initial values from N(0, 0.02) instead of Glorot (`init=normal`)", {"init": "normal"}),
}
PLAIN, SELECTING, AS_THERE = "random", "adaptive-mixed", "nothing changed (`--preset reference`)"


def main() -> None:
    """Do what is not done yet, and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity")
    parser.add_argument("log")
    parser.add_argument("reference", type=Path, help="the folder of the reference's runs")
    parser.add_argument("--out", type=Path, required=True, help="the studies; interrupted ones are carried on")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--ingredients", default=",".join(INGREDIENTS), help="with commas; none leaves them out")
    parser.add_argument("--methods", help="of the reference's, with commas; the others stay as they were")
    given = parser.parse_args()
    theirs = reference_runs(given.reference)
    methods = list(theirs) if given.methods is None else given.methods.split(",")
    asked = [] if given.ingredients == "none" else given.ingredients.split(",")
    data = {split: load_dataset(given.log, split=split) for split in ("paper", "timestamp")}
    how = {"made": date.today().isoformat(), "negsample": version("negsample"), "machine": machine()}
    how |= {"epochs": given.epochs, "repeats": given.repeats}

    def study(name: str, data: Dataset, methods: Sequence[str], changes: Mapping[str, Any]) -> Study:
        return _study(given.out / name, data, methods, changes, given.epochs, given.repeats, given.jobs)

    plain = dict.fromkeys(SELECTING if "not_kept" in INGREDIENTS[each][1] else PLAIN for each in asked)
    runs = {each: study(f"runs-{each}", data["paper"], [each], {}) for each in dict.fromkeys([*methods, *plain])}
    made = [_beside(runs[method], method, theirs[method]) | {"how": how} for method in methods]
    rows = [_row(AS_THERE, runs[method], method) | {"how": how} for method in plain]
    for ingredient in asked:
        name, changes = INGREDIENTS[ingredient]
        method, split = SELECTING if "not_kept" in changes else PLAIN, "paper" if changes else "timestamp"
        rows.append(_row(name, study(ingredient, data[split], [method], changes), method) | {"how": how})
    path = RESULTS / "parity.json"
    before = _read(path) if path.exists() else {"runs": [], "ingredients": []}
    found = {
        "runs": _merged(before["runs"], made, "method"),
        "ingredients": _merged(before["ingredients"], rows, "method", "ingredient"),
    }
    path.write_text(json.dumps(found, indent=1) + "\n")
    (RESULTS / "parity.md").write_text("\n".join(lines(found)) + "\n")
    picture(found["runs"])
    print("\n".join(lines(found)))


def reference_runs(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """The reference's runs by method, one or more of each."""
    found: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("beauty5-*.json"), key=lambda path: path.stem):
        run = _read(path)
        found.setdefault(run["method"], []).append(run)
    return found


def _merged(before: Sequence[Mapping[str, Any]], new: Sequence[Mapping[str, Any]], *keys: str) -> list[Any]:
    """The rows of before and the new ones, which replace those of the same ``keys``."""
    rows = {tuple(row[key] for key in keys): row for row in [*before, *new]}
    return [rows[key] for key in sorted(rows)] if keys == ("method",) else list(rows.values())


def _read(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return value


def _study(
    out: Path, data: Dataset, methods: Sequence[str], changes: Mapping[str, Any], epochs: int, repeats: int, jobs: int
) -> Study:
    of_training = {key: value for key, value in changes.items() if is_run_setting(key)}
    of_method = {key: value for key, value in changes.items() if key not in of_training}
    training = {**PRESET.training, "epochs": epochs, "eval_every": EVERY, **of_training}
    overrides = PRESET.overrides({data.name: whose(data.name).published}, [*methods, POPREC], list(of_method))
    planned = plan(
        [data],
        methods,
        repeats=repeats,
        seed=0,
        settings=run_settings(**training),
        changes=of_method,
        tuned=overrides,
    )
    return compare(planned, out, at_once=jobs, on_line=print)


def _means(study: Study, method: str) -> dict[str, tuple[float, float]]:
    """Mean and sample standard deviation of each figure on test, in %."""
    runs = study.runs_of(study.datasets()[0], method)
    values = {name: [100 * run.metrics["test"][name] for run in runs] for name in FIGURES}
    return {
        name: (statistics.fmean(each), statistics.stdev(each) if len(each) > 1 else 0.0)
        for name, each in values.items()
    }


def _beside(study: Study, method: str, theirs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A method's mean beside that of the reference's runs, each run at its best epoch."""
    runs = study.runs_of(study.datasets()[0], method)
    ours = _means(study, method)
    own = {name: {"ours": ours[name][0], "sd": ours[name][1]} for name in FIGURES}
    row = beside(method, theirs, own, [run.metrics["best_epoch"] for run in runs])
    ours_by_epoch = [{each["epoch"]: each["valid"]["hr@10"] for each in run.log if each.get("valid")} for run in runs]
    return row | {"curves": {"ours": curve(ours_by_epoch), "theirs": their_curve(theirs)}}


def _row(name: str, study: Study, method: str) -> dict[str, Any]:
    return {"ingredient": name, "method": method, "figures": _means(study, method)}


if __name__ == "__main__":
    main()
