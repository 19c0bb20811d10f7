"""The runner of benchmarks, the comparison with other libraries, and that every benchmark and script can be started."""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers.compare import Contestant, lines, row_of, write_sequences
from benchmarks.recommend import measured as measured_top_lists
from benchmarks.timed import UNCOUNTED, LimitError, peer, summed_up, timed
from negsample import load_dataset
from negsample.batches.epochs import target_counts

ROOT = Path(__file__).parents[2]
OTHERS = {"run_rectools", "run_recbole"}  # for interpreters with packages that ours has not
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for folder in ("benchmarks", "scripts")
    for path in (ROOT / folder).rglob("*.py")
    if path.stem not in OTHERS
)


@pytest.mark.parametrize("name", MODULES)
def test_every_benchmark_and_script_can_be_imported(name: str) -> None:
    importlib.import_module(name)


def runner(script: str) -> list[str]:
    return [sys.executable, "-c", script]


def test_sums_up_without_the_first_steps() -> None:
    said = {"whole_ms": [900.0] * UNCOUNTED + [1.0, 2.0, 6.0], "bare_ms": [900.0] * UNCOUNTED + [1.0, 1.0, 5.0]}
    found = summed_up(said | {"targets": [0] * UNCOUNTED + [10, 20, 30], "peak_mb": 7.0})
    assert found == {"steps": 3, "step_ms": 2.0, "mean_ms": 3.0, "bare_ms": 1.0, "targets": 20.0, "peak_mb": 7.0}


def test_a_runner_gets_its_request_and_answers_on_its_last_line() -> None:
    script = (
        "import json, sys; asked = json.loads(sys.argv[1]); print('chatter');"
        "print(json.dumps({'whole_ms': asked['ms'], 'bare_ms': asked['ms'], 'targets': asked['ms'], 'peak_mb': 1}))"
    )
    assert timed(runner(script), {"ms": [9.0] * UNCOUNTED + [4.0]})["step_ms"] == 4.0


def test_limits_and_failures_of_a_runner_are_told_apart() -> None:
    with pytest.raises(LimitError, match=r"more than 0.5 GiB of address space"):
        timed(runner("bytearray(2**31)"), {}, gigabytes=0.5)
    with pytest.raises(LimitError, match=r"more than 0 s"):
        timed(runner("import time; time.sleep(9)"), {}, seconds=0.2)
    with pytest.raises(RuntimeError, match="own words"):
        timed(runner("raise ValueError('own words')"), {})


def test_says_how_to_install_a_missing_peer() -> None:
    with pytest.raises(SystemExit, match="make bench"):
        peer("nobody")


def test_the_others_get_the_sequences_we_train_on(tmp_path) -> None:
    data = load_dataset("online-retail")
    path = tmp_path / "sequences.npz"
    targets = write_sequences(data, 50, path)
    written = np.load(path)
    later = np.flatnonzero(written["users"][1:] == written["users"][:-1]) + 1  # all but each user's first
    width = data.catalogue_size + 1
    ours = target_counts(data, max_length=50)
    assert len(later) == targets == ours.sum()
    np.testing.assert_array_equal(np.bincount(written["items"][later], minlength=width), ours)


def test_rows_are_medians_of_rounds_and_lines_compare_with_ours() -> None:
    def rounds(*ms: float) -> list[dict[str, float]]:
        return [
            {"steps": 9, "step_ms": each, "mean_ms": each, "bare_ms": each, "targets": 500.0, "peak_mb": 1.0}
            | {"torch": "2", "version": "1"}
            for each in ms
        ]

    rows = [
        row_of(Contestant("negsample", 5, [], {}), rounds(4.0, 2.0, 3.0)),
        row_of(Contestant("RecTools", 5, [], {}), rounds(30.0, 20.0, 90.0)),
    ]
    assert rows[0]["step_ms"] == 3.0
    assert rows[1]["us_a_target"] == 60.0
    assert [each["step_ms"] for each in rows[1]["rounds"]] == [30.0, 20.0, 90.0]
    settings = {"batch_size": 128, "max_length": 50, "dim": 50, "blocks": 2, "heads": 1, "dropout": 0.2}
    found = json.loads(json.dumps({"dataset": "x", "sequences": 1, "targets": 2, "settings": settings, "rows": rows}))
    assert "| 10.0 (7.5 to 30.0) | 10.0 |" in lines(found)[-1]


def test_measures_top_lists_of_a_model_by_chance() -> None:
    found = measured_top_lists(items=300, people=20, terms=True, length=5)
    assert found["people"] == 20
    assert found["ratio_of_products"] > 0
