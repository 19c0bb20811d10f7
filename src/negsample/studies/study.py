"""A study: a grid of runs minus the finished ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from negsample.data.dataset import Dataset
from negsample.errors import SEEDS, InputError, guarded, some, whole
from negsample.methods import POPREC, method_names, negative_settings
from negsample.models.baselines import is_baseline, own_baselines
from negsample.runs.folder import is_run
from negsample.runs.job import Job, tuned_job
from negsample.settings import RunSettings, fingerprint
from negsample.studies.in_time import check_settings, usable

REPEATS = 1000
"""The most runs of a method."""


@guarded
def plan(
    datasets: Sequence[Dataset],
    methods: Sequence[str],
    *,
    repeats: int,
    seed: int,
    settings: RunSettings,
    changes: Mapping[str, Any] | None = None,
    tuned: Mapping[tuple[str, str], Mapping[str, Any]] | None = None,
) -> list[Job]:
    """Every run of a study: seeds ``seed .. seed + repeats - 1`` for each method, and each baseline once a dataset.

    The outer loop is over seeds, so that an interrupted study has compared all methods some times.

    Args:
        datasets: each by a name of its own.
        methods: names of methods and baselines; negsample's own baselines are added, EASE where the
            catalogue is small enough. (Nothing in a baseline is random: its seed is 0.) What needs a split in time is
            left out on a dataset without one.
        repeats: runs of each method.
        seed: the first.
        settings: of model and training, the same for all.
        changes: to the methods' negative settings; each applies to the methods that have it.
        tuned: settings of a dataset (all folds of a log go by the first) and a method by themselves, as a tuning found
            or a preset has them; see
            :func:`negsample.studies.tuning.tune_all` and :meth:`negsample.paper.presets.Preset.overrides`.

    Raises:
        InputError: an argument is of another type or out of its range, a method is unknown, two datasets have one
            name, a change concerns no method, or a setting needs a split in time that a dataset has not.
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
    trained = [method for method in methods if not is_baseline(method)]
    rules = {
        data.name: usable(data, [*dict.fromkeys([*own_baselines(data.catalogue_size), *filter(is_baseline, methods)])])
        for data in datasets
    }
    for data in datasets:
        check_settings(data, settings)
    negatives = {method: negative_settings(method, changes) for method in trained}
    for key in changes:
        if not any(key in each for each in negatives.values()):
            raise InputError(f"setting {key} does nothing: none of {', '.join(trained) or POPREC} has it")
    found = tuned or {}
    grid = [
        tuned_job(Job(data, method, seed + repeat, settings, negatives[method]), found.get((data.tuned_as, method), {}))
        for repeat in range(repeats)
        for data in datasets
        for method in usable(data, trained)
    ]
    baselines = [
        tuned_job(Job(data, rule, 0, settings, {}), found.get((data.tuned_as, rule), {}))
        for data in datasets
        for rule in rules[data.name]
    ]
    return baselines + grid


def folds_of(jobs: Sequence[Job]) -> int | None:
    """How many folds each log of ``jobs`` has; None: they are of whole logs.

    Raises:
        InputError: some are of folds and others are not, or of another number of folds.
    """
    found = {job.data.name: fold.folds if (fold := job.data.manifest.fold) else None for job in jobs}
    several = list(dict.fromkeys(found.values()))
    if len(several) > 1:
        some = [f"{name} ({folds or 'no'} folds)" for name, folds in found.items()]
        raise InputError(f"a study has the same number of folds of every log, got {', '.join(some)}")
    return several[0]


def oversampled(jobs: Sequence[Job], factors: Sequence[int]) -> list[Job]:
    """The trained ones of ``jobs`` at each oversampling factor: batches of so many epochs, drawn again and again.

    One that is the same at a factor (its own, or where that is not below its epochs) stands for itself there.

    Raises:
        InputError: a factor breaks its rule.
    """
    trained = [job for job in jobs if not is_baseline(job.method)]
    found = [tuned_job(job, {"oversampling_factor": factor}) for factor in factors for job in trained]
    own = {job.name for job in trained}
    return list({job.name: job for job in found if job.name not in own}.values())


def unfinished(jobs: Sequence[Job], out: Path, together: int = 1) -> list[list[Job]]:
    """What :func:`compare` would do, in its order: the jobs that ``out`` has not finished, in their groups.

    Raises:
        InputError: other models than SASRec are to be trained together.
    """
    if together > 1 and jobs[0].settings.model.backbone != "sasrec":
        raise InputError(
            f"--together {together} is for sasrec, got backbone={jobs[0].settings.model.backbone}; leave it out"
        )
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
