"""Rows that are divided over processes, in files that any other number of processes can read."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from negsample.files.checksums import LIST, read_list, write_list
from negsample.parallel.shards import Shards
from negsample.training.checkpoint import Checkpoint, State

TABLE = "table.weight"
"""Of a model's weights, the one that is divided."""
_OF_OPTIMIZER = ("first", "second", "touched_at", "sums")
_KIND = "training"
_NAMES = ("rows-a", "rows-b")
"""Of the folders of a checkpoint's rows: the one that is not in use is written, so that a whole one is always there."""


def write_rows(folder: Path, rows: Mapping[str, Tensor], shards: Shards) -> None:
    """The parts of ``rows`` of all processes as the new ``folder``, by ``torch.distributed.checkpoint``."""
    from torch.distributed.checkpoint.state_dict_saver import save  # slow to import, and one process needs none

    def empty_folder() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    processes = shards.processes
    processes.by_first(empty_folder)
    save(_distributed(rows, shards), checkpoint_id=folder)
    processes.by_first(lambda: write_list(folder / LIST, _KIND, "", [path.name for path in folder.iterdir()]))


def read_rows(folder: Path, shards: Shards, into: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parts that are here of what :func:`write_rows` wrote, as many processes or others; in the CPU's memory.

    ``into``: tensors of these names which are read in place where they are in the CPU's memory, so that nothing is held
    twice. One part of one tensor is held beside them, as large as it was written.

    Raises:
        InputError: a file is damaged.
    """
    from torch.distributed.checkpoint.filesystem import FileSystemReader
    from torch.distributed.checkpoint.metadata import TensorStorageMetadata
    from torch.distributed.checkpoint.state_dict_loader import load

    listed = read_list(folder / LIST, _KIND)

    def check() -> None:
        for name in listed.files:
            listed.check(name)

    shards.processes.by_first(check)
    known = FileSystemReader(folder).read_metadata().state_dict_metadata
    rows = {
        name: into[name] if name in into and into[name].device.type == "cpu" else _room(shards, each)
        for name, each in known.items()
        if isinstance(each, TensorStorageMetadata)
    }
    load(_distributed(rows, shards), checkpoint_id=folder)
    return rows


def _room(shards: Shards, stored: Any) -> Tensor:
    return torch.empty(shards.stop - shards.start, *stored.size[1:], dtype=stored.properties.dtype)


def _distributed(rows: Mapping[str, Tensor], shards: Shards) -> dict[str, Any]:
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import DTensor, Shard

    mesh = init_device_mesh("cpu", (shards.processes.size,))

    def whole(here: Tensor) -> DTensor:
        shape = torch.Size((shards.rows, *here.shape[1:]))
        stride = torch.empty(shape, device="meta").stride()
        return DTensor.from_local(here, mesh, [Shard(0)], run_check=False, shape=shape, stride=stride)

    return {name: whole(here) for name, here in rows.items()}


class ShardedCheckpoint:
    """A :class:`~negsample.training.checkpoint.Checkpoint` of several processes: the first one writes it, but for what
    is divided over them, which lies in a folder beside it. Another number of processes can go on from it.

    Args:
        checkpoint: of what all processes have alike.
        folder: its folder, which all of them see.
        shards: of the table.
    """

    def __init__(self, checkpoint: Checkpoint, folder: Path, shards: Shards) -> None:
        self._checkpoint, self._folder, self._shards = checkpoint, folder, shards
        self._rows_in = _NAMES[-1]  # where the rows of the state that was saved last are

    def load(self, now: Callable[[], State]) -> State | None:
        """As of :class:`~negsample.training.checkpoint.Checkpoint`, with the rows that are here, in place of those of
        ``now()``.

        Raises:
            InputError: a file is damaged, or one process sees others than the next.
        """
        processes = self._shards.processes
        state = processes.first_alone(partial(self._checkpoint.load, now))
        processes.same(f"the files that are seen in {self._folder}", "none" if state is None else state["rows_in"])
        if state is None:
            return None
        self._rows_in = state["rows_in"]
        there = now()
        held = there["optimizer"]["tables"][0] | {TABLE: there["trainings"][0]["model"][TABLE]}
        rows = read_rows(self._folder / self._rows_in, self._shards, held)
        state["trainings"][0]["model"][TABLE] = rows.pop(TABLE)
        state["optimizer"]["tables"][0].update(rows)
        return state

    def after_epoch(self, state: Callable[[], State], *, always: bool = False) -> bool:
        """As of :class:`~negsample.training.checkpoint.Checkpoint`."""
        processes = self._shards.processes
        if not processes.by_first(lambda: self._checkpoint.is_due(always=always)):
            return False
        rest = state()
        of_table = rest["optimizer"]["tables"][0]
        rows = {name: of_table.pop(name) for name in _OF_OPTIMIZER if name in of_table}
        rows = {TABLE: rest["trainings"][0]["model"].pop(TABLE)} | rows
        name = _NAMES[1 - _NAMES.index(self._rows_in)]
        write_rows(self._folder / name, {key: each.cpu() for key, each in rows.items()}, self._shards)
        rest["rows_in"] = name

        def write() -> None:
            self._checkpoint.save(lambda: rest)
            shutil.rmtree(self._folder / self._rows_in, ignore_errors=True)

        processes.by_first(write)
        self._rows_in = name
        return True
