"""Parity: ours is held against the mean of the reference's runs, and pages say what the result says."""

from __future__ import annotations

import json

import pytest

from benchmarks import in_batch_parity
from benchmarks.common import RESULTS
from benchmarks.parity import _merged, reference_runs
from benchmarks.parity_page import FIGURES, beside, curve, ingredients_table, lines, picture, runs_table, their_curve
from scripts.figures_in_docs import ROOT

PAPER = ROOT / "docs" / "paper.md"


def run(method: str, hr: float, epoch: int = 100) -> dict[str, object]:
    best = {"epoch": epoch, "hr": hr, "ndcg": hr / 2, "balance": 0.6, "head_hr": 0.3, "mid_hr": 0.2, "tail_hr": 0.1}
    log = [{"epoch": at, "valid": {"hr": hr * at / 100}} for at in (50, 100)]
    return {"method": method, "best": best, "log": log}


@pytest.fixture
def folder(tmp_path):
    files = {
        "mixed": run("mixed", 0.02),
        "in-batch": run("in-batch", 0.024),
        "in-batch-seed2": run("in-batch", 0.022, 80),
    }
    for name, content in files.items():
        (tmp_path / f"beauty5-{name}.json").write_text(json.dumps(content))
    return tmp_path


def test_runs_of_a_method_are_read_together(folder):
    found = reference_runs(folder)
    assert {method: len(runs) for method, runs in found.items()} == {"in-batch": 2, "mixed": 1}


def test_ours_is_held_against_their_mean(folder):
    ours = {name: {"ours": value, "sd": 0.1} for name, value in zip(FIGURES, (1.96, 1.3, 30, 20, 10, 60), strict=True)}
    row = beside("in-batch", reference_runs(folder)["in-batch"], ours, [100, 80, 100])
    assert row["hr@10"]["theirs"] == pytest.approx(2.3)
    assert row["hr@10"]["their_sd"] == pytest.approx(0.2 / 2**0.5)
    assert row["hr@10"]["ratio"] == pytest.approx(1.96 / 2.3)
    assert row["ndcg@10"]["ratio"] == pytest.approx(1.3 / 1.15)
    assert (row["hr@10"]["within"], row["ndcg@10"]["within"]) == (True, True)
    assert row["their_epochs"] == [100, 80]
    assert row["same_order"]
    far = beside("in-batch", reference_runs(folder)["in-batch"], ours | {"hr@10": {"ours": 1.95, "sd": 0.1}}, [100])
    assert not far["hr@10"]["within"]


def test_the_published_adaptive_has_the_pool_of_the_batch(folder):
    ours = {name: {"ours": 1.0, "sd": 0.0} for name in FIGURES}
    row = beside("adaptive-in-batch", [run("adaptive-in-batch", 0.01)], ours, [100])
    assert row["hr@10"]["within"]


def test_a_curve_is_the_mean_at_the_epochs_that_all_have(folder):
    assert curve([{20: 0.1, 40: 0.2}, {20: 0.3}]) == [{"epoch": 20, "mean": 20.0, "sd": pytest.approx(200**0.5)}]
    theirs = their_curve(reference_runs(folder)["in-batch"])
    assert [(each["epoch"], each["mean"]) for each in theirs] == [(50, pytest.approx(1.15)), (100, pytest.approx(2.3))]


def test_what_is_not_run_now_stays():
    before = [{"method": "mixed", "value": 1}, {"method": "random", "value": 2}]
    found = _merged(before, [{"method": "random", "value": 3}, {"method": "in-batch", "value": 4}], "method")
    assert [tuple(row.values()) for row in found] == [("in-batch", 4), ("mixed", 1), ("random", 3)]


def test_pages_have_the_tables_of_the_result(tmp_path, monkeypatch, pictures):
    found = json.loads((RESULTS / "parity.json").read_text("utf-8"))
    assert (RESULTS / "parity.md").read_text("utf-8") == "\n".join(lines(found)) + "\n"
    text = PAPER.read_text("utf-8")
    for table in (runs_table(found), ingredients_table(found)):
        assert "\n".join(table) in text
    monkeypatch.setattr("benchmarks.parity_page.IMAGES", tmp_path)
    with pictures():
        assert "in-batch" in picture(found["runs"]).read_text("utf-8")


def test_in_batch_by_epoch_is_measured_at_the_best_validation_epoch(folder):
    figures = dict.fromkeys(in_batch_parity.FIGURES, 1.0)
    log = [
        {"epoch": epoch, "valid": figures | {"hr@10": valid}, "test": figures | {"hr@10": test}}
        for epoch, valid, test in ((20, 5.0, 2.0), (40, 6.0, 1.5), (60, 6.0, 1.9))
    ]
    runs = [{"who": "ours", "seed": 0, "log": log}, {"who": "ours", "seed": 1, "log": log[:1]}]
    assert in_batch_parity.lines(runs[:1])[-1].startswith("| ours | 0 | 2.00 | 1.50 | 1.90 | 40 | 1.50 |")
    assert in_batch_parity.spread(runs, "ours") == (1.75, pytest.approx(0.125**0.5))


def test_the_reference_s_runs_have_the_same_form(folder):
    run = dict.fromkeys(("hr", "ndcg", "head_hr", "mid_hr", "tail_hr"), 0.01)
    content = {"method": "in-batch", "log": [{"epoch": 20, "loss": 1.0, "valid": run, "test": run}]}
    (folder / "beauty5-in-batch.json").write_text(json.dumps(content))
    (folder / "beauty5-in-batch-seed2.json").unlink()
    (found,) = in_batch_parity.theirs(folder)
    figures = dict.fromkeys(in_batch_parity.FIGURES, 1.0)
    assert found["log"] == [{"epoch": 20, "loss": 1.0, "valid": figures, "test": figures}]
