"""A generated study's folder, written by the functions that write a trained one's."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.reliability.studies import facts
from benchmarks.reliability.studies.kinds import KINDS, plan_of
from benchmarks.reliability.studies.pairs import pair_of
from benchmarks.reliability.studies.plan import Plan, fingerprint
from benchmarks.reliability.studies.world import World, ranks, world
from negsample.analysis.reading import read_study
from negsample.data.names import fold_name
from negsample.files.checksums import LIST, write_list
from negsample.files.folders import write_arrays, write_json
from negsample.files.together import rewriting
from negsample.methods import negative_settings
from negsample.models.baselines import is_baseline
from negsample.report.page import write_report
from negsample.report.several import write_joint_report
from negsample.report.verdict import verdict_lines
from negsample.runs.failed import Failed, write_failed
from negsample.runs.folder import LOG, REFIT_LOG, Grid, run_fingerprint
from negsample.runs.job import Job
from negsample.runs.measure import Measured, write_measured
from negsample.runs.study_file import StudyFile
from negsample.scoring.dial import parse_choice
from negsample.settings import run_settings


class _Data(NamedTuple):
    """What a job asks of its dataset."""

    name: str
    fingerprint: str
    catalogue_size: int
    in_time: bool


def made(kind: str, seed: int, folder: Path, on_line: Callable[[str], None] = lambda line: None) -> Path:
    """The ``seed``-th study of a ``kind`` with its report, or the studies of a kind of pairs; returns the page."""
    if kind in KINDS:
        write_study(plan_of(kind, seed), folder, np.random.default_rng(seed))
        return write_report(folder, on_line)
    parts = pair_of(kind, seed)
    for name, part in parts.items():
        write_study(part.plan, folder / name, np.random.default_rng([seed, part.events]))
        write_report(folder / name, on_line)
    return write_joint_report([folder / name for name in parts], folder / "page", on_line)


def on_terminal(folder: Path) -> dict[str, list[str]]:
    """By log, what a terminal shows of the verdict on it."""
    study = read_study(folder)
    return {log: verdict_lines(study, study.verdict(log)) for log in study.datasets()}


def write_study(plan: Plan, folder: Path, rng: np.random.Generator) -> None:
    """The study of ``plan`` in the new ``folder``, without a report."""
    (folder / "runs").mkdir(parents=True)
    logs = {
        log: [fold_name(log, each, plan.folds) for each in range(1, plan.folds + 1)] if plan.folds else [log]
        for log in plan.datasets
    }
    worlds = {name: world(plan, name, number, rng) for names in logs.values() for number, name in enumerate(names)}
    jobs = [job for name in worlds for job in _jobs(plan, name)]
    beside = [
        job._replace(settings=job.settings.replaced(oversampling_factor=factor))
        for factor in plan.factors
        for job in jobs
        if not is_baseline(job.method)
    ]
    for job in jobs:
        _write_or_fail(plan, job, worlds[job.data.name], folder, rng)
    for job in beside:
        _write_run(plan, job, worlds[job.data.name], folder / "runs" / job.name, rng)
    tunings = list(_tunings(plan, logs, folder, rng))
    about = StudyFile(
        negsample="0.1.0",
        created="2026-11-01T09:30:00+00:00",
        datasets=list(worlds),
        methods=list(plan.strengths),
        repeats=plan.seeds,
        settings=run_settings(**plan.settings).resolved().flat(),
        runs=[job.name for job in jobs],
        oversampling=[job.name for job in beside],
        tunings=tunings,
        machine=facts.MACHINE,
        dial=plan.dial,
        preset=plan.preset,
        tune_trials=plan.trials or None,
        folds=plan.folds,
        command=shlex.join(facts.command(plan)),
    )
    with rewriting(folder, "study") as scratch:
        (scratch / "datasets").mkdir()
        for log, names in logs.items():
            for number, name in enumerate(names, 1):
                fold = {"log": log, "number": number, "folds": plan.folds} if plan.folds else None
                write_json(scratch / "datasets" / f"{name}.json", facts.manifest(plan, worlds[name], fold))
                write_arrays(scratch / "datasets" / f"{name}.npz", worlds[name].events(bool(fold), plan.in_time))
        write_json(scratch / "study.json", about.model_dump(mode="json"))


def _jobs(plan: Plan, name: str) -> list[Job]:
    data: Any = _Data(name, fingerprint(name), plan.items, plan.in_time)
    settings, found = run_settings(**plan.settings), []
    for method in plan.strengths:
        negatives = {} if is_baseline(method) else negative_settings(method, {})
        seeds = 1 if is_baseline(method) else plan.seeds
        found += [Job(data, method, seed, settings, negatives) for seed in range(seeds)]
    return found


def _write_or_fail(plan: Plan, job: Job, of: World, folder: Path, rng: np.random.Generator) -> None:
    failed, missing = (each.get(job.method, 0) for each in (plan.failed, plan.missing))
    if job.seed < failed:
        reason = f"training diverged in epoch {1 + job.seed % 2}: the loss is not a number; lower the learning rate"
        write_failed(
            folder,
            Failed(
                run=job.name,
                dataset=job.data.name,
                method=job.method,
                seed=job.seed,
                kind="diverged",
                reason=reason,
                config=job.config(),
                facts={},
            ),
        )
    elif job.seed < plan.seeds - missing or (is_baseline(job.method) and not missing):
        _write_run(plan, job, of, folder / "runs" / job.name, rng)


def _write_run(plan: Plan, job: Job, of: World, folder: Path, rng: np.random.Generator) -> None:
    folder.mkdir()
    strength, trained = plan.strengths[job.method], not is_baseline(job.method)
    betas = plan.betas if trained else (0.0,)
    choice = parse_choice(plan.dial)
    if trained and len(betas) > 1 and choice.number is not None:
        betas = tuple(sorted({*betas, choice.number}))
    found = {part: ranks(of, plan, strength, job.seed, betas, part) for part in ("valid", "test")}
    figures = {part: [of.figures(ranks_E, part, plan.cut_offs) for ranks_E in each] for part, each in found.items()}
    refit = trained and plan.refit
    if refit:
        before = strength._replace(noise=f"{strength.noise} before")
        earlier = ranks(of, plan, before, job.seed, betas, "test")
        figures["test_before_refit"] = [of.figures(ranks_E, "test", plan.cut_offs) for ranks_E in earlier]
    grid = Grid(betas=list(betas), **figures)
    at_zero = grid.valid[grid.betas.index(0.0)]
    log, best = facts.log(plan, at_zero, rng) if trained else ([], 0)
    terms = facts.terms(plan, grid, refit, rng) if trained and plan.fitted else {}
    config = job.config() | {"versions": {"torch": "2.13.0", "python": "3.11.9"}, "machine": facts.MACHINE}
    write_json(folder / "config.json", config)
    logs = {LOG: log} | ({REFIT_LOG: log[:best]} if refit else {})
    for name, some in logs.items():
        (folder / name).write_text("".join(json.dumps(each) + "\n" for each in some), encoding="utf-8")
    write_list(folder / LIST, "run", run_fingerprint(config), ["config.json", *logs])
    measured = Measured(grid, {f"{part}_GE": each for part, each in found.items()}, **terms)
    write_measured(folder, measured, choice, facts.training(plan, job, log, best, at_zero, rng))


def _tunings(plan: Plan, logs: dict[str, list[str]], folder: Path, rng: np.random.Generator) -> Iterator[str]:
    """The searches, on the first fold of each log; the names of their summaries."""
    for names in logs.values():
        for method in (each for each in plan.strengths if plan.trials and not is_baseline(each)):
            stem = f"{names[0]}--{method}--0123456789ab"
            (folder / "tuning").mkdir(exist_ok=True)
            summary = facts.tuning(plan, names[0], method, rng)
            write_json(folder / "tuning" / f"{stem}.json", summary.model_dump(mode="json"))
            write_list(folder / "tuning" / f"{stem}.{LIST}", "tuning", stem, [f"{stem}.json"])
            yield stem
