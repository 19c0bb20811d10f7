"""A log's events as flat files in a scratch folder, their ids as codes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
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
ALL_DTYPES = DTYPES | {"weights": np.int32}
_MOST = 2**53  # that all weights together are: their sums are then exact as floats too
_LARGEST = 2**31 - 1  # distinct ids


class EventColumns(NamedTuple):
    """n events: ``users`` and ``items`` as whole numbers, ``times`` in microseconds since 1970; ``parts``: of
    :mod:`negsample.data.split`, 0 until they are known; ``weights``: how much each counts; None: all count 1."""

    users: NDArray[np.uint32]
    items: NDArray[np.uint32]
    times: NDArray[np.int64]
    parts: NDArray[np.int8]
    weights: NDArray[np.int32] | None = None

    def take(self, which: Any) -> EventColumns:
        """Those at ``which``: a slice, a mask or indices."""
        return EventColumns(**{name: column[which] for name, column in self._asdict().items() if column is not None})

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
        if codes > _LARGEST:
            raise InputError(f"{codes:,} distinct {self._role}s; at most {_LARGEST:,} can be numbered")
        text = pl.Series(np.arange(codes, dtype=np.uint32)).cat.to(self._categorical).cast(pl.String)
        return text.cast(self._dtype).alias("id")


def read_events(log: Log, folder: Path, *, given: bool = False) -> tuple[EventColumns, pl.Series, pl.Series]:
    """One pass over ``log`` into flat files in ``folder``; in memory are a block of events and the distinct ids.

    A log that cannot be read, or has other types than a :class:`~negsample.data.log.read.Log`, is refused. ``given``:
    with the parts that the log says.

    Returns:
        The events in file order, mapped; users and items are codes. And the log's id (Int64 or String) of each code,
        of users and of items.
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
    if total > _MOST:
        raise InputError(
            f"log {log.name}: the weights sum to {total:,}, at most {_MOST:,} can be counted exactly; write them in a "
            "larger unit where the log is made"
        )
    return map_events(folder), users.ids(int(largest[0]) + 1), items.ids(int(largest[1]) + 1)


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
    dtypes = {name: np.dtype(np.int32 if ALL_DTYPES[name] is np.uint32 else ALL_DTYPES[name]) for name in paths}
    with ExitStack() as stack:
        files = {name: stack.enter_context(path.with_suffix(".npy").open("xb")) for name, path in paths.items()}
        for name, file in files.items():
            header = {"descr": dtypes[name].str, "fortran_order": False, "shape": (n,)}
            np.lib.format.write_array_header_1_0(file, header)
        written = 0
        for some in events:
            written += len(some.times)
            for name, file in files.items():
                file.write(np.ascontiguousarray(getattr(some, name), dtypes[name]).data)
    assert written == n, "not as many events as the header says"


def map_columns(paths: Mapping[str, Path]) -> EventColumns:
    """All columns of :func:`save_columns`."""
    return EventColumns(**{name: np.load(path.with_suffix(".npy"), mmap_mode="r") for name, path in paths.items()})


@contextmanager
def flat_files(folder: Path) -> Iterator[list[BinaryIO]]:
    """A file for each column of events, in the new ``folder``; :func:`map_events` maps them after the block."""
    folder.mkdir()
    with ExitStack() as stack:
        yield [stack.enter_context((folder / name).open("xb")) for name in ALL_DTYPES]


def append(files: list[BinaryIO], events: EventColumns) -> None:
    """Writes ``events`` where ``files`` stand."""
    for file, column, dtype in zip(files, events, ALL_DTYPES.values(), strict=True):
        if column is not None:
            file.write(np.ascontiguousarray(column, dtype).data)


def names_of(weighted: bool) -> Iterable[str]:
    """The columns that events have, with weights or without."""
    return ALL_DTYPES if weighted else DTYPES


def map_events(folder: Path) -> EventColumns:
    """The events in the flat files of ``folder``."""
    if not (folder / "times").stat().st_size:  # nothing can be mapped
        return EventColumns(*(np.zeros(0, dtype) for dtype in DTYPES.values()))
    there = DTYPES if not (folder / "weights").stat().st_size else ALL_DTYPES
    return EventColumns(**{name: np.memmap(folder / name, dtype, mode="r") for name, dtype in there.items()})
