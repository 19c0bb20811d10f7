"""`python -m benchmarks.ensemble STUDY...`: is it worth it to average the scores of several models?

For each study, of the runs of one method: NDCG@10 and HR@10 of each alone, and of each three of them averaged. On
validation with the weights before the refit and what was known at its start, on test with the tested weights; terms as
they were fitted to validation, so only the models' share of them was not chosen there. And what an answer takes with
one and with three. Writes `benchmarks/results/ensemble.json`.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.common import RESULTS
from negsample.analysis.reading import read_study
from negsample.analysis.resampling import REPLICATES, draws, groups_of, interval, sums_of
from negsample.data.blocks import spans
from negsample.data.dataset import Dataset
from negsample.data.until import known_until
from negsample.evaluation.metrics import hit, ndcg
from negsample.evaluation.queries import Part, Queries, queries
from negsample.files.folders import write_json
from negsample.models import Backbone
from negsample.models.build import set_terms
from negsample.models.terms import TermWeights
from negsample.random import resampling
from negsample.rules.rule import cut_time
from negsample.runs.folder import Run
from negsample.runs.job import build_model, default_device
from negsample.runs.kept import dataset_of
from negsample.runs.load import job_of
from negsample.runs.machine import machine
from negsample.runs.weights import BEFORE_REFIT, MODEL, load_weights
from negsample.serving.histories import Histories
from negsample.serving.model import Member, about_of
from negsample.serving.recommender import Recommender

Floats = NDArray[np.float64]
K, MEMBERS, MANY = 10, 3, 1000
PARTS: tuple[Part, ...] = ("valid", "test")


def main() -> None:
    """Measure, write, print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ensemble")
    parser.add_argument("studies", nargs="+", type=Path, metavar="STUDY", help="with three runs of the method or more")
    parser.add_argument("--method", default="mixed-log-q")
    parser.add_argument("--repeats", type=int, default=20, help="how often an answer is timed")
    given = parser.parse_args()
    rows, times = list[dict[str, Any]](), list[dict[str, Any]]()
    for folder in given.studies:
        study = read_study(folder)
        runs = study.runs_of(study.datasets()[0], given.method)
        data = dataset_of(runs[0])
        rows += [measured(runs, data, part) for part in PARTS]
        times += timed(runs[:MEMBERS], data, given.repeats)
        print(*rows[-2:], *times[-2:], sep="\n", flush=True)
    write_json(RESULTS / "ensemble.json", {"machine": machine(), "members": MEMBERS, "rows": rows, "times": times})


def recommender(runs: Sequence[Run], data: Dataset, part: Part) -> Recommender:
    """What ``part`` asks, with the ids of items their numbers; see the module's docstring."""
    until, job = cut_time(data, part), job_of(runs[0], data)
    known = known_until(data, until)
    members = [Member(weights=MODEL, seed=run.config["seed"], epochs=0, terms={}) for run in runs]
    counts = (job.refitted() if part == "test" and job.refits else job).catalogue(default_device()).target_counts
    ids = pl.Series("item", np.arange(1, data.catalogue_size + 1)), pl.Series("user", np.arange(data.users))
    about = about_of(runs, members, known, until)
    return Recommender(Path(), about, [_model(run, data, part) for run in runs], known, *ids, counts.cpu().numpy())


def _model(run: Run, data: Dataset, part: Part) -> Backbone:
    model = build_model(job_of(run, data), default_device())
    load_weights(model, run.folder, BEFORE_REFIT if part == "valid" and run.metrics["refit"] else MODEL)
    assert not run.config["settings"]["terms"], "terms that were trained along differ before the refit"
    if weights := run.metrics["terms"].get("weights"):
        set_terms(model, TermWeights.of(weights))
    return model


def histories(data: Dataset, asked: Queries) -> Histories:
    """Of each query what is known, under its number."""
    starts = np.asarray(data.offsets)[asked.windows.users]
    lengths = asked.known_until - starts
    events = spans(starts, lengths)
    offsets = np.append(0, np.cumsum(lengths))
    keys = pl.Series("user", np.arange(len(lengths)))
    return Histories(keys, data.items[events].astype(np.int64), data.times[events], offsets, 0, [])


def ranks(model: Recommender, people: Histories, asked: Queries) -> Floats:
    """(E,) of each target, infinite beyond the first :data:`K`."""
    answers = model.recommend(people, k=K)
    targets = pl.DataFrame({"user": asked.query_E, "item": asked.targets_E})
    found = targets.join(answers, on=["user", "item"], how="left", maintain_order="left")["rank"]
    return np.asarray(found.cast(pl.Float64).fill_null(np.inf).to_numpy() - 1)


def measured(runs: Sequence[Run], data: Dataset, part: Part) -> dict[str, Any]:
    """Figures of each run, and of each three of them; and how much more three have than one, with the 90 % interval
    over users."""
    asked = queries(data, part, history="frozen", max_length=1)
    people = histories(data, asked)
    of = {some: ranks(recommender(some_runs, data, part), people, asked) for some, some_runs in _groups(runs)}
    row: dict[str, Any] = {"dataset": data.name, "method": runs[0].config["method"], "part": part}
    row |= {"users": len(asked.windows.users), "events": len(asked.query_E)}
    for name, metric in ((f"ndcg@{K}", ndcg), (f"hr@{K}", hit)):
        single, several = ({some: metric(of[some], K) for some in of if len(some) == count} for count in (1, MEMBERS))
        row[name] = [{"seeds": list(some), "value": float(each.mean())} for some, each in (single | several).items()]
        more_E = np.mean(list(several.values()), axis=0) - np.mean(list(single.values()), axis=0)
        row[f"{name}_more"] = _interval(more_E, asked, f"{data.name}/{part}")
    return row


def _groups(runs: Sequence[Run]) -> list[tuple[tuple[int, ...], Sequence[Run]]]:
    """Each run, and each three, with their seeds."""
    some = [*((run,) for run in runs), *combinations(runs, MEMBERS)]
    return [(tuple(run.config["seed"] for run in each), each) for each in some]


def _interval(values_E: Floats, asked: Queries, name: str) -> Mapping[str, float]:
    group_E = groups_of(asked.windows.users)[asked.query_E]
    groups = int(group_E.max()) + 1
    sums_GF = sums_of(np.stack([values_E, np.ones_like(values_E)]), group_E, groups)
    drawn_RF = draws(groups, REPLICATES, resampling(name)) @ sums_GF
    low, high = interval(drawn_RF[:, 0] / drawn_RF[:, 1])
    return {"mean": float(values_E.mean()), "low": float(low), "high": float(high)}


def timed(runs: Sequence[Run], data: Dataset, repeats: int) -> list[dict[str, Any]]:
    """Median milliseconds of an answer, with one model and with several, in turn."""
    asked = queries(data, "test", history="frozen", max_length=1)
    people = histories(data, asked)
    models = {count: recommender(runs[:count], data, "test") for count in (1, MEMBERS)}
    rows = []
    for count in (1, min(MANY, len(people.keys))):
        some = people.take(0, count)
        taken: dict[int, list[float]] = {members: [] for members in models}
        for _ in range(repeats + 1):
            for members, model in models.items():
                began = time.process_time()
                model.recommend(some, k=K)
                taken[members].append(1000 * (time.process_time() - began))
        of = {f"{members}_ms": round(statistics.median(each[1:]), 2) for members, each in taken.items()}
        rows.append({"dataset": data.name, "people": count} | of)
    return rows


if __name__ == "__main__":
    main()
