"""A log's events as flat files in a scratch folder, their ids as codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from os import SEEK_CUR
from pathlib import Path
from shutil import rmtree
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from negsample.data import blocks
from negsample.data.log.files import readable
from negsample.data.log.read import Log
from negsample.errors import InputError

DTYPES = {"users": np.uint32, "items": np.uint32, "times": np.int64, "parts": np.int8}
"""Of the columns that all events have."""
ALL_DTYPES = DTYPES | {"weights": np.int32, "orders": np.int64}
_MOST = 2**53  # that all weights together are: their sums are then exact as floats too
_LARGEST = 2**31 - 1  # distinct ids


class EventColumns(NamedTuple):
    """n events: ``users`` and ``items`` as whole numbers, ``times`` in microseconds since 1970; ``parts``: of
    :mod:`negsample.data.split`, 0 until they are known; ``weights``: how much each counts; None: all count 1.
    ``orders``: which of two events of a log comes first, where pieces of it have to know; None: they stand so."""

    users: NDArray[np.uint32]
    items: NDArray[np.uint32]
    times: NDArray[np.int64]
    parts: NDArray[np.int8]
    weights: NDArray[np.int32] | None = None
    orders: NDArray[np.int64] | None = None

    @property
    def names(self) -> list[str]:
        """The columns that they have."""
        return [name for name, column in self._asdict().items() if column is not None]

    def take(self, which: Any) -> EventColumns:
        """Those at ``which``: a slice, a mask or indices."""
        return EventColumns(**{name: getattr(self, name)[which] for name in self.names})

    def blocks(self) -> Iterator[EventColumns]:
        """All of them, a block at a time."""
        return (self.take(block) for block in blocks.slices(len(self.times)))


class Codes:
    """A dictionary from the ids of a column to codes ``0, 1, ...``, in no particular order."""

    def __init__(self, role: str, dtype: pl.DataType) -> None:
        self._role, self._dtype = role, dtype
        self._categorical = pl.Categorical(pl.Categories.random(role))
        self._kept = pl.Series([], dtype=self._categorical)  # else Polars drops the categories

    def expr(self) -> pl.Expr:
        """The codes of the column, as UInt32."""
        return pl.col(self._role).cast(pl.String).cast(self._categorical).to_physical()

    def ids(self, codes: int) -> pl.Series:
        """(codes,) the id of each code."""
        check_ids(self._role, codes)
        text = pl.Series(np.arange(codes, dtype=np.uint32)).cat.to(self._categorical).cast(pl.String)
        return text.cast(self._dtype).alias("id")


class Rows(NamedTuple):
    """The rows of a log: their ``events``, in file order and mapped, whose users and items are codes; the log's id
    (Int64 or String) of each code; and the sum of all weights, 0 where there are none."""

    events: EventColumns
    user_ids: pl.Series
    item_ids: pl.Series
    weight: int


def read_events(log: Log, folder: Path, *, given: bool = False) -> Rows:
    """One pass over ``log`` into flat files in ``folder``; in memory are a block of events and the distinct ids.

    A log that cannot be read, or has other types than a :class:`~negsample.data.log.read.Log`, is refused. ``given``:
    with the parts that the log says.
    """
    source = Path(log.source or log.name)
    with readable(source):
        schema = log.frame.collect_schema()
    if given and "part" not in schema:
        raise InputError(
            f"split=given: log {log.name} does not say which part its events are of; name the column that does with "
            f"--split-column COL"
        )
    part = pl.col("part") if given else pl.lit(0, pl.Int8)
    weight = [] if log.weight is None else ["weight"]
    frame = log.frame.select("user", "item", "time", *weight, part=part)
    _check(log, schema, nulls=(0, 0, 0, 0, 0))
    users, items = Codes("user", schema["user"]), Codes("item", schema["item"])
    nulls, largest, total = np.zeros(4 + len(weight), np.int64), np.full(2, -1), 0
    failures: list[OSError] = []

    def keep(batch: pl.DataFrame) -> bool:
        """Whether to stop, as writing failed."""
        nonlocal total
        nulls[:] += batch.null_count().row(0)
        if len(batch) and not nulls.any():
            some = EventColumns(*(column.to_numpy() for column in batch))
            largest[:] = np.maximum(largest, [some.users.max(), some.items.max()])
            total += 0 if some.weights is None else _sum_of_weights(log, some.weights)
            try:
                append(files, some)
            except OSError as error:  # it concerns the folder, not the log
                failures.append(error)
        return bool(failures)

    with flat_files(folder) as files, readable(source):
        # Not collect_batches: it takes a panic, as of a truncated file, for the end of the log.
        frame.select(users.expr(), items.expr(), "time", "part", *weight).sink_batches(
            keep, chunk_size=blocks.BLOCK, maintain_order=True, engine="streaming"
        )
    if failures:
        raise failures[0]
    _check(log, schema, nulls=tuple(nulls))
    ids = users.ids(int(largest[0]) + 1), items.ids(int(largest[1]) + 1)
    return Rows(map_events(folder), *ids, total)


def check_weight(log: Log, total: int) -> None:
    """Refuses weights whose sums would not be exact."""
    if total > _MOST:
        raise InputError(
            f"log {log.name}: the weights sum to {total:,}, at most {_MOST:,} can be counted exactly; write them in a "
            "larger unit where the log is made"
        )


def check_ids(role: str, ids: int) -> None:
    """Refuses more users or items than a number can be given to."""
    if ids > _LARGEST:
        raise InputError(f"{ids:,} distinct {role}s; at most {_LARGEST:,} can be numbered")


def _check(log: Log, schema: pl.Schema, nulls: tuple[int, ...]) -> None:
    if any(nulls[:2]) or any(schema[role] not in (pl.Int64, pl.String) for role in ("user", "item")):
        raise InputError(f"log {log.name}: user and item must be Int64 or String without nulls, got {schema}")
    if nulls[2] or schema["time"] != pl.Int64:
        raise InputError(f"log {log.name}: time must be Int64 microseconds without nulls, got {schema['time']}")
    if nulls[3] or schema.get("part", pl.Int8) != pl.Int8:
        raise InputError(f"log {log.name}: part must be Int8 without nulls, got {schema['part']}")
    if log.weight is not None and (any(nulls[4:]) or schema.get("weight") != pl.Int32):
        raise InputError(f"log {log.name}: weight must be Int32 without nulls, got {schema.get('weight')}")


def _sum_of_weights(log: Log, weights: NDArray[np.int32]) -> int:
    if weights.min() < 1:
        raise InputError(f"log {log.name}: a weight is at least 1, got {weights.min()}; leave such rows out")
    return int(weights.sum(dtype=np.int64))


def save_columns(events: Iterable[EventColumns], n: int, paths: Mapping[str, Path]) -> None:
    """Columns of ``n`` events as ``np.save`` writes them, at ``paths`` and ".npy": ids as int32."""
    for name, path in paths.items():
        make_array(path, saved_as(name), n)
    assert write_columns(events, paths) == n, "not as many events as the header says"


def saved_as(name: str) -> np.dtype[Any]:
    """The type of a column in a file of numpy."""
    return np.dtype(np.int32 if ALL_DTYPES[name] is np.uint32 else ALL_DTYPES[name])


def make_array(path: Path, dtype: np.dtype[Any], n: int) -> None:
    """A file of numpy, at ``path`` and ".npy", for ``n`` values that are still to be written into it."""
    with path.with_suffix(".npy").open("wb") as file:
        header = {"descr": dtype.str, "fortran_order": False, "shape": (n,)}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + n * dtype.itemsize)


def write_columns(events: Iterable[EventColumns], paths: Mapping[str, Path], at: int = 0) -> int:
    """Writes columns of ``events`` from place ``at`` on into the files of :func:`make_array`, and says how many."""
    written = 0
    with ExitStack() as stack:
        files = {name: stack.enter_context(_opened(path, saved_as(name), at)) for name, path in paths.items()}
        for some in events:
            written += len(some.times)
            for name, file in files.items():
                file.write(np.ascontiguousarray(getattr(some, name), saved_as(name)).data)
    return written


def write_array(values: NDArray[Any], path: Path, at: int = 0) -> None:
    """Writes ``values`` from place ``at`` on into a file of :func:`make_array`."""
    with _opened(path, values.dtype, at) as file:
        file.write(np.ascontiguousarray(values).data)


def _opened(path: Path, dtype: np.dtype[Any], at: int) -> BinaryIO:
    file = path.with_suffix(".npy").open("r+b")
    np.lib.format.read_magic(file)
    np.lib.format.read_array_header_1_0(file)
    file.seek(at * dtype.itemsize, SEEK_CUR)
    return file


def map_columns(paths: Mapping[str, Path]) -> EventColumns:
    """All columns of :func:`save_columns`."""
    return EventColumns(**{name: np.load(path.with_suffix(".npy"), mmap_mode="r") for name, path in paths.items()})


@contextmanager
def flat_files(folder: Path) -> Iterator[list[BinaryIO]]:
    """A file for each column of events, in ``folder``, made anew; :func:`map_events` maps them after the block."""
    rmtree(folder, ignore_errors=True)  # of a worker that was lost
    folder.mkdir()
    with ExitStack() as stack:
        yield [stack.enter_context((folder / name).open("xb")) for name in ALL_DTYPES]


def append(files: list[BinaryIO], events: EventColumns) -> None:
    """Writes ``events`` where ``files`` stand."""
    for file, column, dtype in zip(files, events, ALL_DTYPES.values(), strict=True):
        if column is not None:
            file.write(np.ascontiguousarray(column, dtype).data)


def map_events(folder: Path) -> EventColumns:
    """The events in the flat files of ``folder``."""
    if not (folder / "times").stat().st_size:  # nothing can be mapped
        return EventColumns(*(np.zeros(0, dtype) for dtype in DTYPES.values()))
    there = {name: dtype for name, dtype in ALL_DTYPES.items() if (folder / name).stat().st_size}
    return EventColumns(**{name: np.memmap(folder / name, dtype, mode="r") for name, dtype in there.items()})
