"""Can it be done? Runs that cannot fit in memory, or whose settings do not go together, are refused before any work."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from negsample.errors import InputError
from negsample.models.baselines import is_baseline
from negsample.runs.job import Job, default_device
from negsample.studies.forecast.needs import PROCESS, Needs, drawn_by, needs_of, positions_of
from negsample.studies.forecast.system import available_memory
from negsample.studies.forecast.words import in_bytes
from negsample.training.score import MIB
from negsample.training.vectors import check_whole

Group = Sequence[Job]
"""Jobs that are trained together; often one."""


def check_fits(groups: Sequence[Group], at_once: int = 1, *, memory: bool = True) -> None:
    """Refuse, before any work, runs that cannot be: for lack of memory, or as their settings do not go together.

    Takes the large parts (:func:`~negsample.studies.forecast.needs.needs_of`) of the largest groups, as many as are
    done at a time, less this process where it does the work itself. On a GPU: its free memory for all but the process,
    which stays with the CPU. (Where the system does not say what memory there is, nothing is refused for lack of it.)
    ``memory``: False for work that other machines do.

    Raises:
        InputError: what is wrong; for memory what is largest, what there is, and what would help.
    """
    needs: dict[tuple[str, str, int], Needs] = {}
    for size, group in {_size(group): group for group in groups}.items():
        job, needs[size] = group[0], needs_of(group[0], len(group))
        if not is_baseline(job.method):
            sizes = positions_of(job)
            drawn = drawn_by(job, sizes.likely)
            check_whole(sizes.likely, drawn.k, drawn.needs, job.settings.machine.score_memory * MIB // len(group))
    if not needs or not memory:
        return
    largest = sorted(groups, key=lambda group: needs[_size(group)].peak, reverse=True)[:at_once]
    most, at_once = needs[_size(largest[0])], len(largest)
    needed = sum(needs[_size(group)].peak for group in largest)
    there: int | None
    if default_device().type == "cuda":
        there, where = torch.cuda.mem_get_info()[0], "of the GPU's memory "
    else:
        there, needed, where = available_memory(), needed + (at_once * PROCESS if at_once > 1 else 0), ""
    if there is not None and needed > there:
        raise InputError(_refusal(largest[0], most, at_once, f"{in_bytes(there)} {where}is available", needed))


_PARTS = {
    "square": "a number for every two items",
    "table": "the item table with its optimizer state",
    "rest": "the rest of the model",
    "step": "a step",
    "kept": "kept batches",
    "terms": "what terms are made of",
}


def _refusal(group: Group, needs: Needs, at_once: int, there: str, needed: int) -> str:
    job, part = group[0], needs.largest()
    several = f" ({at_once} at once)" if at_once > 1 else ""
    several = f" ({len(group)} runs together{several})" if len(group) > 1 else several
    ways = ["fewer --jobs"] * (at_once > 1) + ["a lower --together"] * (len(group) > 1)
    smallest = job.settings.training.table_optimizer == "adagrad" and job.settings.model.table_dtype == "bfloat16"
    ways += {
        "table": ["table=rows table_optimizer=adagrad table_dtype=bfloat16"] * (not smallest)
        + ["a smaller dim", "several processes (table=sharded)"],
        "rest": ["a smaller dim", "fewer blocks"],
        "step": ["a smaller batch_size, max_length or dim"]
        + ["fewer negatives", "a lower score_memory"] * (job.method != "full-ce"),
        "kept": ["a smaller oversampling_factor"],
        "terms": ["--terms none", "no terms="],
        "square": ["fewer items (--min-item-events)"],
    }[part]
    return (
        f"not enough memory: {job.method} on {job.data.name} needs about {in_bytes(needed)}{several} and {there}; the "
        f"largest part is {_PARTS[part]}: {in_bytes(getattr(needs, part))}; take {', or '.join(ways)}"
    )


def _size(group: Group) -> tuple[str, str, int]:
    return group[0].data.name, group[0].method, len(group)
