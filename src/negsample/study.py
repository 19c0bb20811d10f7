"""A study: a grid of runs minus the finished ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from negsample.again import dial_again
from negsample.arguments import SEEDS, guarded, some, whole
from negsample.config import FailedError, InputError, TrainSettings, fingerprint
from negsample.data.sequences import Dataset
from negsample.dial import parse_choice
from negsample.forecast import check_fits
from negsample.job import Job, tuned_job
from negsample.methods import POPREC, method_names, negative_settings
from negsample.outcomes import Outcomes, Watch
from negsample.reasons import failed_for
from negsample.report.page import write_report
from negsample.runs import is_run, make_folders, read_run
from negsample.study_files import write_study
from negsample.tasks import Training, carry_out
from negsample.unfinished import alone, clear_finished
from negsample.where import LOCAL, Where
from negsample.whole import sweep

REPEATS = 1000
"""The most runs of a method."""


@guarded
def plan(
    datasets: Sequence[Dataset],
    methods: Sequence[str],
    *,
    repeats: int,
    seed: int,
    settings: TrainSettings,
    changes: Mapping[str, Any] | None = None,
    tuned: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
) -> list[Job]:
    """Every run of a study: seeds ``seed .. seed + repeats - 1`` for each method, and PopRec once a dataset.

    The outer loop is over seeds, so that an interrupted study has compared all methods some times.

    Args:
        datasets: each by a name of its own.
        methods: names of the table; PopRec is added (nothing in it is random: its seed is 0).
        repeats: runs of each method.
        seed: the first.
        settings: of model and training, the same for all.
        changes: to the methods' negative settings; each applies to the methods that have it.
        tuned: settings of a dataset and a method by themselves, as a tuning found or a preset has them; see
            :func:`negsample.tuning.tune_all` and :meth:`negsample.presets.Preset.overrides`.

    Raises:
        InputError: an argument is of another type or out of its range, a method is unknown, two datasets have one
            name, or a change concerns no method.
    """
    some("datasets", datasets)
    some("methods", methods)
    whole("repeats", repeats, 1, REPEATS)
    whole("seed", seed, 0, SEEDS)
    methods = method_names(",".join(methods))
    names = [data.name for data in datasets]
    if len(set(names)) < len(names):
        raise InputError(f"two datasets have the same name among {', '.join(names)}; rename a file or folder")
    changes = dict(changes or {})
    trained = [method for method in methods if method != POPREC]
    negatives = {method: negative_settings(method, changes) for method in trained}
    for key in changes:
        if not any(key in each for each in negatives.values()):
            raise InputError(f"setting {key} does nothing: none of {', '.join(trained) or POPREC} has it")
    found = tuned or {}
    grid = [
        tuned_job(Job(data, method, seed + repeat, settings, negatives[method]), found.get((data.name, method), {}))
        for repeat in range(repeats)
        for data in datasets
        for method in trained
    ]
    baselines = [tuned_job(Job(data, POPREC, 0, settings, {}), found.get((data.name, POPREC), {})) for data in datasets]
    return baselines + grid


def oversampled(jobs: Sequence[Job], factors: Sequence[int]) -> list[Job]:
    """The trained ones of ``jobs`` at each oversampling factor: batches of so many epochs, drawn again and again.

    One that has a factor already stands for itself there.

    Raises:
        InputError: a factor breaks its rule.
    """
    trained = [job for job in jobs if job.method != POPREC]
    return [
        tuned_job(job, {"oversampling_factor": factor})
        for factor in factors
        for job in trained
        if job.settings.oversampling_factor != factor
    ]


@guarded
def compare(
    jobs: Sequence[Job],
    out: Path,
    *,
    oversampling: Sequence[Job] = (),
    at_once: int = 1,
    together: int = 1,
    dial: str = "none",
    on: Where = LOCAL,
    watch: Watch = lambda job, what: None,
    tell: Callable[[str], None] = lambda line: None,
    note: Mapping[str, Any] | None = None,
    replace: bool = False,
    untuned: Mapping[tuple[str, str], str] | None = None,
) -> Path:
    """Do the jobs that ``out`` has not finished yet, and write the report. Returns the path of the page.

    Earlier runs in ``out`` stay part of the study: it may get more methods, seeds and datasets. A run that was stopped
    is carried on from its last checkpoint. Several processes may do one study at a time: each does what no other is
    at, and all end when all is done. A run that fails does not keep the others from being done: why it failed is kept
    in ``failed`` in the study's folder, and the same call tries it again.

    Args:
        jobs: from :func:`plan`.
        out: the study's folder.
        oversampling: from :func:`oversampled`, done beside them and shown in a chart of their own.
        at_once: jobs at a time, each in a process of its own that is started anew: a script that asks for more than
            one needs ``if __name__ == "__main__":`` around its work.
        together: up to so many jobs that differ in their seeds alone are trained as one batched model, which a GPU
            does in less time than one after another; each gives what it would give alone, but for rounding.
        dial: how every run's dial is chosen, as :func:`negsample.dial.parse_choice` takes it; no run is trained again
            for another one.
        on: where the jobs are done, from :func:`negsample.where.parse_where`; on Ray ``at_once`` holds for all nodes.
        watch: see ``Watch``.
        tell: what else there is to be said, a line at a time.
        note: more to keep in ``study.json``.
        replace: delete a study of other settings that is in ``out``, which is refused otherwise.
        untuned: methods whose tuning found nothing, by dataset and method, and why: their jobs are failed ones.

    Raises:
        FailedError: after all else is done and the report is written: runs failed.
        InputError: ``out`` holds a study of other settings or something else where a run belongs, or cannot be
            written; other models than SASRec are to be trained together; or a run cannot be, see
            :func:`negsample.forecast.check_fits`.
    """
    some("jobs", jobs)
    whole("at_once", at_once, 1, 10**6)
    whole("together", together, 1, 10**6)
    out = Path(out)
    choice, runs, every = parse_choice(dial), out / "runs", [*jobs, *oversampling]
    hopeless = [(job, why) for job in every if (why := (untuned or {}).get((job.data.name, job.method)))]
    possible = [job for job in every if job.name not in {each.name for each, _ in hopeless}]
    todo = unfinished(possible, out, together)
    tasks = [Training(group, [runs / job.name for job in group], choice) for group in todo]
    check_fits([task.jobs for task in tasks], at_once, memory=on.here)
    make_folders(out, "runs", "datasets")
    left = {folder for task in tasks for folder in task.folders}
    for folder in left:
        if folder.exists() and not is_run(folder):
            raise InputError(f"{folder} is there and is no finished run; delete it, and it is done again")
    about = {"dial": choice.text} | dict(note or {})
    sweep(out, deep=True)
    clear_finished([runs / job.name for job in possible if runs / job.name not in left])
    with alone(out / "study"):
        listed = write_study(jobs, out, about, oversampling=oversampling, replace=replace)
    datasets = {job.data.fingerprint: job.data for job in jobs}
    for folder in (runs / name for name in listed if is_run(runs / name)):
        dial_again(folder, choice, datasets.get(read_run(folder).config["dataset_fingerprint"]))
    for job in possible:
        if runs / job.name not in left:
            watch(job, None)

    outcomes = Outcomes(out, tasks, watch)
    for job, why in hopeless:
        outcomes.fail(job, failed_for(job, "untuned", why))
    carry_out(tasks, outcomes.heed, tell, at_once=at_a_time(every, at_once, together), on=on)
    with alone(out / "study"):  # another process may have added to the study: who comes last tells of all
        listed_now = write_study(jobs, out, about, oversampling=oversampling)
        for name in listed_now:
            if name not in listed and is_run(runs / name):
                dial_again(runs / name, choice, datasets.get(read_run(runs / name).config["dataset_fingerprint"]))
        page = write_report(out, tell) if any(is_run(runs / name) for name in listed_now) else None
    if outcomes.failures:
        failed = [outcomes.failures[job.name] for job in every if job.name in outcomes.failures]
        raise FailedError([each.line for each in failed], page)
    assert page is not None, "what did not fail is finished"
    return page


def unfinished(jobs: Sequence[Job], out: Path, together: int = 1) -> list[list[Job]]:
    """What :func:`compare` would do, in its order: the jobs that ``out`` has not finished, in their groups.

    Raises:
        InputError: other models than SASRec are to be trained together.
    """
    if together > 1 and jobs[0].settings.model != "sasrec":
        raise InputError(f"--together {together} is for sasrec, got model={jobs[0].settings.model}; leave it out")
    return groups([job for job in jobs if not is_run(out / "runs" / job.name)], together)


def at_a_time(jobs: Sequence[Job], at_once: int, together: int = 1) -> int:
    """How many of ``jobs`` are done at a time: of all, not of those that are left, since it decides their threads."""
    return min(at_once, len(groups(jobs, together)))


def groups(jobs: Sequence[Job], together: int) -> list[list[Job]]:
    """``jobs`` in groups of up to ``together`` that differ in their seeds alone, by the first of each group."""
    of: dict[str, list[list[Job]]] = {}
    found: list[list[Job]] = []
    for job in jobs:
        alike = of.setdefault(fingerprint(job.identity() | {"seed": None}), [])
        if not alike or len(alike[-1]) == together:
            alike.append([])
            found.append(alike[-1])
        alike[-1].append(job)
    return found
