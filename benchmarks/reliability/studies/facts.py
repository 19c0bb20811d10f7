"""What else stands in a generated study: the manifests of its datasets, the logs of its runs, its tunings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from benchmarks.reliability.studies.plan import Plan, fingerprint
from benchmarks.reliability.studies.world import World
from negsample.data.manifest import FORMAT, CohortFacts, Fold, Manifest
from negsample.data.popularity import COHORTS, popularity_order
from negsample.models.baselines import is_baseline
from negsample.runs.folder import ChosenByRule, Grid, Refit
from negsample.runs.job import Job
from negsample.runs.tunings import BestTrial, Trial, TuningSummary
from negsample.settings import PrepareSettings

MACHINE = {"cores": 2, "processor": "x86_64", "python": "3.11.9", "torch": "2.13.0"}
_NOT_IN_TIME = "Each user's last events are test, so some test events are earlier than train events of others."


def command(plan: Plan) -> list[str]:
    """What made the study."""
    words = ["negsample", "compare", *(f"{name}.csv" for name in plan.datasets)]
    words += ["--methods", ",".join(name for name in plan.strengths if not is_baseline(name)) or "PopRec"]
    words += ["--repeats", str(plan.seeds), "--epochs", str(plan.epochs), "--out", "study"]
    words += ["--folds", str(plan.folds)] if plan.folds else []
    return words + (["--dial", plan.dial] if plan.dial != "none" else [])


def manifest(plan: Plan, of: World, fold: Mapping[str, Any] | None) -> dict[str, Any]:
    """As :func:`negsample.studies.files.write_study` writes it."""
    counts, tests = of.counts, len(of.test.user_E)
    cold = counts[of.test.target_E] == 0
    train, valid = int(counts.sum()), len(of.valid.user_E)
    cohorts = {
        name: CohortFacts(
            items=int((of.cohort_of == number).sum()),
            item_share=float((of.cohort_of == number).sum() / plan.items),
            train_events=int(counts[of.cohort_of == number].sum()),
            mpu=float(3 / (number + 1) ** 2),
            test_events=int((of.test.cohort_E == number).sum()),
        )
        for number, name in enumerate(COHORTS)
    }
    repeats, timed = int(tests * 0.3), plan.in_time
    facts = Manifest(
        format=FORMAT,
        name=of.name,
        fingerprint=fingerprint(of.name),
        source=f"{of.name}.csv",
        settings=PrepareSettings() if timed else PrepareSettings(split="leave-one-out"),
        notes=["1,234 rows without a user were left out"],
        users=plan.users * 2,
        items=plan.items,
        events=train + valid + tests + 7,
        train_events=train,
        valid_events=valid,
        test_events=tests + 7,
        trained_users=plan.users,
        cold_items=int((counts[1:] == 0).sum()),
        cold_valid_events=int((counts[of.valid.target_E] == 0).sum()),
        cold_test_events=int(cold.sum()),
        valid_events_without_history=0,
        test_events_without_history=7,
        repeat_test_events={"frozen": repeats, "rolling": repeats + 3, "rolling-basket": repeats + 4},
        tie_share=0.25,
        duplicate_events=12,
        first_time=_iso(of.start - 300 * 86_400_000_000),
        last_time=_iso(of.start + 20 * 86_400_000_000),
        valid_start=_iso(of.start - 10**12) if timed else None,
        test_start=_iso(of.start) if timed else None,
        dropped_cold_items=0,
        dropped_cold_events=0,
        cohorts=cohorts,
        fold=None if fold is None else Fold(**fold),
        not_in_time=None if timed else _NOT_IN_TIME,
    )
    seen = {"users": plan.users, "events": train // 2, "with": "max_length 50"}
    return facts.model_dump(mode="json") | {"popularity_curve": _curve(of), "seen": seen}


def _iso(microseconds: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)).replace(tzinfo=None).isoformat()


def _curve(of: World) -> dict[str, Any]:
    order = popularity_order(of.counts)
    at = np.unique(np.geomspace(1, len(order), 40).round().astype(np.int64))
    items = order[at - 1]
    cohorts = [COHORTS[cohort] for cohort in of.cohort_of[items]]
    return {
        "rank": at.tolist(),
        "total": int(of.counts.sum()),
        "count": of.counts[items].tolist(),
        "cohort": cohorts,
    }


def log(plan: Plan, valid: Mapping[str, Any], rng: np.random.Generator) -> tuple[list[dict[str, Any]], int]:
    """The epochs of a run, and the best one, which has the figures ``valid``."""
    late = rng.random() < plan.late
    best = plan.epochs if late else int(rng.integers(1, max(2, plan.epochs // 2)))
    last = min(plan.epochs, best + plan.early_stop) if plan.early_stop else plan.epochs
    lines = []
    for epoch in range(1, last + 1):
        share = 1.0 if epoch == best else 0.97 * math.exp(-0.3 * abs(math.log(epoch / best))) * rng.uniform(0.9, 1)
        seen = {name: None if math.isnan(valid[name]) else valid[name] * share for name in ("hr@10", "ndcg@10")}
        lines.append(
            {"epoch": epoch, "loss": 1.4 / epoch**0.2, "seconds": 2.5 * epoch, "steps": 40 * epoch, "valid": seen}
        )
    return lines, best


def terms(plan: Plan, grid: Grid, refit: bool, rng: np.random.Generator) -> dict[str, Any]:
    """What fitting terms after training gave: ``terms`` and ``without_terms`` of a run."""
    at = grid.betas.index(0.0)
    parts = {"valid": grid.valid[at], "test": grid.test[at]}
    parts |= {"test_before_refit": grid.test_before_refit[at]} if refit else {}
    share = float(rng.uniform(0.6, 0.95))
    without = {
        part: {name: value * share if "@" in name else value for name, value in figures.items()}
        for part, figures in parts.items()
    }
    reached = {"as trained": without["valid"]["ndcg@10"], "share 0.5": grid.valid[at]["ndcg@10"]}
    tried = {name: 0.0 if math.isnan(value) else value for name, value in reached.items()}
    chosen = max(tried, key=lambda name: tried[name])
    return {"terms": {"chosen": chosen, "tried": tried, "weights": {}, "seconds": 0.5}, "without_terms": without}


def training(
    plan: Plan, job: Job, log: list[dict[str, Any]], best: int, valid: Mapping[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    """What training gave, as of :func:`negsample.runs.measure.of_training`."""
    trained = not is_baseline(job.method)
    seconds = log[-1]["seconds"] * float(rng.uniform(0.8, 1.2)) if trained else float(rng.uniform(0, 2))
    return {
        "best_epoch": best,
        "train_seconds": seconds,
        "steps_per_second": log[-1]["steps"] / seconds if trained else None,
        "peak_memory_bytes": int(rng.integers(2**28, 2**31)),
        "age_days": (5.25 if plan.refit else 16.75) if trained and plan.in_time else None,
        "refit": Refit(epochs=best, seconds=log[best - 1]["seconds"]).model_dump() if trained and plan.refit else {},
        "chosen": _chosen(plan, job, valid) if plan.chosen and job.method in ("RecentPop", "ItemKNN") else {},
    }


def _chosen(plan: Plan, job: Job, valid: Mapping[str, Any]) -> dict[str, Any]:
    value = 2.5
    around = (value, 5.0, 10.0) if plan.chosen == "end" else (1.25, value, 5.0)
    reached = 0.0 if math.isnan(valid["ndcg@10"]) else valid["ndcg@10"]
    tried = [{"choice": each, "ndcg@10": reached * (1 if each == value else 0.9)} for each in around]
    setting = "half-life, days" if job.method == "RecentPop" else "neighbours"
    at_end = plan.chosen == "end"
    return ChosenByRule(setting=setting, choice=value, tried=tried, at_end=at_end, seconds=0.1).model_dump()


def tuning(plan: Plan, dataset: str, method: str, rng: np.random.Generator) -> TuningSummary:
    """The search of a method; some trials pruned, one failed."""
    trials, epochs = [], max(plan.epochs // 2, 1)
    for number in range(plan.trials):
        state = "complete" if number == 0 else str(rng.choice(["complete", "complete", "pruned", "failed"]))
        value = None if state == "failed" else float(rng.uniform(0.02, 0.1))
        params: dict[str, Any] = {
            "learning_rate": float(10 ** rng.uniform(-4, -2)),
            "batch_size": int(rng.choice([64, 128, 256])),
        }
        trials.append(
            Trial(
                number=number,
                state=state,
                params=params,
                value=value,
                ndcg=None if value is None else value / 2,
                best_epoch=None if value is None else epochs,
                epochs=0 if value is None else epochs,
                seconds=float(epochs),
            )
        )
    best = max((each for each in trials if each.state == "complete"), key=lambda each: each.rank)
    assert best.value is not None
    return TuningSummary(
        format=1,
        dataset=dataset,
        dataset_fingerprint=fingerprint(dataset),
        method=method,
        objective="hr@10",
        epochs=epochs,
        planned=plan.trials + int(rng.integers(0, 2)),
        seed=0,
        trials=trials,
        best=BestTrial(number=best.number, params=best.params, value=best.value, ndcg=best.ndcg),
        seconds=float(sum(each.seconds for each in trials)),
    )
