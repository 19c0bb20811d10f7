"""What memory the system says there is."""

from __future__ import annotations

import pytest

from negsample.studies.forecast.system import available_memory


def test_this_machine_says(tmp_path):
    assert available_memory() > 10**8


@pytest.mark.parametrize(
    ("group", "folder", "files"),
    [
        ("0::/a", "sys/fs/cgroup", ("memory.max", "memory.current", "inactive_file")),
        (
            "4:memory:/a",
            "sys/fs/cgroup/memory",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
    ],
)
def test_a_control_group_limits(tmp_path, group, folder, files):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    8000 kB\n")
    assert available_memory(tmp_path) == 8000 << 10
    (tmp_path / "proc/self/cgroup").write_text(group + "\n")
    here = tmp_path / folder
    here.mkdir(parents=True)
    for name, text in zip((*files[:2], "memory.stat"), ("5000", "3000", f"{files[2]} 1000\n"), strict=True):
        (here / name).write_text(text)
    assert available_memory(tmp_path) == 3000
    (here / "a").mkdir()
    for name, text in zip((*files[:2], "memory.stat"), ("500", "600", f"{files[2]} 0\n"), strict=True):
        (here / "a" / name).write_text(text)
    assert available_memory(tmp_path) == 0
