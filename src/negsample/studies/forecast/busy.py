"""How busy other processes keep this machine while something is measured."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_STAT = Path("/proc/stat")
_FREE = 0.15  # of the cores: what an idle machine's own processes may take
_STEAL = 7  # of a line's numbers: user, nice, system, idle, iowait, irq, softirq, steal
_IDLE = (3, 4)


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
