"""One page of several studies: its files, what it refuses, its charts in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from several_studies import made

import negsample
from benchmarks.reliability import studies
from benchmarks.reliability.studies.checker import joint
from benchmarks.reliability.studies.checker.check import said_wrongly
from benchmarks.reliability.studies.checker.page import Element, read_page
from benchmarks.reliability.studies.kinds import methods
from benchmarks.reliability.studies.plan import Plan
from benchmarks.reliability.studies.writing import made as written
from benchmarks.reliability.studies.writing import write_study
from negsample import InputError
from negsample.files.checksums import LIST, read_list
from negsample.report.figures import Figure
from negsample.report.several import joint_parts
from negsample.studies.verify import verify

if TYPE_CHECKING:
    from conftest import OpenPage

KINDS = (  # the others are tried by the benchmark
    *("two-studies", "two-studies-other-methods", "two-studies-nothing-common", "two-studies-other-events"),
    *("two-studies-one-run", "two-studies-rules", "two-studies-no-test-events", "two-studies-failed", "two-logs"),
    *("two-logs-one-method", "two-logs-one-without-hits", "two-logs-missing", "seven-logs", "logs-and-studies"),
)


@pytest.mark.usefixtures("every_replicate")
@pytest.mark.parametrize("kind", KINDS)
def test_every_sentence_is_true(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    charts = kind in ("two-studies", "two-logs")
    assert studies.outcome(kind, 1, tmp_path / "study", charts=charts) == studies.TRUE, capsys.readouterr().out


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of two studies of different logs, each with seven trained methods and three baselines."""
    folder = tmp_path_factory.mktemp("seven")
    of = methods(np.random.default_rng(4), 7, 3)
    plan = Plan(of, seeds=2, users=60, events=150, cut_offs=(10,))
    for name in ("shop", "news"):
        write_study(plan._replace(datasets=(name,)), folder / name, np.random.default_rng(1))
    return negsample.write_joint_report([folder / "shop", str(folder / "news")], folder / "page")


def test_a_page_of_two_logs_and_seven_methods_is_small_and_opens_at_once(seven: Path, open_page: OpenPage) -> None:
    assert seven.stat().st_size < 1_300_000
    began = monotonic()
    page = open_page(seven)
    first = page.evaluate("performance.getEntriesByName('first-chart')[0].startTime")
    assert first < 4000  # a second on a machine that does nothing else
    assert monotonic() - began < 30
    for name in ("over-logs", "effects-by-log"):
        assert page.locator(f"#{name} svg").count() == 1
    headings = page.locator("main h2").all_inner_texts()
    assert headings[:3] == ["Over the logs", "shop", "news"]
    choice = page.locator("#effects-by-log select")
    before = page.locator("#effects-by-log svg").inner_html()
    choice.select_option("the best rule of each log")
    page.wait_for_timeout(300)
    assert page.locator("#effects-by-log svg").inner_html() != before


def test_its_files_are_listed_and_whole(seven: Path) -> None:
    listed = read_list(seven.parent / LIST, "report").files
    names = {"report.html", "studies.json", "over_logs.csv", "over_logs_significance.csv", "figures/over-logs.svg"}
    assert names <= set(listed)
    assert {path.relative_to(seven.parent).as_posix() for path in seven.parent.rglob("*.*")} == {*listed, LIST}
    (found,) = verify(seven.parent)
    assert (found.kind, found.damaged) == ("report", [])
    table = pl.read_csv(seven.parent / "over_logs.csv")
    own = pl.read_csv(seven.parent / "over_logs_significance.csv")
    assert set(table["log"]) == {"shop", "news", "all logs"}
    assert own.filter(pl.col("measure") == "ndcg@10").height == 7 * 6 / 2 + 7 * 3


