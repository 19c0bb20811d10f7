"""Without a GPU: steps, an evaluation and top lists of a fake one mix no devices, and wait for it where it is said."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from negsample.methods import METHODS, PAPER_SIX

HERE = Path(__file__).parent
CLEAN = [*PAPER_SIX, "mixed-log-q"]
VARIED = ["random", "mixed-log-q", "full-ce"]
WAITING = {
    "recent": "pairs_R, of_N = torch.unique(sequences_N * self._cuts + cuts_N, return_inverse=True)",
    "xir": "self._items, self._counts = torch.unique(ids, return_counts=True)",
}
"""Of the other methods those that wait, and the line that does."""
VARIANTS = (
    {"targets": "moments"},
    {"targets": "horizon"},
    {"weight_half_life": 3},
    {"table_optimizer": "adagrad", "table": "rows"},
    {"table_dtype": "bfloat16", "table": "rows"},
    {"terms": ["popularity", "recency", "repeats"]},
    {"terms": ["repeats"], "own_items": "sampled"},
)
ANSWERS = {
    "evaluation": "if not bool(are_finite):",
    "recommend": "scores, ids = (each.gather(1, order).cpu() for each in (scores, ids))",
}
"""The first line that waits: at the end, where the answer is."""


def asked():
    """All that is asked of the fake GPU: a method or an answer, and settings."""
    tables = [{"table": table} for table in ("dense", "rows")]
    every = [(what, table) for what in (*METHODS, *ANSWERS) for table in tables]
    every.append(("batches", {"table": "dense"}))
    together = [(f"together {method}", table) for method in CLEAN for table in tables]
    return [*every, *together, *((method, each) for method in VARIED for each in VARIANTS)]


@pytest.fixture(scope="module")
def waits(tmp_path_factory):
    """What each waits for, from a process of its own: the fake device stays for as long as a process lives."""
    log = tmp_path_factory.mktemp("log") / "log.csv"
    draws = np.random.default_rng(0)
    rows = [f"{draws.integers(70)},{draws.integers(40)},{1_500_000_000 + 1000 * n}\n" for n in range(1400)]
    log.write_text("user,item,time\n" + "".join(rows))
    env = {**os.environ, "NEGSAMPLE_CACHE": str(log.parent), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, HERE / "fake_gpu.py", log, *map(json.dumps, asked())]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = zip(asked(), json.loads(done.stdout.splitlines()[-1]), strict=True)
    by_case = {(what, json.dumps(changes)): each for (what, changes), each in found}
    return lambda what, changes: by_case[what, json.dumps(changes)]


@pytest.mark.parametrize("table", ["dense", "rows"])
@pytest.mark.parametrize("method", CLEAN)
def test_a_step_waits_for_nothing(method, table, waits):
    assert waits(method, {"table": table}) is None


def test_batches_are_gathered_there_without_a_wait(waits):
    assert waits("batches", {"table": "dense"}) is None


@pytest.mark.parametrize("table", ["dense", "rows"])
@pytest.mark.parametrize("method", CLEAN)
def test_a_step_of_several_seeds_waits_for_nothing(method, table, waits):
    assert waits(f"together {method}", {"table": table}) is None


@pytest.mark.parametrize("method", VARIED)
@pytest.mark.parametrize("changes", VARIANTS, ids=str)
def test_a_step_with_other_settings_waits_for_nothing(method, changes, waits):
    assert waits(method, changes) is None


@pytest.mark.parametrize("table", ["dense", "rows"])
def test_the_other_methods_wait_where_it_is_said(table, waits):
    found = {method: waits(method, {"table": table}) for method in METHODS if method not in CLEAN}
    assert {method: each["line"] for method, each in found.items() if each} == WAITING


@pytest.mark.parametrize("table", ["dense", "rows"])
@pytest.mark.parametrize("what", list(ANSWERS))
def test_measuring_and_recommending_wait_for_the_answer_alone(what, table, waits):
    assert waits(what, {"table": table})["line"] == ANSWERS[what]
