"""What a study's folder holds beside its runs: ``study.json``, manifests, and the events that ranks are of."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data.blocks import spans
from negsample.data.dataset import Dataset
from negsample.data.description import seen_in_training
from negsample.data.popularity import COHORTS, popularity_order
from negsample.errors import InputError
from negsample.evaluation.figures import event_percentiles
from negsample.evaluation.queries import Queries, queries
from negsample.files.checksums import LIST
from negsample.files.folders import check_place, write_arrays, write_json
from negsample.files.together import rewriting, settled
from negsample.methods import POPREC
from negsample.models.baselines import is_baseline
from negsample.runs.job import Job
from negsample.runs.kept import KEPT
from negsample.runs.machine import machine
from negsample.runs.study_file import StudyFile
from negsample.studies.earlier import check_adds, has_work, other_settings, read_earlier, remove_earlier

_CURVE_POINTS = 400


def write_study(
    jobs: Sequence[Job], out: Path, note: Mapping[str, Any], *, oversampling: Sequence[Job] = (), replace: bool = False
) -> StudyFile:
    """Write ``study.json`` and the manifests, of ``jobs`` and what earlier commands added; returns what it says.

    Args:
        jobs: of the table.
        out: the study's folder, which this process has claimed.
        note: more to keep in ``study.json``.
        oversampling: jobs beside them.
        replace: a study of other settings is deleted.

    Raises:
        InputError: there is a study of other settings, or a file of it is damaged.
    """
    every, earlier = [*jobs, *oversampling], read_earlier(out)
    if other_settings(earlier, every, note) and (replace or not has_work(out, earlier)):
        remove_earlier(out, earlier, every)
        earlier = read_earlier(out)
    check_adds(out, earlier, every, note)
    before = earlier.runs | earlier.still_failed(jobs)
    configs = [job.config() for job in jobs] + list(before.values())
    seeds = {each["seed"] for each in configs if not is_baseline(each["method"])}
    methods = sorted(dict.fromkeys(each["method"] for each in configs), key=_last)
    datasets = {job.data.name: job.data for job in jobs}
    about = StudyFile(
        negsample=version("negsample"),
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        datasets=list(dict.fromkeys([*datasets, *earlier.manifests])),
        methods=methods,
        repeats=max(len(seeds), 1),
        settings=jobs[0].settings.resolved().flat(),
        runs=list(dict.fromkeys([*(job.name for job in jobs), *before])),
        oversampling=list(dict.fromkeys([*(job.name for job in oversampling), *earlier.oversampling])),
        machine=machine(),
        tunings=list(dict.fromkeys([*note.get("tunings", []), *earlier.about.get("tunings", [])])),
        **{key: value for key, value in note.items() if key != "tunings"},
    )
    with rewriting(out, "study", keep=lambda name: name.startswith("datasets/")) as scratch:
        (scratch / "datasets").mkdir()
        for data in datasets.values():
            own = next(job.settings for job in jobs if job.data.name == data.name)
            seen = seen_in_training(data, own)
            facts = data.manifest.model_dump(mode="json") | {"popularity_curve": popularity_curve(data), "seen": seen}
            write_json(scratch / "datasets" / f"{data.name}.json", facts)
            write_arrays(scratch / "datasets" / f"{data.name}.npz", measured_events(data))
        write_json(scratch / "study.json", about.model_dump(mode="json"))
    return about


def _last(method: str) -> int:
    """Baselines stand after all methods, PopRec last."""
    return 2 if method == POPREC else int(is_baseline(method))


def read_about(out: Path) -> StudyFile:
    """``study.json`` of the study in ``out``.

    Raises:
        InputError: a file of it is damaged.
    """
    return settled(out / LIST, "study", lambda listed: listed.read_as(StudyFile, "study.json"))


def measured_events(data: Dataset) -> dict[str, NDArray[Any]]:
    """What a report needs of the E measured test events, and of the validation events, in the order of their ranks.

    Returns:
        ``user_E``: a number a user, ascending; ``cohort_E``; ``percentile_E``: share of the train events
        that are of items less popular than this one; where the split is in time, ``time_E``: microseconds since 1970.
        Of a fold also ``person_E``: what tells the user apart in all folds, a number made of the log's id. Of
        validation ``valid_user_E``,
        ``valid_cohort_E``, and of a fold ``valid_person_E``.
    """
    asked, seen = (queries(data, part, history="frozen", max_length=1) for part in ("test", "valid"))
    found: dict[str, NDArray[Any]] = {
        "user_E": asked.query_E.astype(np.int32),
        "cohort_E": np.asarray(data.cohorts)[asked.targets_E],
        "percentile_E": event_percentiles(np.asarray(data.train_counts))[asked.targets_E].astype(np.float32),
        "valid_user_E": seen.query_E.astype(np.int32),
        "valid_cohort_E": np.asarray(data.cohorts)[seen.targets_E],
    }
    if data.in_time:
        users, begin = asked.windows.users, asked.known_until
        found["time_E"] = np.asarray(data.times[spans(begin, np.asarray(data.offsets[1:])[users] - begin)])
    if data.manifest.fold is None:
        return found
    return found | {"person_E": _persons(data, asked), "valid_person_E": _persons(data, seen)}


def _persons(data: Dataset, asked: Queries) -> NDArray[np.uint64]:
    """Of each event, a number of 64 bits for its user's id: users are numbered anew in each fold, and a study may get
    one fold at a time."""
    ids: list[str] = data.user_ids().gather(asked.windows.users).cast(pl.String).to_list()
    digests = b"".join(hashlib.blake2b(each.encode(errors="surrogatepass"), digest_size=8).digest() for each in ids)
    return np.frombuffer(digests, "<u8").astype(np.uint64)[asked.query_E]


def popularity_curve(data: Dataset) -> dict[str, Any]:
    """Train count against popularity rank (from 1), thinned to a few hundred ranks, with cohorts; ``total``: of all."""
    order = popularity_order(np.asarray(data.train_counts))
    ranks = np.unique(np.geomspace(1, len(order), _CURVE_POINTS).round().astype(np.int64))
    items = order[ranks - 1]
    return {
        "rank": ranks.tolist(),
        "total": int(np.asarray(data.train_counts).sum()),
        "count": np.asarray(data.train_counts)[items].tolist(),
        "cohort": [COHORTS[cohort] for cohort in data.cohorts[items]],
    }


def check_study_folder(folder: Path) -> None:
    """Refuses a folder that holds something else than a study, or a part of one, or whose name is no text.

    Raises:
        InputError: as it says.
    """
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        raise InputError(f"the name of {folder} is not UTF-8 text; choose another --out") from None
    check_place(folder)
    if not folder.is_dir() or (folder / "study.json").exists() or (folder / LIST).exists():
        return
    other = sorted(
        {each.name for each in folder.iterdir() if each.name[0] != "."} - {"runs", "datasets", "tuning", "failed", KEPT}
    )
    if other:
        raise InputError(f"{folder} holds no study but {other[0]}; choose another --out, a new folder")
