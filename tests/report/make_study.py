"""A synthetic study folder: plausible numbers, no training. ``python make_study.py DIR`` writes one."""

from __future__ import annotations

import json
import math
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from negsample.files.checksums import LIST, write_list
from negsample.settings import fingerprint

METHODS = ("random", "popularity", "in-batch", "mixed", "adaptive", "adaptive-mixed", "PopRec")
SETTINGS = {
    "epochs": 20,
    "batch_size": 128,
    "learning_rate": 0.001,
    "max_length": 50,
    "dim": 50,
    "blocks": 2,
} | {
    "heads": 1,
    "dropout": 0.2,
    "eval_every": 1,
    "history": "frozen",
    "filter_seen": False,
}
NEGATIVES = {
    "random": {"random_negatives": 5},
    "popularity": {"popularity_negatives": 5, "popularity_exponent": 1.0},
    "in-batch": {"in_batch_negatives": 50},
    "mixed": {"random_negatives": 5, "in_batch_negatives": 5},
    "adaptive": {"in_batch_negatives": 100, "kept_hardest": 5, "not_kept": "omit"},
    "adaptive-mixed": {
        "random_negatives": 100,
        "in_batch_negatives": 10,
        "kept_hardest": 5,
        "not_kept": "omit",
    },
}
HIT_RATES = {  # head, mid, tail: the paper's Table 3 for Beauty, near enough
    "random": (0.0441, 0.0149, 0.0010),
    "popularity": (0.0090, 0.0128, 0.0046),
    "in-batch": (0.0280, 0.0211, 0.0034),
    "mixed": (0.0296, 0.0236, 0.0034),
    "adaptive": (0.0215, 0.0263, 0.0089),
    "adaptive-mixed": (0.0714, 0.0215, 0.0027),
    "PopRec": (0.0190, 0.0, 0.0),
}
EVENTS = {"head": 2600, "mid": 2400, "tail": 4926}
BETAS = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)
Change = Callable[[dict[str, Any], dict[str, Any]], None]
"""Alters a run's config and metrics before they are written."""


def make_study(
    folder: Path,
    datasets: Sequence[str] = ("online-retail", "beauty"),
    methods: Sequence[str] = METHODS,
    repeats: int = 3,
    change: Change | None = None,
    dialled: bool = True,
    tuned: bool = False,
    notes: Sequence[str] = (
        "135,080 rows without a user were left out",
        "57 % of the rows share (user, time)",
    ),
) -> Path:
    """A study of ``datasets`` x ``methods`` x ``repeats`` under ``folder``, the same at every call.

    ``dialled``: measured at every setting of the dial; else at 0 alone.
    ``tuned``: with the search of each method's settings, runs at other factors of oversampling, and peaks of memory.
    """
    rng = random.Random(11)
    (folder / "datasets").mkdir(parents=True)
    names = []
    for number, dataset in enumerate(datasets):
        _write(folder / "datasets" / f"{number}.json", manifest(dataset, notes))
        np.savez(folder / "datasets" / f"{number}.npz", **_events())
        for method in methods:
            for seed in range(repeats):
                name = f"{number}-{method}-{seed}"
                names.append(name)
                config, metrics, log = _run(dataset, method, seed, 1.0 + 0.8 * number, rng)
                if tuned:
                    metrics["peak_memory_bytes"] = (300 + 12 * len(method)) * 2**20
                if change:
                    change(config, metrics)
                (folder / "runs" / name).mkdir(parents=True)
                _write(folder / "runs" / name / "config.json", config)
                _write(folder / "runs" / name / "metrics.json", metrics)
                betas = BETAS if dialled and method != "PopRec" else (0.0,)
                _write_grid(folder / "runs" / name, betas, metrics, number * 1000 + seed)
                lines = "".join(json.dumps(entry) + "\n" for entry in log)
                (folder / "runs" / name / "log.jsonl").write_text(lines)
    machine = {"cores": 2, "processor": "x86_64", "python": "3.11.9", "torch": "2.13.0"}
    about = {"format": 1, "negsample": "0.1.0", "created": "2025-07-22T09:30:00+00:00"}
    about |= {"datasets": list(datasets), "methods": list(methods), "repeats": repeats, "settings": SETTINGS}
    about |= {"runs": names, "machine": machine, **({"tune_trials": 14, "tunings": []} if tuned else {})}
    if tuned:
        (folder / "tuning").mkdir()
        for number, dataset in enumerate(datasets):
            for method in (each for each in methods if each != "PopRec"):
                stem = f"{number}-{methods.index(method)}"
                _write(folder / "tuning" / f"{stem}.json", tuning(dataset, method, rng))
                about["tunings"].append(stem)
        about["oversampling"] = _oversampled(
            folder, datasets[0], [each for each in methods if each != "PopRec"][:2], rng
        )
    _write(folder / "study.json", about)
    list_anew(folder)
    return folder


