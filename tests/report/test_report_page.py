from __future__ import annotations

import base64
import gzip
import html
import json
import re
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from make_study import METHODS, make_study

from negsample.report import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Page

    OpenPage = Callable[..., Page]

CHARTS = (
    *("frontier", "cohort-bars", "popularity-hits", "by-dial"),  # those follow the dial
    *("significance", "critical-difference", "training-curves", "popularity-curve", "training-time"),
)
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory, pictures: Callable[[], AbstractContextManager[None]]) -> Path:
    with pictures():
        return write_report(make_study(tmp_path_factory.mktemp("report") / "study"))


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile") / "study"
    return write_report(make_study(folder, datasets=[HOSTILE, "a & b"], repeats=1, notes=[f"column {HOSTILE}"]))


class Elements(HTMLParser):
    """The elements of a page with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_what_is_written(report: Path) -> None:
    folder = report.parent
    names = {f"{chart}--{dataset}" for chart in CHARTS for dataset in ("online-retail", "beauty")}
    names |= {"popularity-beside", "over-logs", "effects-by-log"}
    assert {path.name for path in (folder / "figures").iterdir()} == {f"{n}.{k}" for n in names for k in ("svg", "png")}
    assert all(path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" for path in (folder / "figures").glob("*.png"))
    assert all("<path" in path.read_text() for path in (folder / "figures").glob("*.svg"))
    assert len(pl.read_csv(folder / "table.csv")) == 14
    assert not list(folder.rglob(".*"))


def test_the_page_loads_nothing_from_outside(report: Path) -> None:
    page = report.read_text()
    for tag, attributes in Elements(page).found:
        assert tag not in ("link", "iframe", "object", "embed", "base")
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert not attributes.get(name) or str(attributes[name]).startswith("#")
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert "default-src 'none'" in page
    assert "$schema" not in json.dumps(specs(page))


def test_every_method_every_section(report: Path) -> None:
    page = report.read_text()
    rows = re.findall(r'<th scope="row" data-value="([^"]+)">', page)
    assert rows == 4 * [*METHODS]  # of both datasets the figures by cohort, and those at other cut-offs
    assert "42 of 42 runs finished" in page
    order = ('class="advice"', 'class="verdict"', 'class="dial', 'class="sortable"', 'class="reach"', 'class="charts"')
    assert sorted(order, key=page.index) == list(order)
    assert "The study again:" not in page  # nobody noted a command
    by_dataset = {f"{c}--{d}" for c in CHARTS for d in ("online-retail", "beauty")}
    assert set(specs(page)) == by_dataset | {"popularity-beside", "over-logs", "effects-by-log"}


def specs(page: str) -> dict[str, object]:
    """The charts of a page, by name."""
    found = re.search(r'<script type="text/plain" id="charts">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    value: dict[str, object] = json.loads(gzip.decompress(base64.b64decode(found[1])))
    return value


def test_names_from_outside_are_escaped(hostile: Path) -> None:
    page = hostile.read_text()
    assert HOSTILE not in page
    assert "<img" not in page[: page.index('id="charts"')]
    assert html.escape(f"column {HOSTILE}", quote=False).split("'")[0] in page
    assert len(specs(page)) == 18
    scripts = [attributes for tag, attributes in Elements(page).found if tag == "script"]
    assert len(scripts) == 8


def test_best_is_bold_by_what_is_shown_and_zero_never(report: Path) -> None:
    table = report.read_text().split('class="sortable"')[1].split("</tbody>")[0]
    best = re.search(r'data-value="adaptive-mixed">.*?<td data-value="[^"]+" class="first best">', table, re.DOTALL)
    assert best is not None
    popular = table[table.index('data-value="PopRec"') :]
    assert not re.search(r'class="[^"]*best', popular)


def test_unfinished_studies_say_so(tmp_path: Path) -> None:
    study = make_study(
        tmp_path / "study", datasets=["beauty", "other"], methods=["random", "mixed", "PopRec"], repeats=1
    )
    for path in (study / "runs").glob("1-*"):
        shutil.rmtree(path)
    shutil.rmtree(study / "runs" / "0-mixed-0")
    page = write_report(study).read_text()
    assert "2 of 6 runs finished" in page
    assert "Nothing has finished on other." in page
    assert "No run has finished yet of mixed." in page


def test_the_report_again_from_the_folder_alone(report: Path, tmp_path: Path) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(report.parent, copy)
    for path in (copy / "table.csv", copy / "frontier.csv", copy / "report.html"):
        path.unlink()
    again = write_report(copy)
    assert (copy / "table.csv").read_bytes() == (report.parent / "table.csv").read_bytes()
    assert (copy / "frontier.csv").read_bytes() == (report.parent / "frontier.csv").read_bytes()
    assert again.read_bytes() == report.read_bytes()


@pytest.mark.parametrize("which", ["report", "hostile"])
def test_a_browser_draws_every_chart(which: str, request: pytest.FixtureRequest, open_page: OpenPage) -> None:
    report: Path = request.getfixturevalue(which)
    page = open_page(report)
    assert page.title() != "taken"
    assert page.locator("img").count() == 0
    for name in specs(report.read_text()):
        assert page.locator(f'[id="{name}"] svg').count() > 0


def test_the_slider_moves_the_dial_of_its_dataset_for_all_methods(report: Path, open_page: OpenPage) -> None:
    """Moved to the tail end: bars and curves of that dataset change, and no other's."""
    page = open_page(report)

    def dials() -> list[str]:
        return page.locator(".dial output").all_inner_texts()

    def drawn() -> dict[str, str]:
        return {name: page.locator(f'[id="{name}"]').inner_html() for name in specs(report.read_text())}

    before = drawn()
    assert dials() == ["dial 0, as trained"] * 2
    page.locator(".dial input").first.fill("0")
    page.wait_for_timeout(400)
    after = drawn()
    assert dials() == ["dial −1, towards the tail", "dial 0, as trained"]
    for chart in CHARTS:
        moved = before[f"{chart}--online-retail"] != after[f"{chart}--online-retail"]
        assert moved == (chart in CHARTS[:4]), chart
        assert before[f"{chart}--beauty"] == after[f"{chart}--beauty"], chart
    shown = pl.read_csv(report.parent / "frontier.csv").filter(dataset="online-retail", dial=-1.0)
    for method in set(METHODS) - {"PopRec"}:
        mean = 100 * shown.filter(method=method)["head_hr@10"].mean()
        assert f">head {mean:.2f}<" in after["cohort-bars--online-retail"]
