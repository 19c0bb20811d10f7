"""A prepared dataset: the events of all users as flat, memory-mapped arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.arrays import map_arrays, map_known
from negsample.data.blocks import spans
from negsample.data.ids import read_ids
from negsample.data.known import Ints, Known, checked_events, first_at
from negsample.data.manifest import MANIFEST, Manifest
from negsample.data.names import fold_name
from negsample.data.own import Repeats, repeats_of
from negsample.data.popularity import cohorts
from negsample.errors import InputError, guarded
from negsample.files.checksums import LIST, read_list


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """U users' events, flat: user ``u`` has ``[offsets[u], offsets[u + 1])``, in the order of time.

    Of these ``[offsets[u], train_ends[u])`` are train, ``[train_ends[u], valid_ends[u])`` validation and the
    rest test: a user's parts never interleave. Those of different users do, where the split is not ``in_time``.

    Attributes:
        folder: where it lies.
        manifest: what it was made of, and its counts.
        items: (N,) int32, ids ``1..V``.
        times: (N,) int64, microseconds since 1970; of a log without times, places in the user's history from 0.
        offsets: (U + 1,) int64.
        train_ends: (U,) int64, positions in ``items``.
        valid_ends: (U,) int64, positions in ``items``.
        train_counts: (V + 1,) int64, train events of each item, or the sum of their weights; 0 at index 0.
        known: what all events say about a time; there each counts 1.
        weights: (N,) int32, how much each event counts; None: all count 1.
    """

    folder: Path
    manifest: Manifest
    items: NDArray[np.int32]
    times: NDArray[np.int64]
    offsets: NDArray[np.int64]
    train_ends: NDArray[np.int64]
    valid_ends: NDArray[np.int64]
    train_counts: NDArray[np.int64]
    known: Known
    weights: NDArray[np.int32] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process gets the folder, and maps the arrays itself."""
        return _opened_again, (self.folder.absolute(), self.fingerprint, self.knows_validation)

    def __repr__(self) -> str:
        return f"Dataset({', '.join(f'{name}: {value}' for name, value in self._summary().items())})"

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in self._summary().items())
        return f"<table>{rows}</table>"

    def _summary(self) -> dict[str, str]:
        about = self.manifest
        counts = {"users": self.users, "items": self.catalogue_size, "events": len(self.items)}
        starts = {"from": about.first_time, "validation from": about.valid_start, "test from": about.test_start}
        return (
            {"name": about.name}
            | {name: f"{count:,}" for name, count in counts.items()}
            | {name: moment.replace("T", " ") for name, moment in (starts | {"to": about.last_time}).items() if moment}
            | {"split": about.settings.split}
        )

    @property
    def name(self) -> str:
        """What reports call it."""
        return self.manifest.name

    @property
    def log(self) -> str:
        """The name of the log that it is, or is a fold of."""
        return self.manifest.fold.log if self.manifest.fold else self.name

    @property
    def tuned_as(self) -> str:
        """The name of the dataset whose validation part methods are tuned on: of a fold the first one."""
        fold = self.manifest.fold
        return fold_name(fold.log, 1, fold.folds) if fold else self.name

    @property
    def fingerprint(self) -> str:
        """12 hex digits of its content, wherever it lies."""
        return self.manifest.fingerprint

    @property
    def split(self) -> str:
        """How its log was split; see :data:`negsample.settings.Split`."""
        return self.manifest.settings.split

    @property
    def in_time(self) -> bool:
        """Whether all of a part is before the next one, so that there is a moment as of which a model knows things."""
        return self.manifest.not_in_time is None

    @property
    def has_times(self) -> bool:
        """Whether its log has times, and not an order alone."""
        return self.manifest.first_time is not None

    @property
    def users(self) -> int:
        """U."""
        return len(self.offsets) - 1

    @property
    def catalogue_size(self) -> int:
        """V."""
        return len(self.train_counts) - 1

    @property
    def knows_validation(self) -> bool:
        """Whether validation is part of train; see :meth:`with_validation`."""
        return self.train_ends is self.valid_ends

    @cached_property
    def cohorts(self) -> NDArray[np.int8]:
        """(V + 1,) 0 head, 1 mid, 2 tail; -1 at index 0."""
        return cohorts(self.train_counts)

    @cached_property
    def cut_cohorts(self) -> NDArray[np.int8]:
        """(V + 1,) the same by all events that are known at the test cut: train and validation."""
        events = spans(self.train_ends, self.valid_ends - self.train_ends)
        counts = np.array(self.train_counts)
        np.add.at(counts, self.items[events], self.weights_of(events))
        return cohorts(counts)

    @property
    def train_events(self) -> int:
        """How many events are train."""
        return int((self.train_ends - self.offsets[:-1]).sum())

    def weights_of(self, events: Any) -> Any:
        """How much ``events`` count, which are indices or a slice: their weights, or 1."""
        return 1 if self.weights is None else self.weights[events]

    @cached_property
    def repeats(self) -> Repeats:
        """What events are on an item that their user has had; 12 bytes an event, made when first asked for."""
        return repeats_of(self.items, self.offsets, self.catalogue_size + 1)

    def first_event_at(self, users_R: NDArray[np.int64], times_R: NDArray[np.int64]) -> NDArray[np.int64]:
        """(R,) the first event of each user at or after each time, as a position among all events."""
        offsets = np.asarray(self.offsets)
        return np.asarray(first_at(self.times, offsets[users_R], offsets[users_R + 1], times_R))

    def with_validation(self) -> Dataset:
        """The same with validation as part of train, and no validation events: what a refit is trained on."""
        counts = np.array(self.train_counts)
        for first, last in blocks.user_blocks(np.asarray(self.offsets), blocks.BLOCK):
            begin, end = int(self.offsets[first]), int(self.offsets[last])
            bounds = (np.asarray(ends[first:last]) - begin for ends in (self.train_ends, self.valid_ends))
            starts_N, stops_N = (np.bincount(each, minlength=end - begin + 1) for each in bounds)
            inside_N = np.cumsum(starts_N - stops_N)[: end - begin] > 0
            events = begin + np.flatnonzero(inside_N)
            np.add.at(counts, self.items[events], self.weights_of(events))
        return replace(self, train_ends=self.valid_ends, train_counts=counts)

    @guarded
    def with_events(self, items: Sequence[int] | Ints, times: Sequence[int] | Ints) -> Dataset:
        """The same with more events known, such as those since it was prepared: what terms know at serving.

        Histories and parts stay as they are; only ``known`` changes, in memory.

        Args:
            items: (M,) ids ``1..V``, in any order; see :meth:`item_ids`.
            times: (M,) microseconds since 1970.

        Raises:
            InputError: they are no such ids and times.
        """
        return replace(self, known=self.known.with_events(*checked_events(items, times, self.catalogue_size)))

    def user_ids(self) -> pl.Series:
        """(U,) the log's id of each user."""
        return read_ids(self.folder, "user", self.users)

    def item_ids(self) -> pl.Series:
        """(V,) the log's id of each item; that of item ``i`` at ``i - 1``."""
        return read_ids(self.folder, "item", self.catalogue_size)