def test_another_page_takes_its_place_and_nothing_else_is_touched(tmp_path: Path) -> None:
    found = made(tmp_path, "two-studies-same")
    other = made(tmp_path / "other", "two-logs")

    def write_figures(figures: Sequence[Figure], folder: Path) -> list[str]:
        for figure in figures:
            (folder / f"{figure.name}.svg").write_text("<svg/>")
        return []

    with (
        patch("negsample.report.several.write_figures", write_figures),
        patch("negsample.report.paging.page_charts", return_value={}),
    ):
        negsample.write_joint_report(found.studies, tmp_path / "page")
        assert (tmp_path / "page" / "changes.csv").exists()
        assert (tmp_path / "page" / "figures" / "changes.svg").exists()
        negsample.write_joint_report(other.studies, tmp_path / "page")
    assert not (tmp_path / "page" / "changes.csv").exists()
    assert not (tmp_path / "page" / "figures" / "changes.svg").exists()
    assert json.loads((tmp_path / "page" / "studies.json").read_text())["studies"].keys() == {"one", "other"}
    for study in found.studies:
        assert not study.report_path.exists()


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    found = made(tmp_path, "two-studies-same")
    folders = [study.folder for study in found.studies]
    for out in (folders[0], tmp_path):
        with pytest.raises(InputError, match="holds something else"):
            negsample.write_joint_report(folders, out)
    with pytest.raises(InputError, match="is given twice"):
        negsample.write_joint_report([folders[0], folders[0]], tmp_path / "page")
    with pytest.raises(InputError, match="two or more, got 0"):
        negsample.write_joint_report([], tmp_path / "page")
    assert not (tmp_path / "page").exists()


def test_plots_are_those_of_the_page(tmp_path: Path) -> None:
    found = made(tmp_path, "two-studies")
    before, after = found.studies
    (part,) = joint_parts(found)
    (figure,) = part.figures
    chart = after.plot.changes(before, dark=True).to_dict()
    assert chart["datasets"] == figure.spec["datasets"]
    assert after.changes(before).equals(
        next(iter(part.files.values())).with_columns(a=pl.lit("before"), b=pl.lit("after"))
    )
    with pytest.raises(InputError, match="compares methods over two logs or more"):
        after.plot.over_logs()
    with pytest.raises(InputError, match="is given twice"):
        after.plot.changes(after)
    logs = made(tmp_path / "logs", "logs-and-studies").studies[0]
    assert logs.plot.over_logs().to_dict()["description"].startswith("Methods without a significant difference over")
    assert logs.plot.effects_by_log().to_dict()["height"] > 0
    assert set(logs.over_logs()["log"]) == {"shop", "news", "all logs"}


@pytest.mark.usefixtures("every_replicate")
@pytest.mark.parametrize("kind", ["two-studies", "two-logs"])
def test_a_changed_number_is_noticed(tmp_path: Path, kind: str) -> None:
    """Each number of what stands first is another one, one after another: the checker says so each time."""
    with (
        patch("negsample.report.page.write_figures", return_value=[]),
        patch("negsample.report.several.write_figures", return_value=[]),
    ):
        page = read_page(written(kind, 2, tmp_path / "x"))
    places = joint.places_of(tmp_path / "x")
    assert said_wrongly(page, places) == []
    parts = [each for each in page.every("section") if "joint" in each.classes]
    unnoticed = []
    for element, at in [each for part in parts for each in _numbers(part)]:
        text = str(element.inside[at])
        element.inside[at] = re.sub(r"\d(?=\D*$)", lambda digit: str((int(digit[0]) + 5) % 10), text, count=1)
        if not list(joint.check(page, list(places.values()))):
            unnoticed.append((text, element.inside[at]))
        element.inside[at] = text
    assert unnoticed == []


def _numbers(element: Element) -> list[tuple[Element, int]]:
    found: list[tuple[Element, int]] = []
    for at, each in enumerate(element.inside):
        if isinstance(each, str):
            found += [(element, at)] if re.search(r"\d", each) else []
        elif each.tag != "button" or each["data-method"]:
            found += _numbers(each)
    return found
