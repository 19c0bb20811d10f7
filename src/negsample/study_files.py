"""What a study's folder says of it, for the report: ``study.json``, manifests, and what ranks were measured on."""

from __future__ import annotations

import datetime
import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from negsample.data.popularity import COHORTS, popularity_order
from negsample.data.sequences import Dataset
from negsample.evaluation import queries
from negsample.job import Job
from negsample.methods import POPREC
from negsample.methods.spaces import OF_TRAINING
from negsample.metrics import event_percentiles
from negsample.runs import is_run, read_run, write_arrays, write_json
from negsample.workers import cores

_CURVE_POINTS = 400


def write_study(jobs: Sequence[Job], out: Path, note: Mapping[str, Any]) -> list[str]:
    """``study.json`` and the manifests; returns the names of the study's runs, finished or not."""
    settings = jobs[0].settings.model_dump(mode="json")
    planned = {job.name: job for job in jobs}
    methods = list(dict.fromkeys(job.method for job in jobs))
    datasets = {job.data.name: job.data for job in jobs}
    runs = list(planned)
    seeds = {job.seed for job in jobs if job.method != POPREC}
    for name, config in _earlier(jobs, out).items():
        if name not in planned:
            runs.append(name)
            methods = list(dict.fromkeys([*methods, config["method"]]))
            seeds |= {config["seed"]} if config["method"] != POPREC else set()
    methods = [name for name in methods if name != POPREC] + [POPREC]
    for data in datasets.values():
        facts = dict(data.manifest) | {"popularity_curve": popularity_curve(data)}
        write_json(out / "datasets" / f"{data.name}.json", facts)
        write_arrays(out / "datasets" / f"{data.name}.npz", test_events(data))
    write_json(
        out / "study.json",
        {
            "format": 1,
            "negsample": version("negsample"),
            "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "datasets": list(datasets),
            "methods": methods,
            "repeats": max(len(seeds), 1),
            "settings": settings,
            "runs": runs,
            "machine": machine(),
        }
        | dict(note),
    )
    return runs


def _earlier(jobs: Sequence[Job], out: Path) -> dict[str, dict[str, Any]]:
    """Configurations of the finished runs of the study that ``out`` held before, where they fit this one."""
    try:
        listed = json.loads((out / "study.json").read_text("utf-8"))["runs"]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    found = {}
    for name in listed if isinstance(listed, list) else []:
        if isinstance(name, str) and is_run(out / "runs" / name):
            config = read_run(out / "runs" / name).config
            same_data = [job for job in jobs if job.data.fingerprint == config["dataset_fingerprint"]]
            rivals = [job for job in same_data if job.method == config["method"]]
            fits = all(
                (job.negatives, job.settings.model_dump(mode="json")) == (config["negatives"], config["settings"])
                for job in rivals
            )
            alike = same_data and _untuned(config["settings"]) == _untuned(
                same_data[0].settings.model_dump(mode="json")
            )
            if same_data and fits and (rivals or alike):
                found[name] = config
    return found


def _untuned(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What methods that are compared have in common, tuned or not."""
    return {key: value for key, value in settings.items() if key not in OF_TRAINING}


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        named = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        processor = named[0].split(":", 1)[1].strip() if named else processor
    return {
        "cores": cores(),
        "processor": processor,
        "python": platform.python_version(),
        "torch": version("torch"),
    }


def test_events(data: Dataset) -> dict[str, NDArray[Any]]:
    """What a report needs of the E measured test events, in the order of their ranks.

    Returns:
        ``user_E``: a number a user, ascending; ``cohort_E``; ``percentile_E``: share of the train events
        that are of items less popular than this one.
    """
    asked = queries(data, "test", history="frozen", max_length=1)
    return {
        "user_E": asked.query_E.astype(np.int32),
        "cohort_E": np.asarray(data.cohorts)[asked.targets_E],
        "percentile_E": event_percentiles(np.asarray(data.train_counts))[asked.targets_E].astype(np.float32),
    }


def popularity_curve(data: Dataset) -> dict[str, list[Any]]:
    """Train count against popularity rank (from 1), thinned to a few hundred ranks, with cohorts."""
    order = popularity_order(np.asarray(data.train_counts))
    ranks = np.unique(np.geomspace(1, len(order), _CURVE_POINTS).round().astype(np.int64))
    items = order[ranks - 1]
    return {
        "rank": ranks.tolist(),
        "count": np.asarray(data.train_counts)[items].tolist(),
        "cohort": [COHORTS[cohort] for cohort in data.cohorts[items]],
    }
