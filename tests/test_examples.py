"""Every example runs as it stands, and what it trains has learned something."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent.parent / "examples"
EXAMPLES = sorted(path for path in FOLDER.glob("*.py") if path.name != "plugin.py")  # which test_plugin_example.py runs


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs_and_beats_chance(path, tmp_path):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "error", path], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    found = re.fullmatch(r"hit rate at 10: (.+) before, (.+) after; by chance (.+)", last)
    assert found, f"an example ends with its hit rate at 10 before and after, and by chance; this with {last!r}"
    before, after, chance = map(float, found.groups())
    assert before < 5 * chance
    assert after > 20 * chance


def test_own_loop_is_short():
    (own_loop,) = (path for path in EXAMPLES if path.name == "own_loop.py")
    assert len(own_loop.read_text().splitlines()) < 60
