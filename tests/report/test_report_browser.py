"""The page as a person meets it, in a headless Chromium."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from browser import CHROMIUM, PATIENCE, Browser, browser
from make_study import METHODS, make_study

from negsample.report import write_report

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium binary on PATH: the page cannot be opened here")

METHOD_CHARTS = (
    *("frontier", "cohort-bars", "popularity-hits", "accuracy-balance", "training-curves"),
    *("tuning-learning-rate", "tuning-random-negatives", "tuning-batch-size"),
    *("training-time", "peak-memory", "oversampling"),
)
HOSTILE = 'x"]<img src=x onerror=alert(1)>&\\_'


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned") / "study"
    return write_report(
        make_study(folder, datasets=["online-retail", "beauty"], methods=METHODS[:4] + METHODS[-1:], tuned=True)
    )


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as found:
        yield found


@pytest.fixture
def tab(chromium: Browser, page: Path) -> Iterator[Browser]:
    chromium.said.clear()
    chromium.asked.clear()
    chromium.open(page)
    yield chromium
    assert chromium.said == []
    assert {address.split(":")[0] for address in chromium.asked} <= {"file", "blob", "data"}


SETTLED = "new Promise(done => setTimeout(done, 400))"


def pale(tab: Browser, chart: str) -> list[str]:
    """The entries of a chart's legend that are faded."""
    tab.run(SETTLED)
    found: list[str] = tab.run(
        f"[...document.querySelectorAll('#' + CSS.escape({json.dumps(chart)}) + ' .role-legend-label text')]"
        ".filter(e => e.getAttribute('opacity') < 1).map(e => e.textContent)"
    )
    return sorted(found)


def faded_marks(tab: Browser, chart: str) -> int:
    count: int = tab.run(
        f"[...document.querySelectorAll('#' + CSS.escape({json.dumps(chart)}) + ' .role-mark [opacity]')]"
        ".filter(e => e.getAttribute('opacity') <= 0.2 && e.getAttribute('opacity') > 0).length"
    )
    return count


def pale_rows(tab: Browser) -> set[str]:
    return set(tab.run("[...document.querySelectorAll('tr.pale')].map(e => e.dataset.method)"))


def test_it_asks_for_nothing_and_draws_every_chart(tab: Browser) -> None:
    tab.run(SETTLED)
    assert len(tab.asked) == 1
    empty = tab.run("[...document.querySelectorAll('.chart')].filter(e => !e.querySelector('svg path')).map(e => e.id)")
    assert empty == []
    ids = set(tab.run("[...document.querySelectorAll('.chart')].map(e => e.id)"))
    assert {f"{name}--online-retail" for name in METHOD_CHARTS} <= ids
    assert "oversampling--beauty" not in ids
    assert "popularity-beside" in ids


@pytest.mark.parametrize("how", ["chip", "row", "legend", "mark"])
def test_a_method_is_highlighted_everywhere(tab: Browser, how: str) -> None:
    others = {each for each in METHODS[:4] + METHODS[-1:] if each != "mixed"}
    before = {name: faded_marks(tab, f"{name}--online-retail") for name in METHOD_CHARTS}
    if how == "chip":
        tab.click(".chip[data-method=mixed]")
    elif how == "row":
        tab.click(".sortable tr[data-method=mixed] button")
    else:
        at = {
            "legend": "#frontier--beauty .role-legend-label text",
            "mark": "#training-time--beauty .role-mark path",
        }[how]
        n = tab.run(
            f"[...document.querySelectorAll('{at}')].findIndex(e => e.textContent === 'mixed'"
            " || (e.getAttribute('aria-label') ?? '').includes('method: mixed'))"
        )
        assert n >= 0
        tab.click(at, n)
    for dataset in ("online-retail", "beauty"):
        assert set(pale(tab, f"frontier--{dataset}")) == others
        assert set(pale(tab, f"training-curves--{dataset}")) == others
    for name in set(METHOD_CHARTS) - {"oversampling"}:
        assert faded_marks(tab, f"{name}--online-retail") > before[name], name
    assert pale_rows(tab) == others
    assert tab.run("document.querySelector('.chip[data-method=mixed]').ariaPressed") == "true"
    assert tab.run("document.getElementById('chosen').textContent") == "Brought out: mixed"


def test_the_choice_survives_dark_and_the_dial_and_escape_ends_it(tab: Browser) -> None:
    tab.click(".chip[data-method=mixed]")
    tab.click(".chip[data-method=random]")
    others = ["PopRec", "in-batch", "popularity"]
    assert pale(tab, "frontier--beauty") == others
    tab.colours("dark")
    assert pale(tab, "frontier--beauty") == others
    ink = tab.run("document.querySelector('#frontier--beauty .role-legend-label text').getAttribute('fill')")
    assert ink == "#e6e8eb"
    tab.run("document.querySelector('.dial input').focus()")
    tab.press("ArrowLeft")
    assert pale(tab, "frontier--online-retail") == others
    tab.press("Escape")
    assert pale(tab, "frontier--online-retail") == []
    assert pale_rows(tab) == set()
    assert tab.run("document.querySelector('.chip[data-all]').ariaPressed") == "true"
    assert "towards the tail" in tab.run("document.querySelector('.dial output').textContent")


