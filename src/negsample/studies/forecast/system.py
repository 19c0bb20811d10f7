"""What the system says of this machine: memory that is free, and how busy other processes keep the cores."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

_ROOT = Path("/")
_STAT = Path("/proc/stat")
_FREE = 0.15  # of the cores: what an idle machine's own processes may take
_STEAL = 7  # of a line's numbers: user, nice, system, idle, iowait, irq, softirq, steal
_IDLE = (3, 4)


def available_memory(root: Path = _ROOT) -> int | None:
    """Bytes that this process may still take: what is available of the machine's memory, or less in a control group.

    Linux: ``MemAvailable``, and for every control group (v1 and v2) that the process is in, its limit less its usage
    (file pages that can be dropped are no usage). Elsewhere: all of the machine's memory, which is an upper bound.
    None where the system does not say: nothing can be refused there.
    """
    meminfo = _text(root / "proc/meminfo")
    if meminfo is None:
        try:
            return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        except (AttributeError, ValueError, OSError):  # no such name there
            return None
    found = {line.split(":")[0]: int(line.split()[1]) << 10 for line in meminfo.splitlines() if ":" in line}
    machine = found.get("MemAvailable", found.get("MemFree"))
    return min([*([] if machine is None else [machine]), *_left_in_groups(root)], default=None)


def _left_in_groups(root: Path) -> Iterator[int]:
    """Bytes left in each control group with a limit."""
    v1, v2 = root / "sys/fs/cgroup/memory", root / "sys/fs/cgroup"
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, names = v2, ("memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top, names = v1, ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        else:
            continue
        here = top / path.lstrip("/")
        for folder in (here, *here.parents):
            if not folder.is_relative_to(top):
                break
            limit, usage = (_text(folder / name) for name in names[:2])
            if limit is not None and usage is not None and limit.strip() != "max":
                stat = (line.split() for line in (_text(folder / "memory.stat") or "").splitlines())
                droppable = sum(int(value) for name, value in stat if name == names[2])
                yield max(int(limit) - int(usage) + droppable, 0)


def _text(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


class Busy(NamedTuple):
    """``others``: cores that other processes used, on average; of ``cores`` that this process may use."""

    others: float
    cores: int

    @property
    def share(self) -> float:
        """Of the cores, from 0 to 1."""
        return self.others / self.cores

    @property
    def much(self) -> bool:
        """Whether what was measured meanwhile is slower than on a free machine."""
        return self.share > _FREE


def watch_others(stat: Path = _STAT) -> Callable[[], Busy | None]:
    """Begin to watch; the returned function says what others used since then. None where the system does not say."""
    before, began, own = _used(stat), time.perf_counter(), time.process_time()

    def found() -> Busy | None:
        after, seconds = _used(stat), time.perf_counter() - began
        if before is None or after is None or seconds <= 0:
            return None
        cores = len(os.sched_getaffinity(0))
        others = (after - before - (time.process_time() - own)) / seconds
        return Busy(min(max(others, 0.0), float(cores)), cores)

    return found


def _used(stat: Path) -> float | None:
    """Seconds that all processes have used of the cores of this one, as Linux counts them."""
    try:
        lines = stat.read_text().splitlines()
        ours = {f"cpu{core}" for core in os.sched_getaffinity(0)}
        fields = [[int(each) for each in line.split()[1 : 2 + _STEAL]] for line in lines if line.split()[0] in ours]
        ticks = sum(ticks for numbers in fields for place, ticks in enumerate(numbers) if place not in _IDLE)
        return ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):  # no Linux
        return None
