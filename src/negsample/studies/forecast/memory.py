"""How much memory there is for this process, as the system says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/")


def available_memory(root: Path = _ROOT) -> int | None:
    """Bytes that this process may still take: what is available of the machine's memory, or less in a control group.

    Linux: ``MemAvailable``, and for every control group (v1 and v2) that the process is in, its limit less its usage
    (file pages that can be dropped are no usage). Elsewhere: all of the machine's memory, which is an upper bound.
    None where the system does not say: nothing can be refused there.
    """
    meminfo = _text(root / "proc/meminfo")
    if meminfo is None:
        return _physical()
    found = {line.split(":")[0]: int(line.split()[1]) << 10 for line in meminfo.splitlines() if ":" in line}
    machine = found.get("MemAvailable", found.get("MemFree"))
    return min([*([] if machine is None else [machine]), *_left_in_groups(root)], default=None)


def _physical() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # no such name there
        return None


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
