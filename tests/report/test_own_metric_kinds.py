"""Own metrics that are plain numbers, or best where they are lowest, in every table."""

from __future__ import annotations

import re
from typing import Any

import pytest
from make_study import make_study
from rich.console import Console

from negsample.analysis.analyse import analyse
from negsample.analysis.measures import kinds_of, measures_of
from negsample.analysis.reading import read_study
from negsample.analysis.study import Study
from negsample.cli.terminal import print_metrics, print_study
from negsample.errors import InputError
from negsample.report.latex import latex_tables
from negsample.report.page import write_report
from negsample.report.table import FiguresTable, figures_table, main_columns, other_columns

METHODS = ("random", "mixed", "PopRec")
POSITION = dict(zip(METHODS, (1234.5, 0.0, 1500.0), strict=True))
GAIN = dict(zip(METHODS, (-0.5, -0.25, 0.0), strict=True))
MISSES = dict(zip(METHODS, (0.5, 0.25, 1.0), strict=True))
KINDS = {
    "position": {"higher_is_better": False, "unit": "number"},
    "gain": {"higher_is_better": True, "unit": "number"},
    "misses": {"higher_is_better": False, "unit": "%"},
}
WORDS = "position: a plain number, lower is better; gain: a plain number; misses: lower is better"


def with_kinds(config: dict[str, Any], metrics: dict[str, Any]) -> None:
    for name, values in (("position", POSITION), ("gain", GAIN), ("misses", MISSES)):
        for scope in ("", "warm_", "head_", "mid_", "tail_"):
            metrics["test"] |= {f"{scope}{name}@{k}": values[config["method"]] for k in (10, 50)}
    metrics["metric_kinds"] = KINDS


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("kinds") / "study"
    return read_study(make_study(folder, ["beauty"], METHODS, change=with_kinds))


@pytest.fixture(scope="module")
def tables(study: Study) -> tuple[FiguresTable, FiguresTable]:
    rows, measures, kinds = analyse(study).datasets["beauty"].rows, measures_of(study.runs), kinds_of(study.runs)
    return figures_table(rows, main_columns(measures, kinds)), figures_table(rows, other_columns(measures, kinds))


def shown(table: FiguresTable, name: str) -> dict[str, tuple[str, bool]]:
    at = [column.name for column in table.columns].index(name)
    return {line.method: (line.cells[at].text, line.cells[at].best) for line in table.lines}


def test_the_best_is_at_the_good_end_and_a_plain_number_is_shown_as_it_is(tables):
    main, other = tables
    for table, name in ((main, "tail_position@10"), (other, "position@50")):
        assert shown(table, name) == {
            "random": ("1,234.500", False),
            "mixed": ("0.000", True),
            "PopRec": ("1,500.000", False),
        }
    assert shown(main, "gain@10") == {
        "random": ("-0.500", False),
        "mixed": ("-0.250", False),
        "PopRec": ("0.000", True),
    }
    assert shown(main, "misses@10") == {
        "random": ("50.00", False),
        "mixed": ("25.00", True),
        "PopRec": ("100.00", False),
    }


def test_headings_name_the_unit_and_notes_the_direction(tables):
    main, other = tables
    assert [group for group, _ in main.groups] == [
        "HR@10, %",
        "NDCG@10, %",
        "position@10",
        "gain@10",
        "misses@10, %",
        "",
    ]
    assert [group for group, _ in other.groups][-2:] == ["at 50, %", "at 50"]
    assert main.notes == WORDS
    assert set(other.notes.split("; ")) == set(WORDS.split("; "))


def test_latex_says_what_is_not_in_percent(study, tables):
    text = latex_tables(study, "beauty", *tables)
    for table in tables:
        assert f"in \\% ({table.notes}): mean $\\pm$ standard deviation" in text
    assert r"\textbf{0.000}" in text


@pytest.mark.usefixtures("no_drawing")
def test_the_page_says_it_and_sorts_from_the_good_end(study):
    page = write_report(study).read_text("utf-8")
    assert f"The best of each column is bold. {WORDS}. A heading sorts." in page
    assert page.count('data-best="low"') >= 2 * 4 + 1


def test_the_terminal_marks_the_same_cells(study, monkeypatch):
    out = Console(record=True, width=400, force_terminal=True, color_system="standard")
    with out.capture() as captured:
        print_study(out, study)
    text = captured.get()
    bold = re.findall("\x1b\\[1m *([-0-9.]+)\x1b", text)
    worse = ("1500.00", "100.00", "-0.500")
    assert [each for each in bold if each in ("0.000", "25.00", *worse)] == ["0.000", "25.00", "0.000"]
    assert "1,500.000" in text
    assert WORDS in text
    with out.capture() as captured:
        print_metrics(out, "random", next(run for run in study.runs if run.config["method"] == "random").metrics)
    assert "1,234.500" in captured.get()
    assert WORDS in captured.get()


def test_a_kind_that_is_none_is_damage(tmp_path):
    def change(config: dict[str, Any], metrics: dict[str, Any]) -> None:
        with_kinds(config, metrics)
        metrics["metric_kinds"] = {"position": {"unit": "metres"}}

    with pytest.raises(InputError, match=r"metrics\.json.*metric_kinds"):
        read_study(make_study(tmp_path / "study", ["beauty"], METHODS, change=change))
