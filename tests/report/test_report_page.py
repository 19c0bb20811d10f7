from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
from make_study import METHODS, make_study

from negsample.report import write_report

CHARTS = (
    *("frontier", "cohort-bars", "popularity-hits"),  # those follow the dial
    *("accuracy-balance", "training-curves", "popularity-curve", "training-time"),
)
HOSTILE = "</script><script>document.title='taken'</script><img src=x onerror=alert(1)>"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
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
    names = {f"{chart}--{dataset}.svg" for chart in CHARTS for dataset in ("online-retail", "beauty")}
    assert {path.name for path in (folder / "figures").iterdir()} == names | {"popularity-beside.svg"}
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
    assert rows == [*METHODS, *METHODS]
    assert "42 of 42 runs finished" in page
    order = ('class="headline"', 'class="dial', 'class="reach"', 'class="charts"', 'class="sortable"')
    assert sorted(order, key=page.index) == list(order)
    assert "negsample compare online-retail beauty --methods random,popularity,in-batch" in page
    by_dataset = {f"{c}--{d}" for c in CHARTS for d in ("online-retail", "beauty")}
    assert set(specs(page)) == by_dataset | {"popularity-beside"}


def specs(page: str) -> dict[str, object]:
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.DOTALL)
    assert found is not None
    value: dict[str, object] = json.loads(found[1])
    return value


def test_names_from_outside_are_escaped(hostile: Path) -> None:
    page = hostile.read_text()
    assert HOSTILE not in page
    assert "<img" not in page[: page.index('id="charts"')]
    assert html.escape(f"column {HOSTILE}", quote=False).split("'")[0] in page
    assert len(specs(page)) == 15
    scripts = [attributes for tag, attributes in Elements(page).found if tag == "script"]
    assert len(scripts) == 6


def test_best_is_bold_by_what_is_shown_and_zero_never(report: Path) -> None:
    table = report.read_text().split('class="sortable"')[1].split("</tbody>")[0]
    best = re.search(r'data-value="adaptive-mixed">.*?<td data-value="[^"]+" class="first best">', table, re.DOTALL)
    assert best is not None
    popular = table[table.index('data-value="PopRec"') :]
    assert "best" not in popular


def test_unfinished_studies_say_so(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", datasets=["beauty", "other"], repeats=1)
    for path in (study / "runs").glob("1-*"):
        shutil.rmtree(path)
    shutil.rmtree(study / "runs" / "0-mixed-0")
    page = write_report(study).read_text()
    assert "6 of 14 runs finished" in page
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


NO_BROWSER = pytest.mark.skipif(CHROMIUM is None, reason="no chromium binary on PATH: the page cannot be opened here")


def opened(page: Path, folder: Path) -> str:
    """The page's elements once it has been drawn, and nothing was said on the console."""
    command = [str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    command += ["--no-first-run", f"--user-data-dir={folder}", "--host-resolver-rules=MAP * ~NOTFOUND"]
    command += ["--window-size=1280,2000", "--virtual-time-budget=8000", "--enable-logging=stderr", "--dump-dom"]
    ended = subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=60, check=True)
    assert [line for line in ended.stderr.splitlines() if "CONSOLE" in line] == []
    assert 'data-drawn="yes"' in ended.stdout.split(">")[1] + ended.stdout.split(">")[2]
    return ended.stdout


@NO_BROWSER
@pytest.mark.parametrize("which", ["report", "hostile"])
def test_a_browser_draws_every_chart(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    page: Path = request.getfixturevalue(which)
    dom = opened(page, tmp_path)
    assert "<title>taken" not in dom
    for name in specs(page.read_text()):
        container = dom[dom.index(f'id="{name}"') :]
        assert "<svg" in container[: container.index("</figure>")]


@NO_BROWSER
def test_the_slider_turns_the_dial_of_its_dataset_for_all_methods(report: Path, tmp_path: Path) -> None:
    """Pushed to the tail end once the page is drawn: bars and curves of that dataset change, and no other's."""
    push = """<script>(function wait() {
      if (document.documentElement.dataset.drawn !== "yes") return setTimeout(wait, 50);
      const slider = document.querySelector(".dial input");
      slider.value = 0;
      slider.dispatchEvent(new Event("input"));
    })();</script></body>"""
    pushed = tmp_path / "pushed.html"
    page, end = report.read_text().rsplit("</body>", 1)
    pushed.write_text(page + push + end)
    before, after = opened(report, tmp_path / "one"), opened(pushed, tmp_path / "two")
    assert "β = 0, as trained" in before
    assert "β = −1, towards the tail" in after
    assert "β = 0, as trained" in after  # the other dataset's

    def drawn(dom: str, name: str) -> str:
        part = dom[dom.index(f'id="{name}"') :]
        return part[: part.index("</figure>")]

    for chart in CHARTS:
        moved = drawn(before, f"{chart}--online-retail") != drawn(after, f"{chart}--online-retail")
        assert moved == (chart in ("frontier", "cohort-bars", "popularity-hits")), chart
        assert drawn(before, f"{chart}--beauty") == drawn(after, f"{chart}--beauty"), chart
    shown = pl.read_csv(report.parent / "frontier.csv").filter(dataset="online-retail", dial=-1.0)
    for method in set(METHODS) - {"PopRec"}:
        mean = 100 * shown.filter(method=method)["head_hr@10"].mean()
        assert f">head {mean:.2f}<" in drawn(after, "cohort-bars--online-retail")
