"""Checkpoints: what is saved of a training while it lasts, so that it can be resumed where it was stopped."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Protocol

import torch
from torch import Tensor

from negsample.files.atomic import replacing, settle
from negsample.files.checksums import LIST, DamagedError, read_list
from negsample.files.together import rewriting

State = dict[str, Any]
_FILE = "state.pt"
_SHARE = 20  # a state is saved again when this many times as long has passed as saving the last one took


class Saving(Protocol):
    """Where the state of a training is saved while it lasts."""

    def load(self, now: Callable[[], State]) -> State | None:
        """The state that was saved last, of this very training, or None. ``now``: the state as it is, whose tensors may
        be overwritten."""

    def after_epoch(self, state: Callable[[], State], *, always: bool = False) -> bool:
        """Save ``state()`` if it is time to, or ``always``; returns whether it was."""


class Checkpoint:
    """The state of one training in a folder, with its checksum; a newer one takes the older's place in one step.

    It is saved after an epoch if at least 20 times as long has passed since the last time as saving it took then: so it
    costs at most a twentieth of the time, and a training of short epochs loses seconds when it is stopped.

    Args:
        folder: of the checkpoint; it exists.
        identity: what the training is, machine and versions included where they change its numbers. The state of
            another training is ignored.
    """

    def __init__(self, folder: Path, identity: str) -> None:
        self._path, self._identity = folder / _FILE, identity
        self._next = 0.0

    def load(self, now: Callable[[], State] | None = None) -> State | None:
        """The state that was saved last, of this very training, or None. (``now`` is for those that read in place.)

        Raises:
            InputError: the file is damaged.
        """
        settle(self._path.parent)
        if not self._path.exists():
            return None
        listed = read_list(self._path.with_name(LIST), "training")
        listed.check(_FILE)
        try:
            state = torch.load(self._path, map_location="cpu", weights_only=True, mmap=True)
        except Exception as error:  # torch and its unpickler each have errors of their own
            raise listed.damaged(_FILE, error) from None
        return state if isinstance(state, dict) and state.get("identity") == self._identity else None

    def after_epoch(self, state: Callable[[], State], *, always: bool = False) -> bool:
        """Save ``state()`` if it is time to, or ``always``; returns whether it was."""
        due = self.is_due(always=always)
        if due:
            self.save(state)
        return due

    def is_due(self, *, always: bool = False) -> bool:
        """Whether it is time to."""
        return always or time.monotonic() >= self._next

    def save(self, state: Callable[[], State]) -> None:
        """Save ``state()``."""
        began = time.monotonic()
        with rewriting(self._path.parent, "training", keep=lambda name: False) as scratch:
            write_whole(state() | {"identity": self._identity}, scratch / _FILE)
        ended = time.monotonic()
        self._next = ended + _SHARE * (ended - began)


def save(state: Any, file: IO[bytes]) -> None:
    """``state`` as PyTorch saves it, without what else is in the storages of its tensors.

    PyTorch saves a storage whole: of a model among several that are trained together, whose parameters are views of
    common ones, it would save all of them.
    """
    used: Counter[int] = Counter()

    def count(each: Tensor) -> Tensor:
        used[each.untyped_storage().data_ptr()] += each.nbytes
        return each

    def compact(each: Tensor) -> Tensor:
        storage = each.untyped_storage()
        return each if storage.nbytes() <= used[storage.data_ptr()] else each.clone()

    _each_tensor(state, count)
    torch.save(_each_tensor(state, compact), file)


def _each_tensor(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """``value`` with all tensors in it changed."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _each_tensor(each, change) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_each_tensor(each, change) for each in value)
    return value


def write_whole(state: Any, path: Path) -> None:
    """``state`` as PyTorch saves it, on the disk and in place of what was there in one step."""
    with replacing(path) as temporary, temporary.open("wb") as file:
        save(state, file)
        file.flush()
        os.fsync(file.fileno())


def damaged(path: Path, error: object) -> DamagedError:
    """What to raise when ``path``, of a training that was stopped, cannot be used."""
    return DamagedError(f"{path} is damaged ({error}); delete {path.parent} and this training starts anew")