def list_anew(folder: Path) -> None:
    """The lists of checksums of the run in ``folder``, or of the study and its runs, of the files that are there now.

    As if whoever changed them had made the lists too: then what is left to find are the laws of the content.
    """
    for config in folder.rglob("config.json"):
        keys = ("dataset", "dataset_fingerprint", "method", "seed", "settings", "negatives")
        about = json.loads(config.read_text())
        if "identity" not in about:
            about["identity"] = {key: about.get(key) for key in keys}
            config.write_text(json.dumps(about))
        names = {path.name for path in config.parent.iterdir() if path.is_file()} - {LIST}
        write_list(config.parent / LIST, "run", fingerprint(about["identity"]), names)
    if (folder / "study.json").exists():
        events = [f"datasets/{path.name}" for path in (folder / "datasets").iterdir()]
        write_list(folder / LIST, "study", "", ["study.json", *events])
    for path in [each for each in folder.glob("tuning/*.json") if not each.name.endswith(LIST)]:
        write_list(path.with_name(f"{path.stem}.{LIST}"), "tuning", path.stem, [path.name])


def tuning(dataset: str, method: str, rng: random.Random, trials: int = 14) -> dict[str, Any]:
    """A search over the learning rate and the numbers of negatives; some trials pruned, one failed."""
    kinds = [key for key in NEGATIVES.get(method, {"random_negatives": 5}) if key.endswith("_negatives")]
    found: list[dict[str, Any]] = []
    for number in range(trials):
        params: dict[str, Any] = {"learning_rate": 10 ** rng.uniform(-4, -2), "batch_size": rng.choice([64, 128, 256])}
        params |= {
            key: rng.choice([1, 5, 10, 50, 100, 500, *(["all"] if key == "in_batch_negatives" else [])])
            for key in kinds
        }
        state = "failed" if number == 5 else "pruned" if number % 4 == 3 else "complete"
        value = 0.05 - 0.012 * abs(math.log10(params["learning_rate"] / 0.001)) + 0.003 * rng.gauss(0, 1)
        epochs = {"failed": 0, "pruned": 3, "complete": 10}[state]
        found.append({"number": number, "state": state, "params": params, "epochs": epochs})
        found[-1] |= {"value": None if state == "failed" else value * (0.8 if state == "pruned" else 1)}
        found[-1]["ndcg"] = None if found[-1]["value"] is None else found[-1]["value"] / 2
        found[-1] |= {"best_epoch": epochs or None, "seconds": 1.5 * epochs * len(method)}
    best = max((each for each in found if each["state"] == "complete"), key=lambda each: each["value"])
    about = {
        "format": 1,
        "dataset": dataset,
        "dataset_fingerprint": "0123456789ab",
        "method": method,
        "seed": 1_000_000,
    }
    about |= {"objective": "hr@10", "epochs": 10, "planned": trials, "trials": found}
    about["best"] = {key: best[key] for key in ("number", "params", "value")}
    return about | {"seconds": sum(each["seconds"] for each in found)}


