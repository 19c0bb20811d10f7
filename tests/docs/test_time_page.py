"""The page of ways to train: of the model as it was trained, at dial 0, whatever was chosen afterwards."""

from __future__ import annotations

import json

from scripts import time_page
from scripts.figures_in_docs import ROOT

FOLDER = ROOT / "docs/studies/time"


def test_the_page_is_what_its_runs_make_of_it():
    lines = [json.loads(line) for line in (FOLDER / "runs.jsonl").read_text("utf-8").splitlines()]
    made = time_page.page(FOLDER, time_page.figures(lines))
    assert (FOLDER / "README.md").read_text("utf-8") == made, "run python -m scripts.time_page docs/studies/time"


def test_terms_and_the_dial_that_were_chosen_afterwards_have_no_part(run_folder, tmp_path):
    fitted = [(0.5, 0.9)] * 3
    plain = {"valid": (0.02, 0.4), "test_before_refit": (0.03, 0.5), "test": (0.04, 0.6)}
    run_folder(tmp_path, "random", valid=fitted, test=fitted, before=fitted, without=plain, dial=0.5)
    at = [[(0.5, 0.9), of, (0.7, 0.8)] for of in plain.values()]
    run_folder(tmp_path, "mixed", valid=at[0], before=at[1], test=at[2], dial=-0.5, targets="moments")
    run_folder(tmp_path, "PopRec", valid=[(0.01, 0.3)], test=[(0.02, 0.3)])
    lines = {(line["method"], line["way"]): line for line in time_page.lines_of(tmp_path)}
    assert {key: (line["valid_ndcg@10"], line["test_ndcg@10"]) for key, line in lines.items()} == {
        ("random", "rows"): (0.02, 0.03),
        ("random", "rows, refit"): (0.02, 0.04),
        ("mixed", "moments"): (0.02, 0.03),
        ("mixed", "moments, refit"): (0.02, 0.04),
        ("PopRec", "baseline"): (0.01, 0.02),
    }
    assert lines["random", "rows, refit"]["test_balance@10"] == 0.6
