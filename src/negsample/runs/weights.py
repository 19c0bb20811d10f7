"""The weights of a run's models, each in a file."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from negsample.files.checksums import LIST, read_list
from negsample.models import Backbone
from negsample.parallel.shards import Shards
from negsample.training.sharded_files import TABLE

MODEL = "model.safetensors"
"""Of the model that is tested; with a refit, the one trained on train and validation."""

BEFORE_REFIT = "model_before_refit.safetensors"
"""With a refit, of the model that validation chose: trained on train alone."""


def save_weights(model: Backbone, path: Path) -> None:
    """The weights of ``model`` as the file ``path``.

    Where the table is divided over processes, the first one writes all of it, as it comes from the others."""
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
    """The same file, of which a block of the table is held at a time: after the header, all values as they lie."""
    entries: dict[str, Any] = {}
    end, kinds = 0, {torch.float32: "F32", torch.bfloat16: "BF16"}
    for name, each in weights.items():
        shape = [shards.rows, each.shape[1]] if name == TABLE else list(each.shape)
        start, end = end, end + math.prod(shape) * each.element_size()
        entries[name] = {"dtype": kinds[each.dtype], "shape": shape, "data_offsets": [start, end]}
    header = json.dumps(entries, allow_nan=False).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") if shards.processes.is_first else nullcontext() as file:
        if file is not None:
            file.write(struct.pack("<Q", len(header)) + header)
        for name, each in weights.items():
            for part in shards.blocks(each) if name == TABLE else [each]:
                if file is not None:
                    file.write(part.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())


def load_weights(model: Backbone, folder: Path, name: str = MODEL, *, kind: str = "run") -> None:
    """Give ``model`` the weights in the file ``name`` of the run, or of what ``kind`` says, in ``folder``.

    Raises:
        InputError: the file is damaged.
    """
    listed = read_list(folder / LIST, kind)
    listed.check(name)
    try:
        model.load_state_dict(_read(model, folder / name))
    except Exception as error:  # safetensors and torch each have errors of their own
        raise listed.damaged(name, error) from None


def _read(model: Backbone, path: Path) -> dict[str, Tensor]:
    """The weights in the file; of a table that is divided over processes the rows that are here."""
    shards = _shards_of(model)
    if shards is None:
        return load_file(path)
    with safe_open(path, framework="pt") as file:
        parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
        whole = {name: file.get_tensor(name) for name in parts if name != TABLE}
        return whole | {TABLE: parts[TABLE][shards.start : shards.stop]}
