"""What a run was done on: cores, processor and graphics cards, and how much of their memory it took."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

_PROCESS = Path("/proc/self")


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


def forget_peak(device: torch.device) -> None:
    """Begin to measure: what was taken before does not count."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        (_PROCESS / "clear_refs").write_text("5")
    except OSError:  # not Linux, or forbidden: the peak is then that of the process so far
        return


def peak_memory(device: torch.device) -> int | None:
    """The most bytes taken since: by tensors on a GPU, by the whole process on a CPU; None where nobody knows."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        lines = (_PROCESS / "status").read_text().splitlines()
    except OSError:
        return None
    found = [line.split()[1] for line in lines if line.startswith("VmHWM:")]
    return 1024 * int(found[0]) if found else None