def test_all_is_reached_by_keys(tab: Browser) -> None:
    for _ in range(12):
        tab.press("Tab")
        if tab.run("document.activeElement.dataset.method") == "popularity":
            break
    tab.press("Enter")
    assert pale_rows(tab) == {"random", "in-batch", "mixed", "PopRec"}
    unreached = tab.run(
        "[...document.querySelectorAll('button, input, .scroll')].filter(e => e.tabIndex < 0).map(e => e.outerHTML)"
    )
    assert unreached == []


def test_a_heading_sorts(tab: Browser) -> None:
    tab.click(".sortable thead tr:last-child th:nth-child(2) button")
    first = "[...document.querySelectorAll('.sortable')][0]"
    values = tab.run(f"[...{first}.tBodies[0].rows].map(r => Number(r.cells[1].dataset.value))")
    assert values == sorted(values, reverse=True)
    assert len(values) == 5
    tab.click(".sortable thead tr:last-child th:nth-child(2) button")
    again = tab.run(f"[...{first}.tBodies[0].rows].map(r => Number(r.cells[1].dataset.value))")
    assert again == values[::-1]


def test_hover_shows_values(tab: Browser, page: Path) -> None:
    at = "#training-time--beauty .role-mark path"
    n = tab.run(f"[...document.querySelectorAll('{at}')].findIndex(e => e.ariaLabel?.includes('method: mixed'))")
    tab.hover(at, n)
    tab.until("document.querySelector('#vg-tooltip-element.visible')")
    text = tab.run("document.querySelector('#vg-tooltip-element').textContent")
    seconds = pl.read_csv(page.parent / "table.csv").filter(dataset="beauty", method="mixed")["train_seconds"].item()
    assert "mixed" in text
    assert f"{seconds:.0f}\N{NO-BREAK SPACE}s" in text


def saved(tab: Browser, press: str, folder: Path) -> tuple[str, bytes]:
    """The name and content of the file that a button saves, pressed by key."""
    tab.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    before = set(folder.iterdir())
    tab.run(f"document.querySelector({json.dumps(press)}).focus()")
    tab.press("Enter")
    end = time.monotonic() + PATIENCE
    while not (found := {each for each in folder.iterdir() if each.suffix != ".crdownload"} - before):
        assert time.monotonic() < end, "nothing was saved"
        tab.run("0")
        time.sleep(0.1)
    (path,) = found
    return path.name, path.read_bytes()


def test_what_is_saved(tab: Browser, page: Path, tmp_path: Path) -> None:
    tab.click(".chip[data-method=mixed]")
    of = "[data-save={}][data-of='{}']:not([data-copy])"
    name, content = saved(tab, of.format("svg", "frontier--beauty"), tmp_path)
    svg = content.decode()
    assert name == "frontier--beauty.svg"
    assert svg.startswith("<svg")
    assert 'fill="#ffffff"' in svg
    assert "adaptive" not in svg
    assert ">mixed<" in svg
    name, png = saved(tab, of.format("png", "frontier--beauty"), tmp_path)
    assert name == "frontier--beauty.png"
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(png[16:20], "big") == 1280
    name, csv = saved(tab, of.format("csv", "dataset-2"), tmp_path)
    assert name == "table--beauty.csv"
    table = pl.read_csv(page.parent / "table.csv").filter(dataset="beauty")
    assert pl.read_csv(csv).equals(table)
    name, tex = saved(tab, of.format("tex", "dataset-2"), tmp_path)
    assert name == "table--beauty.tex"
    assert tex.decode() in (page.parent / "table.tex").read_text()


def test_what_is_copied(tab: Browser, page: Path) -> None:
    tab.run("navigator.clipboard.writeText = async (text) => { window.clip = text; }; 0")
    tab.click("[data-save=tex][data-of='dataset-1'][data-copy]")
    tab.until("window.clip")
    assert tab.run("window.clip") in (page.parent / "table.tex").read_text()
    assert "Copied" in tab.run("document.querySelector('.saves output').textContent")
    refuse = (
        "navigator.clipboard.writeText = async () => { throw new Error('no'); }; document.execCommand = () => false; 0"
    )
    tab.run(refuse)
    tab.click("[data-save=csv][data-of='dataset-1'][data-copy]")
    tab.until("document.querySelector('.saves output').textContent.includes('save it instead')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_overflows_and_targets_are_large(chromium: Browser, page: Path, scheme: str) -> None:
    chromium.open(page, 390, 844, phone=True, scheme=scheme)
    assert chromium.run("document.documentElement.scrollWidth") <= 390
    over = chromium.run(
        "[...document.querySelectorAll('.chart svg')].filter(e => e.getBoundingClientRect().right > 391).length"
    )
    assert over == 0
    small = chromium.run(
        "[...document.querySelectorAll('.chip, .saves button')].filter(e => e.offsetHeight < 44).length"
    )
    assert small == 0


def test_hostile_methods_are_highlighted_too(chromium: Browser, tmp_path: Path) -> None:
    page = write_report(make_study(tmp_path / "s", datasets=["a"], methods=[HOSTILE, "mixed", "PopRec"], repeats=1))
    chromium.said.clear()
    chromium.open(page)
    chromium.click(".chip", 1)
    assert chromium.run("document.querySelectorAll('tr.pale').length") > 0
    assert pale_rows(chromium) == {"mixed", "PopRec"}
    assert chromium.run("document.images.length") == 0
    assert chromium.said == []
