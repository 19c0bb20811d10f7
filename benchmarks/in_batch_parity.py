"""`in-batch` by epoch, on validation and on test: the reference's runs, the published loop again, and ours.

`python -m benchmarks.in_batch_parity LOG REFERENCE --who plain --seeds 0,1`: LOG is `amazon-beauty-5core.parquet`,
REFERENCE the folder of the reference's runs. `plain` is `benchmarks.plain_reference`, `ours` the package under
`--preset reference`; test figures by epoch are looked at here and nowhere else, to find where the two part. Adds to
`benchmarks/results/in-batch-parity.json`.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import torch

from benchmarks import plain_reference as plain
from benchmarks.common import RESULTS
from benchmarks.parity import reference_runs
from negsample import (
    Dataset,
    build_method,
    catalogue_of,
    evaluate,
    fit,
    load_dataset,
    negative_settings,
    run_settings,
)
from negsample.models import PopRec
from negsample.paper.presets import PRESETS
from negsample.runs.job import Job, build_model
from negsample.runs.machine import machine
from negsample.settings import is_run_setting
from negsample.training.state import Epoch

METHOD = "in-batch"
FIGURES = ("hr@10", "ndcg@10", "head_hr@10", "mid_hr@10", "tail_hr@10")
PATH = RESULTS / "in-batch-parity.json"
Tell = Callable[[Mapping[str, Any]], None]


def ours(data: Dataset, seed: int, on_line: Tell) -> list[dict[str, Any]]:
    """The package's own training, with test figures at each validation."""
    preset = PRESETS["reference"]
    given = preset.settings("amazon-beauty", METHOD)
    of_training = {key: value for key, value in given.items() if is_run_setting(key)}
    more = {"epochs": plain.EPOCHS, "eval_every": plain.EVERY}
    settings = run_settings(**{**preset.training, **of_training, **more})
    negatives = negative_settings(METHOD, {key: value for key, value in given.items() if key not in of_training})
    model = build_model(Job(data, METHOD, seed, settings, negatives), torch.device("cpu"))
    assert not isinstance(model, PopRec)
    log: list[dict[str, Any]] = []

    def watch(epoch: Epoch) -> None:
        if epoch.valid is not None:
            test = evaluate(model, data, "test", settings, with_top=False).figures
            parts = {"valid": epoch.valid, "test": test}
            found = {part: {name: 100 * each[name] for name in FIGURES} for part, each in parts.items()}
            log.append({"epoch": epoch.epoch, "loss": epoch.loss, **found})
            on_line(log[-1])

    method = build_method(METHOD, catalogue_of(data, settings.model.max_length), negatives)
    fit(model, data, method, settings, seed=seed, watch=watch)
    return log


def theirs(folder: Path) -> list[dict[str, Any]]:
    """The reference's own runs in the same form, in the order of their files."""
    found = []
    for number, run in enumerate(reference_runs(folder)[METHOD]):
        log = []
        for each in run["log"]:
            parts = {
                part: {name: 100 * each[part][name.removesuffix("@10")] for name in FIGURES}
                for part in ("valid", "test")
            }
            log.append({"epoch": each["epoch"], "loss": each["loss"], **parts})
        found.append({"who": "reference", "seed": number, "log": log})
    return found


def lines(runs: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line a run: test HR@10 by epoch, then test figures at the best epoch on validation."""
    epochs = [each["epoch"] for each in runs[0]["log"]]
    heads = " | ".join(
        [*(f"epoch {epoch}" for epoch in epochs), "best epoch", "HR@10", "NDCG@10", "head", "mid", "tail"]
    )
    told = [
        f"| | seed | {heads} |",
        "|---|---|" + "---|" * (len(epochs) + 6),
    ]
    for run in runs:
        best = max(run["log"], key=lambda each: (each["valid"]["hr@10"], -each["epoch"]))
        by_epoch = " | ".join(f"{each['test']['hr@10']:.2f}" for each in run["log"])
        at_best = " | ".join(f"{best['test'][name]:.2f}" for name in FIGURES)
        told.append(f"| {run['who']} | {run['seed']} | {by_epoch} | {best['epoch']} | {at_best} |")
    return told


def spread(runs: Sequence[Mapping[str, Any]], who: str, figure: str = "hr@10") -> tuple[float, float]:
    """Mean and sample standard deviation of a test figure at the best validation epochs of the runs of ``who``."""
    bests = [max(run["log"], key=lambda each: each["valid"]["hr@10"]) for run in runs if run["who"] == who]
    values = [best["test"][figure] for best in bests]
    return statistics.fmean(values), statistics.stdev(values) if len(values) > 1 else 0.0


def main() -> None:
    """Train with each seed, and add what came of it to the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.in_batch_parity")
    parser.add_argument("log")
    parser.add_argument("reference", type=Path)
    parser.add_argument("--who", choices=["plain", "ours"], default="plain")
    parser.add_argument("--seeds", default="0")
    given = parser.parse_args()
    data = load_dataset(given.log, split="paper")
    for seed in map(int, given.seeds.split(",")):
        run = {"who": given.who, "seed": seed, "made": date.today().isoformat(), "machine": machine()}
        trained = plain.train if given.who == "plain" else ours
        run["log"] = trained(data, seed, lambda each: print(json.dumps(each), flush=True))
        before = json.loads(PATH.read_text("utf-8"))["runs"] if PATH.exists() else theirs(given.reference)
        kept = [each for each in before if (each["who"], each["seed"]) != (given.who, seed)]
        runs = sorted([*kept, run], key=lambda each: (each["who"] != "reference", each["who"] == "ours", each["seed"]))
        PATH.write_text(json.dumps({"dataset": data.name, "method": METHOD, "runs": runs}, indent=1) + "\n", "utf-8")
        print("\n".join(lines(runs)))


if __name__ == "__main__":
    main()
