"""What will a study need? A forecast before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from negsample.execution.processes import threads_of
from negsample.methods import Catalogue
from negsample.models.baselines import is_baseline
from negsample.runs.job import Job, default_device, stops_early
from negsample.runs.machine import cores
from negsample.settings import ROWS_FROM
from negsample.studies.forecast.fits import Group
from negsample.studies.forecast.needs import PROCESS, needs_of, table_bytes
from negsample.studies.forecast.rules import seconds_of_rule, takes_long
from negsample.studies.forecast.system import Busy, available_memory, watch_others
from negsample.studies.forecast.trial import Pace, pace_of
from negsample.studies.forecast.words import in_bytes

Search = tuple[Job, int]
"""What a trial of a search is, and how many there are to do."""

_START = 3.0  # seconds until a process of its own works


class Line(NamedTuple):
    """Of one method on one dataset: how many runs and trials there are to do, bytes of the process of one (or of those
    that are trained together), seconds of a step, of a run and of a trial that is not stopped early. ``pace``: None of
    a baseline, which has no steps."""

    dataset: str
    method: str
    runs: int
    trials: int
    memory: int
    pace: Pace | None
    seconds: float
    trial_seconds: float


class Forecast(NamedTuple):
    """``tables``: of each dataset, in words. ``memory``: bytes of all processes. ``seconds``: of training and
    evaluation, those of the searches included, which take ``searching`` if no trial is stopped early. ``threads``: with
    which a step was measured, and a run will be done. ``busy``: the machine meanwhile. ``alone``: seconds of a step of
    the first line with one thread, measured where the machine was busy and there are more. ``refits``: runs train for
    the chosen epochs again. Not in the seconds: ``fits``, weights of terms are fitted after runs; ``baselines``, there
    are some that take seconds. ``jobs``: so many runs could be done at a time on this machine, where one is.
    ``stops``: trainings may stop early, and are counted with all epochs."""

    tables: list[str]
    lines: list[Line]
    memory: int
    seconds: float
    searching: float
    threads: int
    busy: Busy | None
    alone: float | None
    refits: bool = False
    fits: bool = False
    baselines: bool = False
    jobs: int = 1
    stops: bool = False


def forecast(
    groups: Sequence[Group], at_once: int = 1, *, searches: Sequence[Search] = (), searches_at_once: int = 1
) -> Forecast:
    """What is to be said of ``groups``; each method is tried for about a second on each dataset. Of the baselines EASE
    alone has a line: the others take seconds.

    It is tried with the threads that a run will have (:func:`negsample.execution.processes.threads_of`).

    Args:
        groups: what is left to do.
        at_once: how many of the whole study are done at a time, however few are left.
        searches: trials before them; one after another within each.
        searches_at_once: how many searches are done at a time.

    Raises:
        InputError: settings do not go together, or there is nothing to measure on.
    """
    threads = threads_of(at_once if groups else searches_at_once)
    todo: dict[tuple[str, str], list[tuple[Job, int, int]]] = {}
    for each in (*((group[0], len(group), 0) for group in groups), *((job, 0, trials) for job, trials in searches)):
        if not is_baseline(each[0].method):
            todo.setdefault(_key(each[0]), []).append(each)
    lines: dict[tuple[str, str], Line] = {}
    tables: dict[str, str] = {}
    catalogues: dict[str, Catalogue] = {}
    others, alone = watch_others(), None
    for key, parts in todo.items():
        job, name = parts[0][0], key[0]
        tables[name] = _table(job)
        if name not in catalogues:
            catalogues = {name: job.catalogue(default_device())}  # of one dataset: the next is usually the same
        pace = pace_of(job, catalogues[name], threads=threads)
        if not lines and threads > 1 and (busy := others()) is not None and busy.much:
            alone = pace_of(job, catalogues[name], threads=1).step
        memory = max(_memory(job, pace, max(runs, 1)) for job, runs, _ in parts)
        runs, trials = sum(runs for _, runs, _ in parts), sum(trials for _, _, trials in parts)
        a_trial = pace.run(job.settings.replaced(refit=False)) - pace.end
        lines[key] = Line(*key, runs, trials, memory, pace, pace.run(job.settings), a_trial)
    for job in (group[0] for group in groups if takes_long(group[0])):
        seconds = seconds_of_rule(job, threads=threads)
        lines[_key(job)] = Line(*_key(job), 1, 0, PROCESS + needs_of(job).peak, None, seconds, 0.0)
    of_groups = [len(group) * lines[key].seconds for group in groups if (key := _key(group[0])) in lines]
    searching = _shared([trials * lines[_key(job)].trial_seconds for job, trials in searches], searches_at_once)
    of_runs = [lines[key].memory if (key := _key(group[0])) in lines else PROCESS for group in groups]
    of_searches = [lines[_key(job)].memory for job, _ in searches]
    memory = max(_largest(of_runs, at_once), _largest(of_searches, searches_at_once), PROCESS)
    return Forecast(
        list(tables.values()),
        list(lines.values()),
        memory,
        searching + _shared(of_groups, at_once),
        searching,
        threads,
        others(),
        alone,
        any(job.refits for group in groups for job in group),
        any(job.fits_terms for group in groups for job in group),
        any(is_baseline(group[0].method) and not takes_long(group[0]) for group in groups),
        _possible_jobs(groups, memory) if at_once == 1 else 1,
        any(stops_early(job) for job in (*(job for group in groups for job in group), *(job for job, _ in searches))),
    )


def _possible_jobs(groups: Sequence[Group], memory: int) -> int:
    """How many trained runs could be done at a time, by the cores and the memory there is; on a GPU one."""
    if default_device().type == "cuda":
        return 1
    trained = sum(not is_baseline(group[0].method) for group in groups)
    there = available_memory()
    return max(1, min(trained, cores(), trained if there is None else (there - PROCESS) // memory))


def _memory(job: Job, pace: Pace, together: int) -> int:
    """Bytes of the process that trains so many at a time: measured for the first, the large parts of the others."""
    if pace.memory is None:
        return PROCESS + needs_of(job, together).peak
    return pace.memory + (needs_of(job, together).peak - needs_of(job).peak)


def _largest(sizes: Sequence[int], at_once: int) -> int:
    """Bytes of the largest processes, ``at_once`` of them, beside this one; of one, which is this one."""
    largest = sorted(sizes, reverse=True)[: max(at_once, 1)]
    return sum(largest) + (PROCESS if len(largest) > 1 else 0)


def _shared(seconds: Sequence[float], at_once: int) -> float:
    """Until all is done, ``at_once`` at a time."""
    at_once = max(min(at_once, len(seconds)), 1)
    most = max(sum(seconds) / at_once, max(seconds, default=0.0))
    return most + _START if at_once > 1 else most


def _key(job: Job) -> tuple[str, str]:
    return job.data.name, job.method


def _table(job: Job) -> str:
    settings, items = job.settings, job.data.catalogue_size
    kind = settings.table(items)
    why = f"{'fewer than' if kind == 'dense' else 'at least'} {ROWS_FROM:,} items"
    if settings.model.table is not None:
        why = "as set"
    what = kind if kind == "dense" else f"rows by {settings.training.table_optimizer}, {settings.model.table_dtype}"
    return f"{job.data.name}: table {what} ({why}), {in_bytes(table_bytes(settings, items))}"
