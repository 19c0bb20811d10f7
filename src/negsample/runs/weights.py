"""The weights of a run's models, each in a file."""

from __future__ import annotations

import json
import math
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from negsample.files.checksums import LIST, read_list
from negsample.models import Backbone
from negsample.parallel.processes import each_by_first
from negsample.parallel.shards import BLOCK, Shards
from negsample.training.sharded_files import TABLE

MODEL = "model.safetensors"
"""Of the model that is tested; with a refit, the one trained on train and validation."""

BEFORE_REFIT = "model_before_refit.safetensors"
"""With a refit, of the model that validation chose: trained on train alone."""

_LENGTH = struct.Struct("<Q")  # of the header, before it
_KINDS = {torch.float32: "F32", torch.bfloat16: "BF16"}


def save_weights(model: Backbone, path: Path) -> None:
    """The weights of ``model`` as the file ``path``.

    Where the table is divided over processes, each writes the rows that it has: all see the folder."""
    shards = _shards_of(model)
    if shards is not None:
        _save_divided(model.state_dict(), path, shards)
        return
    save_file(model.state_dict(), path)
    path.chmod(0o644)  # as the other files; safetensors has 0600


def _shards_of(model: Backbone) -> Shards | None:
    """Which rows of its table are here; None: all, or it is a rule and has none."""
    return getattr(getattr(model, "table", None), "shards", None)


def _save_divided(weights: Mapping[str, Tensor], path: Path, shards: Shards) -> None:
    """The same file: after the header all values as they lie. Each process writes its rows in their place, a block at a
    time, into the file that the first one has made; so no row is sent."""
    entries: dict[str, Any] = {}
    end = 0
    for name, each in weights.items():
        shape = [shards.rows, each.shape[1]] if name == TABLE else list(each.shape)
        start, end = end, end + math.prod(shape) * each.element_size()
        entries[name] = {"dtype": _KINDS[each.dtype], "shape": shape, "data_offsets": [start, end]}
    header = json.dumps(entries, allow_nan=False).encode()
    header += b" " * (-len(header) % 8)
    begin = {name: _LENGTH.size + len(header) + each["data_offsets"][0] for name, each in entries.items()}

    def write_rest() -> None:
        with path.open("wb") as file:
            file.write(_LENGTH.pack(len(header)) + header)
            for name in weights.keys() - {TABLE}:
                file.seek(begin[name])
                file.write(_bytes_of(weights[name]))
            file.truncate(_LENGTH.size + len(header) + end)

    def write_own_rows() -> None:
        with path.open("r+b") as file:
            file.seek(begin[TABLE] + shards.start * weights[TABLE][:1].nbytes)
            for rows in torch.split(weights[TABLE], BLOCK):
                file.write(_bytes_of(rows))
            file.flush()
            os.fsync(file.fileno())  # before another host reads it

    shards.processes.by_first(write_rest)
    write_own_rows()
    shards.processes.wait()


def _bytes_of(values: Tensor) -> bytes:
    return values.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def load_weights(model: Backbone, folder: Path, name: str = MODEL, *, kind: str = "run") -> None:
    """Give ``model`` the weights in the file ``name`` of the run, or of what ``kind`` says, in ``folder``.

    Raises:
        InputError: the file is damaged.
    """
    listed, shards = read_list(folder / LIST, kind), _shards_of(model)
    each_by_first(None if shards is None else shards.processes, lambda: listed.check(name))
    try:
        if shards is None:
            model.load_state_dict(load_file(folder / name))
        else:
            _read_divided(model, folder / name, shards)
    except Exception as error:  # safetensors and torch each have errors of their own
        raise listed.damaged(name, error) from None


def _read_divided(model: Backbone, path: Path, shards: Shards) -> None:
    """The rows that are here, a block at a time, and all else; the file is read and not mapped, so that what a process
    takes is what it holds."""
    weights = model.state_dict()
    with path.open("rb") as file:
        length = _LENGTH.unpack(file.read(_LENGTH.size))[0]
        entries = json.loads(file.read(length))
        if entries.keys() - {"__metadata__"} != weights.keys():
            raise ValueError(f"it has {', '.join(entries)}")
        for name, each in weights.items():
            shape = [shards.rows, *each.shape[1:]] if name == TABLE else list(each.shape)
            if entries[name]["shape"] != shape or entries[name]["dtype"] != _KINDS[each.dtype]:
                raise ValueError(f"{name} is {entries[name]}")
            before = shards.start * each[:1].nbytes if name == TABLE else 0
            file.seek(_LENGTH.size + length + entries[name]["data_offsets"][0] + before)
            for part in torch.split(each, BLOCK) if name == TABLE else [each]:
                found = torch.frombuffer(bytearray(file.read(part.nbytes)), dtype=each.dtype)
                part.detach().copy_(found.view(part.shape))
