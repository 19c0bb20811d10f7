"""What a run was done on: cores, processor and graphics cards, and what reckons there."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch


def machine() -> dict[str, Any]:
    """What figures were measured on. ``graphics``: None where no card can be used."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        named = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        processor = named[0].split(":", 1)[1].strip() if named else processor
    return {
        "cores": cores(),
        "processor": processor,
        "graphics": graphics(),
        "python": platform.python_version(),
        "torch": version("torch"),
    }


def graphics() -> dict[str, Any] | None:
    """The cards that PyTorch sees: name and bytes of the first, which is the one that trains; how many; CUDA's version.

    None where there is none.
    """
    if not torch.cuda.is_available():
        return None
    first = torch.cuda.get_device_properties(0)
    return {
        "name": first.name,
        "count": torch.cuda.device_count(),
        "memory_bytes": first.total_memory,
        "cuda": torch.version.cuda or f"ROCm {torch.version.hip}",
    }


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
