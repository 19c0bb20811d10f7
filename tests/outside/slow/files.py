"""A run's folder, read by the layout of its files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


def weights(path: Path) -> dict[str, Tensor]:
    """Float32 tensors of a safetensors file: eight bytes of length, a JSON header, then the values."""
    raw = path.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    found = {}
    for name, about in json.loads(raw[8:start]).items():
        if name != "__metadata__":
            assert about["dtype"] == "F32"
            first, last = (start + offset for offset in about["data_offsets"])
            values = np.frombuffer(raw[first:last], "<f4").reshape(about["shape"])
            found[name] = torch.tensor(values, dtype=torch.float64)
    return found


def read(folder: Path) -> dict[str, Any]:
    """``weights``, ``metrics``, ``dial``, ``log`` and ``ranks``."""
    return {
        "weights": weights(folder / "model.safetensors"),
        "metrics": json.loads((folder / "metrics.json").read_text()),
        "dial": json.loads((folder / "dial.json").read_text()),
        "log": [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()],
        "ranks": dict(np.load(folder / "ranks.npz")),
    }


def best_epoch(log: list[dict[str, Any]]) -> int:
    """By HR@10 on validation, then by NDCG@10, then the earliest."""
    measured = [entry for entry in log if entry["valid"]]
    best = max(measured, key=lambda entry: (entry["valid"]["hr@10"], entry["valid"]["ndcg@10"], -entry["epoch"]))
    return int(best["epoch"])


def chosen(dial: dict[str, Any], least_balance: float = 0.0) -> float:
    """The setting with the best NDCG@10 on validation among those with enough Balance; of equals, nearest to 0."""
    there = [
        (figures["ndcg@10"], -abs(beta), beta)
        for beta, figures in zip(dial["betas"], dial["valid"], strict=True)
        if not least_balance or (figures["balance@10"] or 0.0) >= least_balance
    ]
    return float(max(there)[2])
