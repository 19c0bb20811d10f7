"""A MODEL with what came since: known at once without training, or trained on from its last weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from negsample.data.dataset import Dataset
from negsample.data.log import times
from negsample.data.log.read import Log
from negsample.data.until import in_memory
from negsample.errors import InputError, guarded, whole
from negsample.files.claims import claimed, clear, scratch_in
from negsample.files.folders import atomic_folder, check_place, writable
from negsample.files.together import rewriting
from negsample.models.baselines import is_baseline
from negsample.runs.job import Job, build_model, default_device
from negsample.runs.train import train_models
from negsample.runs.weights import save_weights
from negsample.serving.final import carried
from negsample.serving.load import load_model
from negsample.serving.model import TABLE, About, Member, is_model, job_of, list_model, write_model
from negsample.serving.new_items import neighbours_of_new, with_new
from negsample.serving.recommender import Recommender
from negsample.training.state import Epoch


class Joined(NamedTuple):
    """A recommender's events and those of a log after them.

    ``known``: both; ``item_ids``, ``user_ids``: the old ones first, with their numbers; ``until``: microseconds, just
    after the last event. ``added``: events that came to it; ``late``: events of the log that were not after those that
    the recommender knew, and were left out; ``items``, ``users``: how many are new.
    """

    known: Dataset
    item_ids: pl.Series
    user_ids: pl.Series
    until: int
    added: int
    late: int
    items: int
    users: int


def joined(recommender: Recommender, log: Log | None) -> Joined:
    """The events of ``recommender`` and those of ``log`` that came after; None: none did.

    Raises:
        InputError: the log's ids are of another kind, an event is in the future, or has no weight where those of the
            recommender have, or the other way round.
    """
    about, data = recommender.about, recommender.data
    _check_weight(data, log)
    frame = pl.DataFrame(schema=["user", "item", "time"]) if log is None else log.frame.collect()
    new = frame.filter(pl.col("time") >= about.until).sort("time", maintain_order=True)
    if len(new) and (last := new["time"][-1]) > times.latest():
        raise InputError(
            f"an event of the log is at {times.iso(last)}, in the future; all that is popular lately is as of the last "
            "event, so correct its time or leave it out"
        )
    if not len(new):
        return Joined(data, recommender.item_ids, recommender.user_ids, about.until, 0, len(frame), 0, 0)
    item_ids = _with_new(recommender.item_ids, new["item"], "item")
    user_ids = _with_new(recommender.user_ids, new["user"], "user")
    users = np.concatenate([np.repeat(np.arange(data.users), np.diff(data.offsets)), _numbers(user_ids, new["user"])])
    items = np.concatenate([data.items, _numbers(item_ids, new["item"]) + 1])
    moments = np.concatenate([data.times, new["time"].to_numpy()])
    order = np.argsort(users, kind="stable")  # of one user the new ones are later already
    events = (users[order], items[order], moments[order])
    weights = None if data.weights is None else np.append(data.weights, new["weight"].to_numpy())[order]
    until = int(moments.max()) + 1
    return Joined(
        in_memory(data.manifest, data.folder, events, len(user_ids), len(item_ids), until, weights),
        item_ids,
        user_ids,
        until,
        len(new),
        len(frame) - len(new),
        len(item_ids) - len(recommender.item_ids),
        len(user_ids) - len(recommender.user_ids),
    )


def _check_weight(data: Dataset, log: Log | None) -> None:
    if log is None or (log.weight is None) == (data.weights is None):
        return
    if log.weight is None:
        raise InputError(
            f"the model's events count by a column ({data.manifest.weight}); name that of the log with --weight COL"
        )
    raise InputError("the model's events all count the same; leave weight (--weight) out")


def _with_new(ids: pl.Series, found: pl.Series, role: str) -> pl.Series:
    """``ids``, and after them what is new in ``found``, in its order."""
    if ids.dtype == pl.Int64 and found.dtype != pl.Int64:  # as a CSV file is read
        whole = found.cast(pl.Int64, strict=False)
        text = found.filter(whole.is_null() | (whole.cast(pl.String) != found))
        if len(text):
            raise InputError(
                f"{role} ids are whole numbers in the model, and text in the log, such as '{text[0]}'; give a log of "
                "the same ids"
            )
    some = pl.DataFrame({"id": found.cast(ids.dtype)}).unique(maintain_order=True)
    new = some.join(pl.DataFrame({"id": ids}), on="id", how="anti", maintain_order="left")
    return pl.concat([ids, new["id"].rename(ids.name)])


def _numbers(ids: pl.Series, found: pl.Series) -> np.ndarray[Any, Any]:
    """Of each of ``found`` its place among ``ids``."""
    places = pl.DataFrame({"id": ids, "at": np.arange(len(ids))})
    at = pl.DataFrame({"id": found.cast(ids.dtype)}).join(places, on="id", how="left", maintain_order="left")["at"]
    return at.to_numpy()


@guarded
def refresh(folder: Path, log: Log, out: Path | None = None) -> Joined:
    """Let the MODEL in ``folder`` know the events of ``log``, without training; returns what is new.

    Popularity, users' own items and neighbours count them. The vector of a new item is a mean of those of its
    neighbours, see :mod:`negsample.serving.new_items`.

    Args:
        folder: of the MODEL.
        log: of the same ids; what is not after the events that the model knows is left out. Where nothing is, nothing
            changes.
        out: a new folder for it. (default: in the place of the old one, in one step)

    Example:
        >>> refresh("MODEL", read_log("today.csv")).added  # doctest: +SKIP

    Raises:
        InputError: as of :func:`joined`, there is no MODEL, or the folder cannot be written.
    """
    folder, out = Path(folder), None if out is None else Path(out)
    recommender = _of_model(folder)
    if out is not None:
        check_place(out, new=True)
    found = joined(recommender, log)
    if out is None and not found.added:
        return found
    targets = np.append(recommender.target_counts, np.zeros(found.items, np.int64))
    about = _about(recommender.about, found, untrained=recommender.about.untrained + found.items)
    where = (
        rewriting(folder, "model", found.known.fingerprint, lambda name: False) if out is None else atomic_folder(out)
    )
    with writable(out or folder, "choose another --out"), where as scratch:
        shares = neighbours_of_new(found.known, about.untrained) if about.untrained else None
        for member in about.members:
            weights = _widened(load_file(folder / member.weights), found.items)
            if shares is not None and weights[TABLE].ndim == 2:
                weights[TABLE] = with_new(weights[TABLE], shares)
            save_file(weights, scratch / member.weights)
        write_model(scratch, about, found.known, found.item_ids, found.user_ids, targets)
        if out is not None:
            list_model(scratch, found.known)
    return found


@guarded
def train_on(
    folder: Path,
    log: Log | None,
    out: Path,
    *,
    epochs: int | None = None,
    watch: Callable[[Job, Epoch], None] = lambda job, epoch: None,
) -> Joined:
    """Train the MODEL in ``folder`` on, on its events and those of ``log``, and write the new MODEL ``out``.

    Args:
        folder: of the MODEL.
        log: as of :func:`refresh`. None: on the events that it knows, such as those of a refresh.
        out: a new folder; what was stopped is carried on.
        epochs: over all events. (default: a quarter of those of its first training, at least one)
        watch: called after each epoch.

    Raises:
        InputError: as of :func:`refresh`.
    """
    folder, out = Path(folder), Path(out)
    recommender = _of_model(folder)
    found, about = joined(recommender, log), recommender.about
    if epochs is not None:
        whole("epochs", epochs, 1, 100_000)
    if is_baseline(about.method):
        raise InputError(f"{folder} has no model to train on: it is {about.method}; `negsample refresh` is enough")
    with claimed([out]) as places:
        if places is None:
            raise InputError(f"another process is making {out}; wait for it, or choose another --out")
        check_place(out, new=True)
        (place,), members = places, list[Member]()
        for member in about.members:
            job = job_of(about, found.known, member.seed)
            many = epochs or max(round(member.epochs / 4), 1)
            model = build_model(job, default_device())
            old = load_file(folder / member.weights)
            before, now = model.state_dict(), _widened(old, found.items)
            if untrained := about.untrained + found.items:
                now[TABLE][-untrained:] = before[TABLE][-untrained:]
            model.load_state_dict(now)
            trained_in = place / member.weights.removesuffix(".safetensors")
            trained_in.mkdir(exist_ok=True)
            train_models([job], [model], [trained_in], watch, refit=[many])
            save_weights(model, place / member.weights)
            terms = carried(member.terms, about.settings["terms"], old, model)
            members.append(member.model_copy(update={"trained_on": member.trained_on + many, "terms": terms}))
        scratch = scratch_in(place)
        for member in members:
            (place / member.weights).rename(scratch / member.weights)
        targets = job_of(about, found.known).catalogue(default_device()).target_weights.cpu().numpy()
        now_about = _about(about, found, untrained=0, members=members)
        write_model(scratch, now_about, found.known, found.item_ids, found.user_ids, targets)
        list_model(scratch, found.known)
        scratch.rename(out)
        clear(place)
    return found


def _of_model(folder: Path) -> Recommender:
    if not is_model(folder):
        raise InputError(f"{folder} holds no MODEL; `negsample final STUDY --out MODEL` makes one")
    return load_model(folder)


def _about(about: About, found: Joined, **changes: Any) -> About:
    sizes = {"users": len(found.user_ids), "items": len(found.item_ids), "events": len(found.known.items)}
    return about.model_copy(update=sizes | {"until": found.until, "manifest": found.known.manifest} | changes)


def _widened(weights: dict[str, Tensor], items: int) -> dict[str, Tensor]:
    """The same with so many more items, whose vectors are zero."""
    table = weights[TABLE]
    if not items or table.ndim != 2:
        return weights
    return weights | {TABLE: torch.cat([table, table.new_zeros(items, table.shape[1])])}
