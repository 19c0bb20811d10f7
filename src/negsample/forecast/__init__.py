"""What a study will need, said before it begins; what cannot fit is refused before any work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch

from negsample.config import ROWS_FROM, InputError
from negsample.forecast.memory import available_memory
from negsample.forecast.needs import PROCESS, Needs, drawn_by, needs_of, positions_of, table_bytes
from negsample.forecast.pace import Pace, pace_of
from negsample.forward import check_whole
from negsample.job import Job, default_device
from negsample.methods import POPREC, Catalogue, catalogue_of
from negsample.score import MIB
from negsample.workers import cores

__all__ = ["Forecast", "Line", "Needs", "Pace", "check_fits", "forecast", "in_bytes", "in_time", "needs_of", "pace_of"]

Group = Sequence[Job]
"""Jobs that are trained together; often one."""

_START = 3.0  # seconds until a process of its own works


class Line(NamedTuple):
    """Of the runs of one method on one dataset: how many there are to do, bytes of the process of one (or of those
    that are trained together), seconds of a step and of a run."""

    dataset: str
    method: str
    runs: int
    memory: int
    pace: Pace
    seconds: float


class Forecast(NamedTuple):
    """``tables``: of each dataset, in words. ``memory``: bytes of all processes. ``seconds``: until all is done."""

    tables: list[str]
    lines: list[Line]
    memory: int
    seconds: float


def check_fits(groups: Sequence[Group], at_once: int = 1, *, memory: bool = True) -> None:
    """Refuse, before any work, runs that cannot be: for lack of memory, or as their settings do not go together.

    Takes the largest peak times the groups at a time, less this process where it does the work itself. On a GPU: its
    free memory for all but the process, which stays with the CPU. (Where the system does not say what memory there
    is, nothing is refused for lack of it.) ``memory``: False for work that other machines do.

    Raises:
        InputError: what is wrong; for memory what is largest, what there is, and what would help.
    """
    needs = []
    for group in _unlike(groups):
        job = group[0]
        needs.append((group, needs_of(job, len(group))))
        if job.method != POPREC:
            sizes = positions_of(job)
            drawn = drawn_by(job, sizes.likely)
            check_whole(sizes.likely, drawn.k, drawn.needs, job.settings.score_memory * MIB // len(group))
    if not needs or not memory:
        return
    at_once = min(at_once, len(groups))
    group, most = max(needs, key=lambda pair: pair[1].peak)
    if default_device().type == "cuda":
        there: int | None = torch.cuda.mem_get_info()[0]
        needed, where = at_once * most.peak, "of the GPU's memory "
    else:
        there, where = available_memory(), ""
        needed = at_once * most.peak + (at_once * PROCESS if at_once > 1 else 0)
    if there is None or needed <= there:
        return
    several = f" ({at_once} at once)" if at_once > 1 else ""
    several = f" ({len(group)} runs together{several})" if len(group) > 1 else several
    name = most.largest()
    raise InputError(
        f"not enough memory: {group[0].method} on {group[0].data.name} needs about {in_bytes(needed)}{several} and "
        f"{in_bytes(there)} {where}is available; the largest part is {_PARTS[name]}: {in_bytes(getattr(most, name))}; "
        f"take {', or '.join(_ways_out(group, name, at_once))}"
    )


_PARTS = {
    "table": "the item table and what it learns by",
    "rest": "the rest of the model",
    "step": "a step",
    "evaluation": "evaluation",
    "kept": "kept batches",
}


def _ways_out(group: Group, part: str, at_once: int) -> list[str]:
    settings = group[0].settings
    ways = ["fewer --jobs"] if at_once > 1 else []
    ways += ["a lower --together"] if len(group) > 1 else []
    if part == "table":
        least = settings.table_optimizer == "adagrad" and settings.table_dtype == "bfloat16"
        ways += [] if least else ["table=rows table_optimizer=adagrad table_dtype=bfloat16"]
        ways += ["a smaller dim"]
    elif part == "step":
        ways += ["a smaller batch_size, max_length or dim"]
        ways += ["fewer negatives", "a lower score_memory"] if group[0].method != "full-ce" else []
    elif part == "kept":
        ways += ["a smaller oversampling_factor"]
    elif part == "rest":
        ways += ["a smaller dim", "fewer blocks"]
    else:
        ways += ["a smaller dim" if settings.history == "frozen" else "history=frozen"]
    return ways


def forecast(groups: Sequence[Group], at_once: int = 1) -> Forecast:
    """What is to be said of ``groups``; each method is tried for about a second on each dataset.

    Raises:
        InputError: settings do not go together, or there is nothing to measure on.
    """
    at_once = min(at_once, len(groups))
    threads = max(1, cores() // max(at_once, 1))
    catalogue: tuple[str, Catalogue] | None = None  # of the last dataset, which is usually that of the next method
    found: dict[tuple[str, str], Line] = {}
    tables: dict[str, str] = {}
    for group in groups:
        job, key = group[0], _key(group)
        if job.method == POPREC:
            continue
        if key not in found:
            if catalogue is None or catalogue[0] != job.data.name:
                catalogue = (
                    job.data.name,
                    catalogue_of(job.data, job.settings.max_length, default_device(), windows=job.settings.windows),
                )
            tables[job.data.name] = _table(job)
            pace = pace_of(job, catalogue[1], threads=threads)
            found[key] = Line(*key, 0, 0, pace, pace.run(job.settings))
        line, memory = found[key], PROCESS + needs_of(job, len(group)).peak
        found[key] = line._replace(runs=line.runs + len(group), memory=max(line.memory, memory))
    of_groups = [len(group) * found[_key(group)].seconds for group in groups if _key(group) in found]
    seconds = max(sum(of_groups) / max(at_once, 1), max(of_groups, default=0.0))
    memory = max((line.memory for line in found.values()), default=PROCESS)
    if at_once > 1:
        seconds, memory = seconds + _START, at_once * memory + PROCESS
    return Forecast(list(tables.values()), list(found.values()), memory, seconds)


def _key(group: Group) -> tuple[str, str]:
    return group[0].data.name, group[0].method


def _unlike(groups: Sequence[Group]) -> list[Group]:
    """One group of each method, dataset and size."""
    return list({(*_key(group), len(group)): group for group in groups}.values())


def _table(job: Job) -> str:
    settings, items = job.settings, job.data.catalogue_size
    kind = settings.table_at(items)
    if settings.table is not None:
        why = "as set"
    else:
        why = f"{'fewer than' if kind == 'dense' else 'at least'} {ROWS_FROM:,} items"
    what = kind if kind == "dense" else f"rows by {settings.table_optimizer}, {settings.table_dtype}"
    return f"{job.data.name}: table {what} ({why}), {in_bytes(sum(table_bytes(settings, items)))}"


def in_bytes(size: int) -> str:
    """``size`` for a person: MB or GB of powers of ten."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{size / 1e6:,.0f} MB"


def in_time(seconds: float) -> str:
    """``seconds`` for a person, to about two digits."""
    if seconds < 100:
        return f"{math.ceil(seconds):.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 10 * 3600 else f"{seconds / 3600:,.0f} h"
