"""A MODEL folder read and checked, or a finished run: a recommender that answers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from safetensors import safe_open

from negsample.data.dataset import Dataset
from negsample.data.until import in_memory, known_until
from negsample.errors import InputError, guarded
from negsample.evaluation.finite import all_finite
from negsample.files.checksums import LIST, Checksums, read_list
from negsample.files.together import settled
from negsample.models import Backbone
from negsample.models.baselines import is_baseline
from negsample.models.build import set_terms
from negsample.models.terms import TermWeights
from negsample.parallel.processes import current
from negsample.rules import is_rule
from negsample.rules.rule import cut_time
from negsample.runs.items import ITEMS
from negsample.runs.job import Job, build_model, default_device, divided
from negsample.runs.load import load_run
from negsample.runs.weights import MODEL, load_weights
from negsample.serving.model import ABOUT, TABLE, About, Member, about_of, is_model, job_of
from negsample.serving.recommender import Recommender
from negsample.studies.forecast.system import available_memory

_IDS = (pl.Int64, pl.String)
_BYTES_OF_A_ROW = 100
"""What reading a row may take; of an event the arrays and orders of a dataset."""


@guarded
def load_model(folder: Path, data: Dataset | None = None) -> Recommender:
    """The recommender in the MODEL folder, or the model of a finished run as it was tested, ready to answer.

    Args:
        folder: made by ``negsample final``, or of a run, ``STUDY/runs/...``.
        data: what a run was trained on. (default: the dataset where it was then, or in the study around it; a MODEL
            needs none)

    Example:
        >>> model = load_model("MODEL")  # doctest: +SKIP
        >>> model.recommend({"ann": ["84029E", "71053"]}, k=5)  # doctest: +SKIP

    Raises:
        InputError: there is none, a file of it is damaged, or it needs a plugin.
    """
    folder = Path(folder)
    if not is_model(folder):
        if (folder / "study.json").exists():
            raise InputError(f"{folder} is a study; `negsample final {folder} --out MODEL` makes a model of it")
        if not folder.exists():
            raise InputError(f"{folder} does not exist; give a MODEL, made by `negsample final STUDY --out MODEL`")
        if not (folder / "config.json").exists():
            raise InputError(f"{folder} holds no model ({ABOUT}); `negsample final STUDY --out MODEL` makes one")
        return _of_run(folder, data)
    if data is not None:
        raise InputError(f"{folder} is a MODEL, which has its own events; leave data out")
    processes = current()
    if processes is None:
        return settled(folder / LIST, "model", _checked)
    processes.by_first(lambda: settled(folder / LIST, "model", _check))
    listed = read_list(folder / LIST, "model")
    processes.same(f"the files that are seen in {folder}", str(sorted(listed.files.items())))
    return _read(listed)


def _check(listed: Checksums) -> None:
    for name in listed.files:
        listed.check(name)
        if (listed.folder / name).is_symlink():
            raise listed.damaged(name, "it is a link")


def _checked(listed: Checksums) -> Recommender:
    _check(listed)
    return _read(listed)


def _read(listed: Checksums) -> Recommender:
    about, folder = listed.read_as(About, ABOUT), listed.folder
    items = _table(listed, ITEMS, about.items, {"item": _IDS, "events": [pl.Int64], "targets": [pl.Int64]})
    users = _table(listed, "users.parquet", about.users, {"user": _IDS})
    item_ids, user_ids = _ids(listed, ITEMS, items), _ids(listed, "users.parquet", users)
    known = _events(listed, about)
    job = job_of(about, known)
    models = [_member(listed, job, member) for member in about.members]
    return Recommender(folder, about, models, known, item_ids, user_ids, np.append(0, items["targets"].to_numpy()))


def _member(listed: Checksums, job: Job, member: Member) -> Backbone:
    if member.weights not in listed.files:
        raise listed.damaged(ABOUT, f"{member.weights} is not among the files")
    _check_sizes(listed, job, member.weights)
    model, processes = build_model(divided(job._replace(seed=member.seed)), default_device()), current()
    load_weights(model, listed.folder, member.weights, kind="model")
    finite = all_finite(model.state_dict().values())
    if not (finite if processes is None else processes.all_say(finite)):
        raise listed.damaged(member.weights, "it has numbers that are not finite")
    if member.terms:
        try:
            set_terms(model, TermWeights.of(member.terms).to(default_device()))
        except Exception as error:  # torch has errors of many kinds
            raise listed.damaged(ABOUT, f"terms: {error}") from None
    return model


def _check_sizes(listed: Checksums, job: Job, file: str) -> None:
    """Before a model is made as large as its settings say: so large the file is."""
    try:
        with safe_open(listed.folder / file, "pt") as stored:
            shapes = {name: stored.get_slice(name).get_shape() for name in stored.keys()}  # noqa: SIM118
    except Exception as error:  # safetensors has errors of its own
        raise listed.damaged(file, error) from None
    of = job.settings.model
    sizes = {math.prod(shape) for shape in shapes.values()}
    table = shapes.get(TABLE, [])
    if is_baseline(job.method):
        return  # its weights have no size
    wanted = [job.data.catalogue_size + 1, of.dim]
    if table != wanted:
        raise listed.damaged(file, f"a table of shape {table}, the settings say {wanted}")
    blocks = getattr(of, "blocks", 1)
    if blocks > len(shapes) or (of.backbone == "sasrec" and of.max_length * of.dim not in sizes):
        raise listed.damaged(file, f"no weights for blocks={blocks} and max_length={of.max_length}")


def _table(listed: Checksums, file: str, rows: int, columns: Mapping[str, Sequence[Any]]) -> pl.DataFrame:
    """A Parquet file with these columns of one of these types each, and no nulls."""
    path = listed.folder / file
    try:
        scanned = pl.scan_parquet(path, glob=False, hive_partitioning=False)
        schema, found = scanned.collect_schema(), scanned.select(pl.len()).collect().item()
        if found != rows:
            raise listed.damaged(file, f"{found:,} rows, {ABOUT} says {rows:,}")
        if list(schema) != list(columns) or any(schema[name] not in columns[name] for name in columns):
            raise listed.damaged(file, f"its columns are {dict(schema)}")
        free, needed = available_memory(), _BYTES_OF_A_ROW * rows
        if free is not None and needed > free:
            raise InputError(
                f"{path} has {rows:,} rows, which take {needed / 2**30:.1f} GiB; {free / 2**30:.1f} are free"
            )
        frame = scanned.collect()
    except (pl.exceptions.PolarsError, OSError, pl.exceptions.PanicException) as error:
        raise listed.damaged(file, str(error).splitlines()[0]) from None
    if any(frame.null_count().row(0)):
        raise listed.damaged(file, "it has nulls")
    return frame


def _ids(listed: Checksums, file: str, frame: pl.DataFrame) -> pl.Series:
    ids = frame.to_series(0)
    if ids.n_unique() != len(ids):
        raise listed.damaged(file, "an id is there twice")
    return ids


def _events(listed: Checksums, about: About) -> Dataset:
    file = "events.parquet"
    columns: dict[str, list[Any]] = {"user": [pl.Int32], "item": [pl.Int32], "time": [pl.Int64]}
    if about.manifest.weight is not None:
        columns["weight"] = [pl.Int32]
    user, item, time, *weights = (column.to_numpy() for column in _table(listed, file, about.events, columns))
    if user.min() < 0 or user.max() >= about.users or item.min() < 1 or item.max() > about.items:
        raise listed.damaged(file, "it has users or items beyond their numbers")
    if ((user[1:] < user[:-1]) | ((user[1:] == user[:-1]) & (time[1:] < time[:-1]))).any():
        raise listed.damaged(file, "events are not in the order of users and times")
    if time.min() < 0 or time.max() >= about.until:
        raise listed.damaged(file, "it has times that are not before those of the model")
    if weights and weights[0].min() < 1:
        raise listed.damaged(file, "it has weights below 1")
    events = (user, item, time)
    return in_memory(about.manifest, listed.folder, events, about.users, about.items, about.until, *weights)


def _of_run(folder: Path, data: Dataset | None) -> Recommender:
    """The model of a finished run as it was tested, with what was known then."""
    loaded = load_run(folder, data)
    if is_rule(loaded.model):
        raise InputError(f"{folder} is a run of {loaded.job.method}, a rule; give one of a trained method, or of Terms")
    job = loaded.job.refitted() if loaded.job.refits else loaded.job
    if not job.data.in_time:
        raise InputError(
            f"{folder} was not tested as of a moment, but with split={job.data.split}; make a MODEL of it, which knows "
            f"all events (negsample final)"
        )
    until = cut_time(job.data, "test")
    known = known_until(job.data, until)
    member = Member(weights=MODEL, seed=loaded.job.seed, epochs=0, terms=loaded.run.metrics["terms"].get("weights", {}))
    about = about_of([loaded.run], [member], known, until)
    targets = job.catalogue(default_device()).target_weights.cpu().numpy()
    return Recommender(folder, about, [loaded.model], known, job.data.item_ids(), job.data.user_ids(), targets)
