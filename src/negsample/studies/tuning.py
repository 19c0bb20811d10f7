"""Tunings of several methods: planned with equal budgets, done, and their best settings written."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from negsample.data.dataset import Dataset
from negsample.errors import SEEDS, FailedError, InputError, guarded, some, whole
from negsample.execution.backend import LOCAL, Backend, run_tasks
from negsample.execution.tasks import Lost
from negsample.files.checksums import LIST
from negsample.files.together import settled
from negsample.methods import METHODS, method_names, negative_settings
from negsample.methods.spaces import narrowed
from negsample.models.baselines import is_baseline
from negsample.runs.job import Job, tuned_job
from negsample.settings import RunSettings
from negsample.studies.earlier import differs
from negsample.studies.in_time import check_settings, usable
from negsample.studies.tuning_task import Tuning
from negsample.training.best import SELECTED_BY

SEED = 1_000_000
"""Added to a study's seed: no repeat trains with the seed that its settings were chosen by."""
TRIALS = 10_000
"""The most of a search."""


@guarded
def plan_tunings(
    datasets: Sequence[Dataset],
    methods: Sequence[str],
    *,
    trials: int,
    seed: int,
    settings: RunSettings,
    changes: Mapping[str, Any],
    given: Sequence[str],
    folder: Path,
    tuned: Mapping[tuple[str, str], Mapping[str, Any]] = MappingProxyType({}),
) -> list[Tuning]:
    """A tuning for each dataset and trained method, all with as many trials.

    Args:
        datasets: each by a name of its own.
        methods: names of the table; a baseline has nothing to tune.
        trials: of each.
        seed: of the study; see ``SEED``.
        settings: of training, but for what is searched.
        changes: to the methods' negative settings.
        given: settings of training that a person gave: like ``changes`` they are not searched.
        folder: of the summaries.
        tuned: settings of a dataset and a method by themselves, where the search begins.

    Raises:
        InputError: a method has nothing left to search, what is given leaves no room for what is searched, or a
            setting needs a split in time that a dataset has not.
    """
    some("datasets", datasets)
    some("methods", methods)
    whole("trials", trials, 1, TRIALS)
    whole("seed", seed, 0, SEEDS)
    folder, methods = Path(folder), method_names(",".join(methods))
    found, settings = [], settings.replaced(refit=False)  # a trial ends with validation
    for data in datasets:
        check_settings(data, settings)
        for method in usable(data, [each for each in methods if not is_baseline(each)]):
            job = Job(data, method, SEED + seed, settings, negative_settings(method, changes))
            job = tuned_job(job, tuned.get((data.name, method), {}))
            space = {key: each for key, each in METHODS[method].space.items() if key not in {*changes, *given}}
            if not space:
                raise InputError(f"nothing is left to tune for {method}: all that could be searched is given by --set")
            fixed = {key: value for key, value in job.negatives.items() if key not in space}
            for key in space:
                narrowed(key, space, fixed)
            found.append(Tuning(job, space, trials, folder))
    return found


@guarded
def tune_all(
    tunings: Sequence[Tuning],
    *,
    at_once: int = 1,
    on: Backend = LOCAL,
    watch: Callable[[Tuning, Any], None] = lambda tuning, said: None,
    on_line: Callable[[str], None] = lambda line: None,
    failed: dict[tuple[str, str], str] | None = None,
) -> dict[tuple[str, str], dict[str, Any]]:
    """Do what is left of ``tunings``; returns the best settings of each, by dataset and method.

    Args:
        tunings: from :func:`plan_tunings`.
        at_once: tunings at a time, each in a process of its own; the trials of one come one after another, so that
            what they try does not depend on which is faster.
        on: where they are done.
        watch: called with what a tuning reports (see :meth:`Tuning.run`), and with None when it is done.
        on_line: called with other messages, a line at a time.
        failed: where to note, by dataset and method, why a search found nothing; None: that is an error, at the end.

    Raises:
        FailedError: a search found nothing.
        InputError: see :meth:`Tuning.run`.
    """
    at_once = min(whole("at_once", at_once, 1, 10**6), len(tunings))
    lost: dict[str, str] = {}

    def do(some_of_them: list[Tuning], **where: Any) -> None:
        def on_message(number: int, message: Any) -> None:
            if isinstance(message, Lost):
                lost[some_of_them[number].stem] = message.reason
            else:
                watch(some_of_them[number], message)

        run_tasks(some_of_them, on_message, on_line, **where)

    left = [each for each in tunings if each.left]
    do([each for each in tunings if not each.left])  # reported here: no process is worth it
    do(left, at_once=at_once, on=on)
    found, why = {}, {}
    for each in tunings:
        key = each.job.data.name, each.job.method
        if each.stem in lost:
            why[key] = f"in its tuning the {lost[each.stem]}; the same command carries on from its checkpoint"
            continue
        try:
            found[key] = each.best().params
        except FailedError as error:
            (why[key],) = error.lines
    if failed is not None:
        failed |= why
    elif why:
        raise FailedError([f"{name} {method}: {reason}" for (name, method), reason in why.items()])
    return found


def check_alone(tuning: Tuning) -> None:
    """Refuse a folder that holds another search: its ``best.json`` would be replaced.

    Raises:
        InputError: names what differs; or a file of the other is damaged.
    """
    ours = tuning.job.config() | {"space": {key: str(each) for key, each in tuning.space.items()}}
    for path in sorted(tuning.folder.glob(f"*.{LIST}")):
        name = path.name.removesuffix(f".{LIST}")
        if name != tuning.stem:
            other = settled(path, "tuning", lambda listed, name=name: listed.read_json(f"{name}.json"))  # type: ignore[misc]
            raise InputError(
                f"{tuning.folder} holds a search by other settings ({differs(other, ours)}); choose another --out, or "
                "delete it"
            )


def write_best(tuning: Tuning) -> Path:
    """``best.json`` beside the summary: the settings that were found, all of them. Returns its path.

    Raises:
        FailedError: see :meth:`Tuning.best`.
    """
    best = tuning.best()
    job = tuned_job(tuning.job, best.params)
    found = {
        "dataset": job.data.name,
        "dataset_fingerprint": job.data.fingerprint,
        "method": job.method,
        "settings": job.settings.resolved().flat(),
        "negatives": job.negatives,
        "params": best.params,
        "objective": SELECTED_BY,
        "value": best.value,
        "best_epoch": best.best_epoch,
        "trial": best.number,
        "ndcg": best.ndcg,
        "trials": tuning.planned,
    }
    tuning.write("best.json", found)
    return tuning.folder / "best.json"