def _oversampled(folder: Path, dataset: str, methods: Sequence[str], rng: random.Random) -> list[str]:
    names = []
    for method in methods:
        for factor in (1, 4, 10):
            for seed in range(2):
                name = f"oversampling-{methods.index(method)}-{factor}-{seed}"
                names.append(name)
                config, metrics, _ = _run(dataset, method, seed, 0.9 + 0.01 * factor, rng)
                config["settings"] = SETTINGS | {"oversampling_factor": factor}
                metrics["train_seconds"] = 60 + 9 * factor + seed
                (folder / "runs" / name).mkdir(parents=True)
                _write(folder / "runs" / name / "config.json", config)
                _write(folder / "runs" / name / "metrics.json", metrics)
                (folder / "runs" / name / "log.jsonl").touch()
    return names


def manifest(name: str, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Facts of a dataset of 12,101 items whose counts fall as a power of the rank."""
    items, cold = 12_101, 412
    counts = [max(1, round(2400 / (rank + 4) ** 0.85)) for rank in range(1, items - cold + 1)]
    total, running, cohort = sum(counts), 0, []
    for count in counts:
        cohort.append("head" if running < total / 3 else "mid" if running < 2 * total / 3 else "tail")
        running += count
    ranks = sorted({round(10 ** (i * math.log10(len(counts)) / 399)) for i in range(400)})
    cohorts = {
        each: {
            "items": cohort.count(each) + (cold if each == "tail" else 0),
            "item_share": (cohort.count(each) + (cold if each == "tail" else 0)) / items,
            "train_events": sum(count for count, c in zip(counts, cohort, strict=True) if c == each),
            "mpu": mpu,
        }
        for each, mpu in (("head", 0.41), ("mid", 0.12), ("tail", 0.031))
    }
    return {
        "name": name,
        "fingerprint": "0123456789ab",
        "source": f"{name}.parquet",
        "settings": {"min_user_events": 1, "min_item_events": 1, "split": "timestamp"},
        "notes": list(notes),
        "users": 22_363,
        "items": items,
        "events": 198_502,
        "train_events": total,
        "valid_events": 9_926,
        "test_events": 9_926,
        "trained_users": 18_402,
        "cold_items": cold,
        "cold_valid_events": 1_301,
        "cold_test_events": 2_117,
        "test_events_without_history": 1_869,
        "repeat_test_events": {"frozen": 4_029, "rolling": 4_533, "rolling-basket": 4_600},
        "seen": {"users": 18_402, "events": total // 2, "with": "max_length 50"},
        "tie_share": 0.57,
        "duplicate_events": 1_234,
        "first_time": "2002-06-12T00:00:00",
        "last_time": "2014-07-23T00:00:00",
        "valid_start": "2014-04-02T00:00:00",
        "test_start": "2014-05-30T00:00:00",
        "cohorts": cohorts,
        "popularity_curve": {
            "rank": ranks,
            "count": [counts[rank - 1] for rank in ranks],
            "cohort": [cohort[rank - 1] for rank in ranks],
            "total": total,
        },
    }


def measures(head: float, mid: float, tail: float) -> dict[str, Any]:
    """Every measure of one part (validation or test) from the three hit rates, at every k."""
    found: dict[str, Any] = {}
    total = sum(EVENTS.values())
    for k in (1, 5, 10, 20):
        scale = math.log2(1 + k) / math.log2(11)
        rates = dict(zip(EVENTS, (scale * head, scale * mid, scale * tail), strict=True))
        mean = sum(rates[each] * EVENTS[each] for each in EVENTS) / total
        for measure, factor in (("hr", 1.0), ("ndcg", 0.5), ("mrr", 0.36)):
            found[f"{measure}@{k}"] = factor * mean
            found |= {f"{each}_{measure}@{k}": factor * rates[each] for each in EVENTS}
            found[f"warm_{measure}@{k}"] = factor * mean * total / (total - 2117)
        ordered = sorted(rates.values())
        found[f"balance@{k}"] = 1 - 2 * (ordered[2] - ordered[0]) / (3 * sum(ordered)) if sum(ordered) else None
        found[f"coverage@{k}"], found[f"arp@{k}"] = min(1.0, 0.02 + 20 * tail), 0.95 - 10 * tail
    return (
        found
        | {f"{each}_events": EVENTS[each] for each in EVENTS}
        | {
            "events": total,
            "cold_events": 2117,
            "left_out_events": 0,
        }
    )


def _run(dataset: str, method: str, seed: int, level: float, rng: random.Random) -> tuple[Any, Any, Any]:
    trained = method != "PopRec"
    rates = HIT_RATES.get(method, (0.03, 0.02, 0.004))
    noisy = [level * rate * (1 + (0.08 * rng.gauss(0, 1) if trained else 0)) for rate in rates]
    best = rng.randint(11, 18) if trained else 0
    seconds = 90 + 12 * len(method) if trained else 0
    test = measures(*noisy) | {"best_epoch": best}
    config = {"dataset": dataset, "dataset_fingerprint": "0123456789ab", "method": method, "seed": seed}
    config |= {"settings": SETTINGS, "negatives": NEGATIVES.get(method, {}), "versions": {"torch": "2.13.0"}}
    metrics = {"valid": measures(*(1.1 * rate for rate in noisy)) | {"best_epoch": best}, "test": test}
    metrics |= {"best_epoch": best, "train_seconds": seconds, "steps_per_second": 52.5 if trained else None}
    metrics |= {"dial": 0.0, "dial_choice": "none", "dial_reached": True}
    log = []
    for epoch in range(1, 21) if trained else ():
        reach = 1.1 * test["hr@10"] * (1 - math.exp(-epoch / 5)) * (1 - 0.004 * abs(epoch - best))
        valid = {"hr@10": reach * (1 + 0.02 * rng.gauss(0, 1)), "ndcg@10": reach / 2}
        log.append({"epoch": epoch, "loss": 1.4 / epoch**0.2, "seconds": 5 * epoch, "steps": 175 * epoch})
        log[-1]["valid"] = valid
    return config, metrics, log


def _events() -> dict[str, Any]:
    """Users, cohorts and popularity of the measured events."""
    chance = np.random.default_rng(5)
    cohort = np.repeat(np.arange(3, dtype=np.int8), [EVENTS[each] for each in EVENTS])
    chance.shuffle(cohort)
    percentile = (2 - cohort + chance.random(len(cohort))) / 3
    user = np.sort(chance.integers(0, len(cohort) // 3, len(cohort))).astype(np.int32)
    found = {"user_E": user, "cohort_E": cohort, "percentile_E": percentile.astype(np.float32)}
    return found | {"valid_user_E": user, "valid_cohort_E": cohort}


def _write_grid(folder: Path, betas: Sequence[float], metrics: dict[str, Any], seed: int) -> None:
    """Towards the tail head items lose and tail items gain; ranks at random, with those hit rates."""
    events, chance = _events(), np.random.default_rng(seed)
    luck = chance.random(len(events["cohort_E"]))
    grid: dict[str, Any] = {"betas": list(betas), "valid": [], "test": []}
    ranks = []
    for beta in betas:
        for part in ("valid", "test"):
            rates = [metrics[part][f"{each}_hr@10"] for each in EVENTS]
            turned = [
                None if rate is None else rate * math.exp(slope * beta - 0.25 * beta * beta)
                for rate, slope in zip(rates, (0.5, -0.2, -1.2), strict=True)
            ]
            plain = beta == 0 or None in turned
            grid[part].append(dict(metrics[part]) if plain else dict(metrics[part]) | measures(*turned))
        hit = np.array([grid["test"][-1][f"{each}_hr@10"] or 0.0 for each in EVENTS])[events["cohort_E"]]
        ranks.append(np.where(luck < hit, np.floor(10 * luck / np.maximum(hit, 1e-9)), 100.0))
    _write(folder / "dial.json", grid)
    np.savez(folder / "ranks.npz", test_GE=np.stack(ranks), valid_GE=np.stack(ranks))


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


if __name__ == "__main__":
    make_study(Path(sys.argv[1]))
