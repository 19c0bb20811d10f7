"""A log whose events count by a column, from `compare` to a model that is refreshed and trained on."""

from __future__ import annotations

import sys

import numpy as np

from negsample import load_model, read_study
from negsample.cli import app
from negsample.cli.console import exit_code
from negsample.report.facts import dataset_facts

FIRST = 1_600_000_000
LARGE = 1000


def write_log(path, days, seed, *, weights=True):
    """Everybody has what they have; item 129, which few have, counts most."""
    draws = np.random.default_rng(seed)
    rows = ["user,item,time,qty" if weights else "user,item,time"]
    for user in range(40):
        for moment in np.sort(draws.integers(days[0] * 86400, days[1] * 86400, 10)):
            item = draws.integers(100, 130)
            weight = f",{LARGE if item == 129 else 1}" if weights else ""
            rows.append(f"{user},{item},{FIRST + moment}{weight}")
    path.write_text("\n".join(rows) + "\n")
    return path


def test_a_log_with_weights_to_the_end(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("negsample.comparison.write_report", lambda *_, **__: None)  # takes longer than the rest

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["negsample", *map(str, arguments)])
        return exit_code(app) or 0, *capfd.readouterr()

    log, later = write_log(tmp_path / "log.csv", (0, 30), 0), write_log(tmp_path / "later.csv", (30, 33), 1)
    sizes = [each for pair in ("epochs=1", "dim=8", "max_length=6", "blocks=1") for each in ("--set", pair)]
    methods = ["--methods", "popularity,PopRec", "--test-fraction", 0.06]
    code, said, failed = run("compare", log, "--weight", "qty", *methods, *sizes, "--out", tmp_path / "study")
    assert code == 0, failed
    assert "count an event by column 'qty'" in " ".join(said.split())
    facts = dict(dataset_facts(read_study(tmp_path / "study").manifests["log"], "frozen"))
    assert "loss count an event as much as column 'qty' of the log says" in facts["Weights"]

    assert run("final", tmp_path / "study", "--method", "popularity", "--out", tmp_path / "M")[0] == 0
    made = load_model(tmp_path / "M")
    items = made.item_ids.to_list()
    assert items[int(made.data.train_counts[1:].argmax())] == "129"
    assert made.data.train_counts.sum() == made.data.weights.sum() > len(made.data.items) > made.data.weights.min() == 1
    assert items[int(made.target_counts[1:].argmax())] == "129"

    before = (tmp_path / "M" / "events.parquet").read_bytes()
    code, _, failed = run("refresh", tmp_path / "M", "--log", later)
    assert (code, "count by a column (qty); name that of the log with --weight COL" in " ".join(failed.split())) == (
        2,
        True,
    )
    assert (tmp_path / "M" / "events.parquet").read_bytes() == before
    assert run("refresh", tmp_path / "M", "--log", later, "--weight", "qty")[0] == 0
    known = load_model(tmp_path / "M").data
    assert len(known.items) == len(made.data.items) + 400
    np.testing.assert_array_equal(known.weights, np.where(known.items == items.index("129") + 1, LARGE, 1))
    on = ["final", "--from", tmp_path / "M", "--out", tmp_path / "M2"]
    assert run(*on, "--log", write_log(tmp_path / "last.csv", (33, 34), 2), "--weight", "qty")[0] == 0
    found = load_model(tmp_path / "M2").data
    np.testing.assert_array_equal(found.weights, np.where(found.items == items.index("129") + 1, LARGE, 1))
