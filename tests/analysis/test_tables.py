from __future__ import annotations

import math
import statistics
from pathlib import Path

import polars as pl
import pytest
from make_study import METHODS, make_study, measures

from negsample.analysis.reading import read_study
from negsample.analysis.tables import study_table, write_table
from negsample.errors import InputError
from negsample.report.facts import study_facts
from negsample.report.rendering import _json

CONTRACT = ["dataset", "method", "runs", "hr@10", "hr@10_sd", "ndcg@10", "ndcg@10_sd"]
CONTRACT += ["head_hr@10", "head_hr@10_sd", "mid_hr@10", "mid_hr@10_sd", "tail_hr@10", "tail_hr@10_sd"]
CONTRACT += ["head_ndcg@10", "head_ndcg@10_sd", "mid_ndcg@10", "mid_ndcg@10_sd", "tail_ndcg@10"]
CONTRACT += ["tail_ndcg@10_sd", "balance@10", "balance@10_sd", "coverage@10", "train_seconds"]
CONTRACT += ["steps_per_second"]


def one(path: Path, **how: object) -> pl.DataFrame:
    return study_table(read_study(make_study(path / "study", datasets=["beauty"], **how)))  # type: ignore[arg-type]


def row(table: pl.DataFrame, method: str) -> dict[str, float]:
    return table.row(by_predicate=pl.col("method") == method, named=True)


def test_columns_are_the_contract_s_and_rows_follow_the_study(whole_study: Path) -> None:
    table = study_table(read_study(whole_study))
    assert table.columns[: len(CONTRACT)] == CONTRACT
    pairs = [(dataset, method) for dataset in ("online-retail", "beauty") for method in METHODS]
    assert table.select("dataset", "method").rows() == pairs
    assert table["runs"].to_list() == [3] * len(pairs)


def test_mean_and_sample_sd_by_hand(tmp_path: Path) -> None:
    def change(config: dict, metrics: dict) -> None:
        metrics["test"]["hr@10"] = (0.01, 0.02, 0.06)[config["seed"]]

    found = row(one(tmp_path, change=change), "random")
    assert found["hr@10"] == pytest.approx(0.03)
    # deviations -0.02, -0.01, 0.03: squares 4 + 1 + 9 = 14e-4, over 3 - 1
    assert found["hr@10_sd"] == pytest.approx(math.sqrt(7e-4))


def test_sd_is_null_with_a_single_run(tmp_path: Path) -> None:
    table = one(tmp_path, repeats=1)
    assert all(table[name].null_count() == len(table) for name in table.columns if name.endswith("_sd"))
    assert table["hr@10"].null_count() == 0


def test_balance_averages_over_the_runs_where_it_is_defined(tmp_path: Path) -> None:
    def change(config: dict, metrics: dict) -> None:
        if config["method"] == "mixed":
            metrics["test"]["balance@10"] = (0.5, None, 0.7)[config["seed"]]
        if config["method"] == "random":
            metrics["test"] |= measures(0, 0, 0)

    table = one(tmp_path, change=change)
    assert row(table, "mixed")["balance@10"] == pytest.approx(0.6)
    assert row(table, "mixed")["balance@10_sd"] == pytest.approx(statistics.stdev([0.5, 0.7]))
    assert row(table, "random")["balance@10"] is None
    assert row(table, "random")["balance@10_sd"] is None


def test_the_same_folder_gives_the_same_table_twice(whole_study: Path, tmp_path: Path) -> None:
    first = write_table(study_table(read_study(whole_study)), tmp_path / "first.csv")
    second = write_table(study_table(read_study(whole_study)), tmp_path / "second.csv")
    assert first.read_bytes() == second.read_bytes()
    assert pl.read_csv(first).columns[: len(CONTRACT)] == CONTRACT


def test_a_missing_measure_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"metrics.json has no 'hr@10' for test"):
        one(tmp_path, change=lambda config, metrics: metrics["test"].pop("hr@10"))


def test_own_metrics_and_own_cut_offs_have_columns_at_the_end(tmp_path: Path) -> None:
    """Whatever stands in the runs' figures; one that a run lacks is averaged over the others."""

    def change(config: dict, metrics: dict) -> None:
        metrics["test"] |= {"hr@50": 0.2, "novelty@10": 0.4, "tail_novelty@10": 0.1, "tail_hr@50": 0.3}
        if config["seed"] == 0:
            del metrics["test"]["novelty@10"]

    table = one(tmp_path, change=change)
    usual = table.columns[: table.columns.index("failed") + 1]
    assert usual[: len(CONTRACT)] == CONTRACT
    assert {"hr@50", "hr@50_sd", "novelty@10", "novelty@10_sd", "tail_novelty@10", "mrr@5"} <= set(table.columns)
    assert not {"hr@50", "novelty@10", "mrr@5"} & set(usual)
    assert "tail_hr@50" not in table.columns
    assert row(table, "mixed")["novelty@10"] == pytest.approx(0.4)
    assert row(table, "mixed")["hr@50_sd"] == pytest.approx(0.0)


def test_a_study_gives_its_tables_and_shows_itself_in_a_line(whole_study: Path) -> None:
    study = read_study(whole_study)
    assert study.table().equals(study_table(study))
    assert study.frontier().columns[:4] == ["dataset", "method", "seed", "dial"]
    assert set(study.significance()["dataset"]) == {"online-retail", "beauty"}
    assert study.report_path == whole_study / "report.html"
    assert repr(study).endswith("online-retail, beauty; 7 methods, 42 of 42 runs>")
    assert "<table" in study._repr_html_()
    assert "&lt;Study" in study._repr_html_()


def test_the_page_says_what_runs_were_done_on(tmp_path: Path) -> None:
    card = {"name": "A card", "count": 2, "memory_bytes": 80 * 2**30, "cuda": "12.8"}
    about = {"cores": 16, "processor": "EPYC", "graphics": card, "python": "3.11", "torch": "2.9"}

    def change(config: dict, metrics: dict) -> None:
        config["machine"] = about if config["seed"] == 0 else about | {"graphics": None}

    made = make_study(tmp_path / "study", datasets=["beauty"], methods=("random",), repeats=3, change=change)
    said = dict(study_facts(read_study(made)))["Machine"].replace("\N{NO-BREAK SPACE}", " ")
    assert said == "16 cores, EPYC, 2 x A card of 80.0 GiB (CUDA 12.8); 16 cores, EPYC"


def test_no_number_on_a_page_is_one_that_a_browser_cannot_read() -> None:
    assert _json({"a": [math.nan, 1.5, -math.inf]}) == '{"a": [null, 1.5, null]}'
