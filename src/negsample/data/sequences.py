"""A prepared dataset: every user's events as flat, memory-mapped arrays."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.config import InputError
from negsample.data.names import safe_name
from negsample.data.popularity import cohorts

FORMAT = 1
MANIFEST = "manifest.json"
ARRAYS: dict[str, type[np.signedinteger[Any]]] = {
    "items": np.int32,
    "times": np.int64,
    "offsets": np.int64,
    "train_ends": np.int64,
    "valid_ends": np.int64,
    "train_counts": np.int64,
}
_TEXTS = ("name", "fingerprint", "source", "first_time", "last_time", "valid_start", "test_start")
_COUNTS = (
    "events",
    "users",
    "items",
    "train_events",
    "valid_events",
    "test_events",
    "trained_users",
    "cold_items",
    "cold_test_events",
    "test_events_without_history",
    "dropped_cold_items",
    "dropped_cold_events",
)
_OTHERS: dict[str, type] = {"notes": list, "settings": dict, "cohorts": dict, "tie_share": float}
_WAY_OUT = "delete the folder and prepare it again"


@dataclass(frozen=True, eq=False)
class Dataset:
    """U users' events, flat: user ``u`` has ``[offsets[u], offsets[u + 1])``, in the order of time.

    Of these ``[offsets[u], train_ends[u])`` are train, ``[train_ends[u], valid_ends[u])`` validation and the
    rest test: the split is global in time, so a user's parts never interleave.

    Attributes:
        folder: where it lies.
        manifest: what was prepared from what, and the counts of it.
        items: (N,) int32, ids ``1..V``.
        times: (N,) int64, microseconds since 1970.
        offsets: (U + 1,) int64.
        train_ends: (U,) int64, places in ``items``.
        valid_ends: (U,) int64, places in ``items``.
        train_counts: (V + 1,) int64, train events of each item; 0 at index 0.
    """

    folder: Path
    manifest: dict[str, Any]
    items: NDArray[np.int32]
    times: NDArray[np.int64]
    offsets: NDArray[np.int64]
    train_ends: NDArray[np.int64]
    valid_ends: NDArray[np.int64]
    train_counts: NDArray[np.int64]

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process goes the folder, and the arrays are mapped there."""
        return open_dataset, (self.folder.absolute(),)

    @property
    def manifest_path(self) -> Path:
        """The file that says what it is, its fingerprint among it."""
        return self.folder / MANIFEST

    @property
    def name(self) -> str:
        """What reports call it."""
        return str(self.manifest["name"])

    @property
    def fingerprint(self) -> str:
        """12 hex digits of its content, wherever it lies."""
        return str(self.manifest["fingerprint"])

    @property
    def split(self) -> str:
        """How its log was cut: ``sound`` or ``paper``."""
        return str(self.manifest["settings"]["split"])

    @property
    def users(self) -> int:
        """U."""
        return len(self.offsets) - 1

    @property
    def catalogue_size(self) -> int:
        """V."""
        return len(self.train_counts) - 1

    @cached_property
    def cohorts(self) -> NDArray[np.int8]:
        """(V + 1,) 0 head, 1 mid, 2 tail; -1 at index 0."""
        return cohorts(self.train_counts)

    def user_ids(self) -> pl.Series:
        """(U,) the log's id of each user."""
        return self._ids("user", self.users)

    def item_ids(self) -> pl.Series:
        """(V,) the log's id of each item; that of item ``i`` at ``i - 1``."""
        return self._ids("item", self.catalogue_size)

    def _ids(self, role: str, expected: int) -> pl.Series:
        path = ids_path(self.folder, role)
        try:
            ids = pl.read_parquet(path, glob=False, hive_partitioning=False)[role]
        except (pl.exceptions.PolarsError, OSError):
            raise InputError(f"{path} is missing or damaged; {_WAY_OUT}") from None
        if len(ids) != expected:
            raise InputError(f"{path} holds {len(ids)} ids, the dataset {expected}; {_WAY_OUT}")
        return ids


def ids_path(folder: Path, role: str) -> Path:
    """Where the log's ids of ``role`` (user or item) lie."""
    return folder / f"{role}_ids.parquet"


def is_prepared(folder: Path) -> bool:
    """Whether ``folder`` says of itself that it is a prepared dataset."""
    return (folder / MANIFEST).is_file() and (folder / "offsets.npy").is_file()


def open_dataset(folder: str | Path) -> Dataset:
    """The prepared dataset in ``folder``, mapped: no event is read.

    Raises:
        InputError: there is none, it is of another version, or a file of it is damaged.
    """
    folder = Path(folder)
    if not (folder / MANIFEST).is_file():
        raise InputError(f"{folder} holds no prepared dataset ({MANIFEST}); make one with `negsample prepare`")
    manifest = _read_manifest(folder / MANIFEST)
    arrays = {name: _mapped(folder / f"{name}.npy", dtype) for name, dtype in ARRAYS.items()}
    events, users, items = (manifest[key] for key in ("events", "users", "items"))
    lengths = {
        "items": events,
        "times": events,
        "offsets": users + 1,
        "train_ends": users,
        "valid_ends": users,
        "train_counts": items + 1,
    }
    for name, expected in lengths.items():
        if len(arrays[name]) != expected:
            raise InputError(
                f"{folder / name}.npy holds {len(arrays[name])} values, the manifest says {expected}; {_WAY_OUT}"
            )
    if arrays["offsets"][0] != 0 or arrays["offsets"][-1] != events or arrays["train_counts"][0] != 0:
        raise InputError(f"{folder} does not fit together (offsets or train_counts); {_WAY_OUT}")
    return Dataset(folder, manifest, **arrays)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path} is damaged ({error}); {_WAY_OUT}") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise InputError(f"{path} is of format {found}, this version reads {FORMAT}; {_WAY_OUT}")
    lacking = [key for key in (*_TEXTS, *_COUNTS, *_OTHERS) if key not in manifest]
    if lacking:
        raise InputError(f"{path} lacks {', '.join(lacking)}; {_WAY_OUT}")
    kinds = dict.fromkeys(_TEXTS, str) | dict.fromkeys(_COUNTS, int) | _OTHERS
    for key, kind in kinds.items():
        if not isinstance(manifest[key], kind) or (key == "name" and safe_name(manifest[key]) != manifest[key]):
            raise InputError(f"{path} is damaged ({key} is {manifest[key]!r}); {_WAY_OUT}")
    return manifest


def _mapped(path: Path, dtype: type[np.signedinteger[Any]]) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path} is missing or damaged ({error}); {_WAY_OUT}") from None
    if array.dtype != dtype or array.ndim != 1:
        raise InputError(
            f"{path} holds {array.dtype} of shape {array.shape}, not a row of {np.dtype(dtype)}; {_WAY_OUT}"
        )
    return array
