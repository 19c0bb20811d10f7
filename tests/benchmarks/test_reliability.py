"""A few of what `benchmarks/reliability` tries by the thousand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.reliability import corruptions, faults, total


def test_damaged_files_are_named():
    outcomes = total(corruptions.measure(24, seed=1))
    assert sum(outcomes.values()) == 24
    assert not faults(outcomes), outcomes
    assert outcomes[corruptions.TOLD] > 12


OF_TWO = """
import sys
from benchmarks.reliability import __main__, kills
series = kills._series
kills._series = lambda scratch: [each._replace(share=50) for each in series(scratch) if each.name in ("train", "tune")]
sys.exit(__main__.main())
"""


def test_killed_commands_end_with_the_same_numbers():
    """In a process of its own, since it forks; `tests/e2e/test_kills.py` kills studies."""
    done = subprocess.run(
        [sys.executable, "-c", OF_TWO, "kills", "--count", "2"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout[done.stdout.index("{\n") :])
    assert found["outcomes"] == {"ended with the same numbers": 2, "lost": 0}