def is_prepared(folder: Path) -> bool:
    """Whether ``folder`` holds a prepared dataset, intact or damaged."""
    return (folder / MANIFEST).exists() or (folder / LIST).exists()


@guarded
def open_dataset(folder: str | Path, *, verify: bool = True) -> Dataset:
    """The prepared dataset in ``folder``, mapped.

    Args:
        folder: where it lies.
        verify: compare the checksums of all its files, which reads them once (about a second for 10^8 events); else
            only sizes, headers, and the arrays that have one value a user or item.

    Raises:
        InputError: there is none, it is of another version, or a file of it is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir() or not is_prepared(folder):
        raise InputError(f"{folder} holds no prepared dataset ({MANIFEST}); make one with `negsample prepare`")
    listed = read_list(folder / LIST, "dataset")
    manifest = listed.read_as(Manifest, MANIFEST)
    for name in listed.files:
        (listed.check if verify else listed.check_size)(name)
    return Dataset(folder, manifest, **map_arrays(listed, manifest), known=map_known(listed, manifest))


def _opened_again(folder: Path, expected: str, with_validation: bool) -> Dataset:
    """In another process, after this one has compared the checksums."""
    data = open_dataset(folder, verify=False)
    if data.fingerprint != expected:
        raise InputError(
            f"the dataset in {folder} has fingerprint {data.fingerprint}, and {expected} where the command was "
            "started; put it on a file system that all machines share"
        )
    return data.with_validation() if with_validation else data
