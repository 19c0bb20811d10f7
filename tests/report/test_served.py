"""The table on who is served, and the sentences beside it."""

from __future__ import annotations

import polars as pl
import pytest
from make_study import make_study

from negsample import write_report
from negsample.report.served import served_table, served_words

SIZES = {"users": 2163, "effective_users": 812.4, "new_events": 9000, "repeat_events": 926} | {
    f"cut_{cohort}_events": count for cohort, count in (("head", 3000), ("mid", 2926), ("tail", 4000))
}


def with_groups(config, metrics):
    """Figures of groups, beside the usual ones; no repeat on one of the datasets."""
    for part in ("valid", "test"):
        usual = metrics[part]
        for name in ("hr", "ndcg"):
            usual[f"user_{name}@10"], usual[f"new_{name}@10"] = 1.5 * usual[f"{name}@10"], 0.5 * usual[f"{name}@10"]
            usual[f"repeat_{name}@10"] = None if config["dataset"] == "beauty" else 2 * usual[f"{name}@10"]
            usual |= {f"cut_{each}_{name}@10": usual[f"{each}_{name}@10"] for each in ("head", "mid", "tail")}
        usual["cut_balance@10"] = 0.9
        usual |= SIZES


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    study = make_study(tmp_path_factory.mktemp("served"), methods=("random", "PopRec"), change=with_groups)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("negsample.report.page.write_figures", lambda figures, folder: [])  # drawing takes seconds
        return write_report(study)


def test_the_page_has_a_table_for_each_dataset(report):
    page = report.read_text()
    assert page.count(">Who is served, and how</h3>") == 2
    assert "mean over the 2,163 users" in page
    assert "one over 812 users with equally many events" in page
    assert "the 926 events on an item that the user has" in page
    assert "3,000 head, 2,926 mid, 4,000 tail" in page


def test_columns_are_added_to_the_table_with_their_spread(report):
    table = pl.read_csv(report.parent / "table.csv")
    random = table.row(by_predicate=(pl.col("dataset") == "online-retail") & (pl.col("method") == "random"), named=True)
    assert random["user_hr@10"] == pytest.approx(1.5 * random["hr@10"])
    assert random["repeat_ndcg@10_sd"] == pytest.approx(2 * random["ndcg@10_sd"])
    assert random["cut_balance@10"] == pytest.approx(0.9)
    assert table.columns.index("failed") < table.columns.index("user_hr@10")


def test_a_column_without_any_figure_is_left_out():
    row = {"method": "random", "runs": 3, "hr@10": 0.1, "user_hr@10": 0.2, "repeat_hr@10": None, "balance@10": None}
    assert [column.name for column in served_table([row]).columns] == ["hr@10", "user_hr@10"]


def test_runs_of_before_have_no_table():
    assert not served_table([{"method": "random", "runs": 3, "hr@10": 0.1, "balance@10": 0.5}]).columns
    assert served_words({"events": 5}) == []
