"""The paper's study: its datasets or what stands in for them, its six methods, its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from negsample.data.dataset import Dataset, is_prepared
from negsample.data.log.files import file_format, readable
from negsample.errors import InputError
from negsample.methods import PAPER_SIX, POPREC
from negsample.paper.presets import Preset, whose
from negsample.paper.published import DATASETS
from negsample.runs.job import Job
from negsample.settings import RunSettings
from negsample.studies.study import oversampled, plan
from negsample.studies.tuning import plan_tunings
from negsample.studies.tuning_task import Tuning

OVERSAMPLED = ("random", "adaptive-mixed")
"""The methods of the paper's Figure A1."""
FACTORS = (1, 3, 10, 20, 30, 50)
"""Its oversampling factors."""
RESPONSE = "random"
"""The method of its Figure 5."""


class Reproduction(NamedTuple):
    """What there is to do. ``jobs``: Table 3 and Figure 4. ``oversampling``: Figure A1, beside them. ``tunings``:
    Figure 5, of no use to the runs."""

    jobs: list[Job]
    oversampling: list[Job]
    tunings: list[Tuning]


def stand_ins(folder: Path) -> dict[str, Path]:
    """The logs and prepared datasets in ``folder`` that are one of the paper's datasets or stand in for it.

    By name: one that begins with the dataset's (``amazon-beauty-5core.parquet``), else one that begins with its first
    word (``movielens-100k.parquet`` for ``movielens-10m``).

    Raises:
        InputError: it is no folder, it holds none, or several of one dataset.
    """
    with readable(folder):
        if not folder.is_dir():
            raise InputError(f"--data {folder} is no folder; give one that holds logs named {', '.join(DATASETS)}")
        there = sorted(each for each in folder.iterdir() if _is_data(each))
    found = {}
    for name in DATASETS:
        closest = [each for each in there if each.name.lower().startswith(name)] or [
            each for each in there if each.name.lower().startswith(name.partition("-")[0])
        ]
        if len(closest) > 1:
            both = ", ".join(each.name for each in closest)
            raise InputError(f"{folder} holds several that could be {name}: {both}; leave one there")
        if closest:
            found[name] = closest[0]
    if not found:
        firsts = ", ".join(f"{name}*" for name in DATASETS)
        raise InputError(f"{folder} holds no log or prepared dataset named {firsts}; rename those that stand in")
    return found


def which_data(datasets: str | None, folder: Path | None) -> dict[str, str | Path]:
    """What to load for each of the paper's datasets, by its name.

    Args:
        datasets: some of the paper's or variants of them, with commas; None: all.
        folder: of logs and prepared datasets that are them or stand in for them; None: those that were fetched.

    Raises:
        InputError: an unknown name, two of one dataset, or what is asked for is not in ``folder``.
    """
    wanted = list(DATASETS) if datasets is None else [each.strip() for each in datasets.split(",") if each.strip()]
    named: dict[str, str | Path] = {whose(each).published: each for each in wanted if whose(each).known}
    if unknown := [each for each in wanted if named.get(whose(each).published) != each]:
        raise InputError(
            f"--datasets {unknown[0]!r} is none of the paper's, or a second of one; name each of these once at most: "
            f"{', '.join(DATASETS)}, or a variant such as amazon-beauty-sequences"
        )
    if folder is None:
        return named
    there = stand_ins(folder)
    if absent := [name for name in named if name not in there and datasets is not None]:
        raise InputError(f"--data {folder} has no {absent[0]}; there are: {', '.join(there)}")
    return {name: there[name] for name in named if name in there}


def _is_data(path: Path) -> bool:
    """Whether it is a log by its name, a folder of such parts, or a prepared dataset."""
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return is_prepared(path) or any(file_format(each) for each in path.iterdir())
    return file_format(path) is not None


def plan_reproduction(
    datasets: Mapping[str, Dataset],
    preset: Preset,
    *,
    repeats: int,
    seed: int,
    settings: RunSettings,
    changes: Mapping[str, Any],
    given: Sequence[str],
    factors: Sequence[int],
    trials: int,
    folder: Path,
) -> Reproduction:
    """All runs of the paper.

    Args:
        datasets: by the paper's name of what each is or stands in for.
        preset: with published settings.
        repeats: runs of each method.
        seed: the first.
        settings: of training that all have.
        changes: to the methods' negative settings.
        given: names of the settings that a person gave, which take precedence over the preset.
        factors: of Figure A1, run once each; none: it is left out.
        trials: of Figure 5, on the first of ``datasets``; 0: it is left out.
        folder: of its searches.

    Raises:
        InputError: two datasets have one name, or settings do not go together.
    """
    methods, loaded = preset.methods(PAPER_SIX), list(datasets.values())
    published = {data.name: name for name, data in datasets.items()}
    overrides = preset.overrides(published, [*methods, POPREC], given)
    common: dict[str, Any] = {"seed": seed, "settings": settings, "changes": changes, "tuned": overrides}
    jobs = plan(loaded, methods, repeats=repeats, **common)
    once = [job for job in jobs if job.method in OVERSAMPLED and job.seed == seed]
    tunings = []
    if trials:
        tunings = plan_tunings(loaded[:1], [RESPONSE], trials=trials, given=given, folder=folder, **common)
    return Reproduction(jobs, oversampled(once, factors), tunings)


def note_of(datasets: Mapping[str, Dataset], preset: Preset, found: Reproduction) -> dict[str, Any]:
    """What ``study.json`` keeps of a reproduction, for the report."""
    return {
        "preset": preset.name,
        "reproduces": {data.name: name for name, data in datasets.items()},
        "tunings": [tuning.stem for tuning in found.tunings],
    }


def what_is_missing(datasets: Mapping[str, Dataset], found: Reproduction) -> Iterator[str]:
    """What of the paper this will not show, a line each."""
    absent = [name for name in DATASETS if name not in datasets]
    if absent:
        yield f"Without {', '.join(absent)}: not there."
    for name, data in datasets.items():
        if data.name != name:
            yield f"{data.name} stands in for {name}: its figures are beside the published ones, and are no verdict."
    if not found.oversampling:
        yield "Without Figure A1: no --osf."
    if not found.tunings:
        yield "Without Figure 5: no --response."
