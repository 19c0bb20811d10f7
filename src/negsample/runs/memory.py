"""How much memory a run took at the most."""

from __future__ import annotations

from pathlib import Path

import torch

_PROCESS = Path("/proc/self")


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
