"""Runs that failed: a row without figures, the reason, and how many failed of a method that has figures."""

import html
import re
import shutil

import polars as pl
import pytest
from make_study import make_study

from negsample.analysis.reading import read_study
from negsample.analysis.tables import study_table, table_with_failures
from negsample.report import write_report
from negsample.report.tables import failure_lines
from negsample.runs.failed import Failed, write_failed

pytestmark = pytest.mark.usefixtures("no_drawing")

REASON = "training diverged: the loss became nan in epoch 1, step 1; <take> a larger temperature"


def fail(folder, run, reason=REASON):
    name = run.folder.name
    shutil.rmtree(run.folder)
    of = run.config
    named = {key: of[key] for key in ("dataset", "method", "seed")}
    write_failed(folder, Failed(run=name, kind="diverged", reason=reason, config=of, facts={}, **named))


def test_failed_runs_stand_in_table_and_page(tmp_path):
    folder = make_study(tmp_path / "study", datasets=["beauty"], methods=["random", "mixed", "PopRec"])
    study = read_study(folder)
    for run in [*study.runs_of("beauty", "mixed"), study.runs_of("beauty", "random")[0]]:
        fail(folder, run)
    study = read_study(folder)
    assert study.missing == 0
    assert study_table(study)["method"].to_list() == ["random", "PopRec"]
    whole = table_with_failures(study)
    assert whole.select("method", "runs", "failed").rows() == [("random", 2, 1), ("mixed", 0, 3), ("PopRec", 3, 0)]
    assert whole.filter(pl.col("method") == "mixed")["hr@10"].to_list() == [None]
    assert failure_lines(study, "beauty") == [
        ("random", "1 of 3 runs failed; its figures are means over the others", [f"seed 0: {REASON}"]),
        ("mixed", "3 of 3 runs failed", [f"seeds 0, 1, 2: {REASON}"]),
    ]
    page = write_report(folder).read_text("utf-8")
    assert "4 runs failed; why stands below each table." in page
    assert "This study is not finished" not in page
    assert "No run has finished yet" not in page
    (foot,) = re.findall(r"<tfoot>(.*?)</tfoot>", page, re.DOTALL)
    assert html.escape(REASON, quote=False) in foot
    assert pl.read_csv(folder / "table.csv")["failed"].to_list() == [1, 3, 0]


def test_a_run_that_was_finished_later_has_not_failed(tmp_path):
    folder = make_study(tmp_path / "study", datasets=["beauty"], methods=["random", "PopRec"])
    run = read_study(folder).runs[0]
    shutil.copytree(run.folder, tmp_path / "kept")
    fail(folder, run)
    assert len(read_study(folder).failures) == 1
    shutil.copytree(tmp_path / "kept", run.folder)
    assert read_study(folder).failures == []
    assert "failed" not in re.sub(
        "<script.*?</script>|<style.*?</style>", "", write_report(folder).read_text(), flags=re.DOTALL
    )
