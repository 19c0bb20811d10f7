"""The page as a person meets it, in a headless Chromium."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from make_study import METHODS, make_study

from negsample.report import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Page

    OpenPage = Callable[..., Page]


METHOD_CHARTS = (
    *("frontier", "cohort-bars", "popularity-hits", "training-curves"),
    *("tuning-learning-rate", "tuning-random-negatives", "tuning-batch-size"),
    *("search", "training-time", "peak-memory", "oversampling"),
)
HOSTILE = 'x"]<img src=x onerror=alert(1)>&\\_'


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tuned") / "study"
    return write_report(
        make_study(folder, datasets=["online-retail", "beauty"], methods=METHODS[:4] + METHODS[-1:], tuned=True)
    )


@pytest.fixture(scope="module")
def shared_page(open_page_for_all: OpenPage, report: Path) -> Page:
    return open_page_for_all(report)


@pytest.fixture
def page(shared_page: Page) -> Page:
    """The page as it is opened; what a test moves but for a choice of methods, it moves back."""
    shared_page.keyboard.press("Escape")
    assert pale_rows(shared_page) == set()
    return shared_page


def settle(page: Page) -> None:
    page.wait_for_timeout(400)
    page.wait_for_function("document.documentElement.dataset.drawn === 'yes'")


def pale(page: Page, chart: str) -> list[str]:
    """The entries of a chart's legend that are faded."""
    found: list[str] = page.evaluate(
        "(chart) => [...document.querySelectorAll('#' + CSS.escape(chart) + ' .role-legend-label text')]"
        ".filter(e => e.getAttribute('opacity') < 1).map(e => e.textContent)",
        chart,
    )
    return sorted(found)


def faded_marks(page: Page, chart: str) -> int:
    count: int = page.evaluate(
        "(chart) => [...document.querySelectorAll('#' + CSS.escape(chart) + ' .role-mark [opacity]')]"
        ".filter(e => e.getAttribute('opacity') <= 0.2 && e.getAttribute('opacity') > 0).length",
        chart,
    )
    return count


def pale_rows(page: Page) -> set[str]:
    return set(page.evaluate("[...document.querySelectorAll('tr.pale')].map(e => e.dataset.method)"))


def test_it_asks_for_nothing_and_draws_every_chart(page: Page) -> None:
    settle(page)
    assert len(page.requests()) == 1
    empty = page.evaluate(
        "[...document.querySelectorAll('.chart')].filter(e => !e.querySelector('svg path')).map(e => e.id)"
    )
    assert empty == []
    ids = set(page.evaluate("[...document.querySelectorAll('.chart')].map(e => e.id)"))
    assert {f"{name}--online-retail" for name in METHOD_CHARTS} <= ids
    assert "oversampling--beauty" not in ids
    assert "popularity-beside" in ids


def click_on(page: Page, how: str) -> None:
    """On the method ``mixed``, in one of the ways that there are."""
    if how == "chip":
        return page.click(".chip[data-method=mixed]")
    if how == "row":
        return page.click(".sortable tr[data-method=mixed] button")
    at = {
        "legend": "#training-curves--beauty .role-legend-label text",
        "mark": "#training-time--beauty .role-mark path",
    }[how]
    n = page.evaluate(
        f"[...document.querySelectorAll('{at}')].findIndex(e => e.textContent === 'mixed'"
        " || (e.getAttribute('aria-label') ?? '').includes('method: mixed'))"
    )
    assert n >= 0
    return page.locator(at).nth(n).click()


def test_a_method_is_highlighted_everywhere(page: Page) -> None:
    others = {each for each in METHODS[:4] + METHODS[-1:] if each != "mixed"}
    settle(page)
    before = {name: faded_marks(page, f"{name}--online-retail") for name in METHOD_CHARTS}
    for how in ("chip", "row", "legend", "mark"):
        assert pale_rows(page) == set()
        click_on(page, how)
        settle(page)
        for dataset in ("online-retail", "beauty"):
            assert set(pale(page, f"popularity-hits--{dataset}")) == others, how
            assert set(pale(page, f"training-curves--{dataset}")) == others, how
        for name in set(METHOD_CHARTS) - {"oversampling"}:
            assert faded_marks(page, f"{name}--online-retail") > before[name], (how, name)
        assert pale_rows(page) == others
        assert page.evaluate("document.querySelector('.chip[data-method=mixed]').ariaPressed") == "true"
        assert page.evaluate("document.getElementById('chosen').textContent") == "Highlighted: mixed"
        page.keyboard.press("Escape")
        settle(page)
        assert {name: faded_marks(page, f"{name}--online-retail") for name in METHOD_CHARTS} == before, how


def test_the_choice_survives_dark_and_the_dial_and_escape_ends_it(page: Page) -> None:
    page.click(".chip[data-method=mixed]")
    page.click(".chip[data-method=random]")
    others = ["PopRec", "in-batch", "popularity"]
    settle(page)
    assert pale(page, "training-curves--beauty") == others
    page.emulate_media(color_scheme="dark")
    settle(page)
    assert pale(page, "training-curves--beauty") == others
    ink = page.evaluate(
        "document.querySelector('#training-curves--beauty .role-legend-label text').getAttribute('fill')"
    )
    assert ink == "#e6e8eb"
    page.evaluate("document.querySelector('.dial input').focus()")
    page.keyboard.press("ArrowLeft")
    settle(page)
    assert pale(page, "training-curves--online-retail") == others
    page.keyboard.press("Escape")
    settle(page)
    assert pale(page, "training-curves--online-retail") == []
    assert pale_rows(page) == set()
    assert page.evaluate("document.querySelector('.chip[data-all]').ariaPressed") == "true"
    assert "towards the tail" in page.evaluate("document.querySelector('.dial output').textContent")
    page.keyboard.press("ArrowRight")
    page.emulate_media(color_scheme="light")


def test_the_main_table_follows_the_dial_and_goes_back(page: Page) -> None:
    cells = "[...document.querySelectorAll('.sortable')[0].querySelectorAll('tbody td')].map(e => e.innerHTML)"
    page.evaluate("document.querySelector('[data-asmeasured=dataset-1]').click()")  # a test before this moved it
    before = page.evaluate(cells)
    page.focus(".dial input")
    page.keyboard.press("Home")
    turned = page.evaluate(cells)
    assert turned != before
    figures = page.evaluate("JSON.parse(document.getElementById('dialled').textContent)['dataset-1']['-1'].random")
    shown = "[...document.querySelectorAll('.sortable')[0].querySelectorAll('tr[data-method=random] td')]"
    assert page.evaluate(f"{shown}.map(e => e.firstChild.textContent)") == [text for _, text, *_ in figures]
    page.click("[data-asmeasured='dataset-1']")
    assert page.evaluate(cells) == before
    assert page.evaluate("document.querySelector('[data-asmeasured]').hidden")


def test_all_is_reached_by_keys(page: Page) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.method") == "popularity":
            break
    page.keyboard.press("Enter")
    assert pale_rows(page) == {"random", "in-batch", "mixed", "PopRec"}
    unreached = page.evaluate(
        "[...document.querySelectorAll('button, input, .scroll')].filter(e => e.tabIndex < 0).map(e => e.outerHTML)"
    )
    assert unreached == []


def test_hover_shows_values(page: Page, report: Path) -> None:
    from playwright.sync_api import TimeoutError as TooLateError

    at = "#training-time--beauty .role-mark path"
    n = page.evaluate(f"[...document.querySelectorAll('{at}')].findIndex(e => e.ariaLabel?.includes('method: mixed'))")
    for _ in range(20):  # a chart above that is drawn meanwhile moves this one from under the pointer
        page.locator(at).nth(n).hover()
        with suppress(TooLateError):
            page.wait_for_function("document.querySelector('#vg-tooltip-element.visible')", timeout=1500)
            break
        page.mouse.move(0, 0)
    text = page.evaluate("document.querySelector('#vg-tooltip-element').textContent")
    seconds = pl.read_csv(report.parent / "table.csv").filter(dataset="beauty", method="mixed")["train_seconds"].item()
    assert "mixed" in text
    assert f"{seconds:.0f}\N{NO-BREAK SPACE}s" in text


def saved(page: Page, button: str, folder: Path) -> tuple[str, bytes]:
    """The name and content of the file that a button saves, pressed by key."""
    with page.expect_download() as waiting:
        page.press(button, "Enter")
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path.name, path.read_bytes()


def test_what_is_saved(page: Page, report: Path, tmp_path: Path) -> None:
    page.click(".chip[data-method=mixed]")
    of = "[data-save={}][data-of='{}']:not([data-copy])"
    name, content = saved(page, of.format("svg", "frontier--beauty"), tmp_path)
    svg = content.decode()
    assert name == "frontier--beauty.svg"
    assert svg.startswith("<svg")
    assert 'fill="#ffffff"' in svg
    assert "adaptive" not in svg
    assert ">mixed<" in svg
    name, png = saved(page, of.format("png", "frontier--beauty"), tmp_path)
    assert name == "frontier--beauty.png"
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(png[16:20], "big") == 1280
    name, csv = saved(page, of.format("csv", "dataset-2"), tmp_path)
    assert name == "table--beauty.csv"
    table = pl.read_csv(report.parent / "table.csv").filter(dataset="beauty")
    assert pl.read_csv(csv).equals(table)
    name, tex = saved(page, of.format("tex", "dataset-2"), tmp_path)
    assert name == "table--beauty.tex"
    assert tex.decode() in (report.parent / "table.tex").read_text()


def test_what_is_copied(page: Page, report: Path) -> None:
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.clip = text; }; 0")
    page.click("[data-save=tex][data-of='dataset-1'][data-copy]")
    page.wait_for_function("window.clip")
    assert page.evaluate("window.clip") in (report.parent / "table.tex").read_text()
    assert "Copied" in page.evaluate("document.querySelector('.saves output').textContent")
    refuse = (
        "navigator.clipboard.writeText = async () => { throw new Error('no'); }; document.execCommand = () => false; 0"
    )
    page.evaluate(refuse)
    page.click("[data-save=csv][data-of='dataset-1'][data-copy]")
    page.wait_for_function("document.querySelector('.saves output').textContent.includes('save it instead')")


def test_a_heading_sorts(page: Page) -> None:
    """The last of those on the shared page, whose rows stay sorted."""
    page.click(".sortable thead tr:last-child th:nth-child(2) button")
    first = "[...document.querySelectorAll('.sortable')][0]"
    values = page.evaluate(f"[...{first}.tBodies[0].rows].map(r => Number(r.cells[1].dataset.value))")
    assert values == sorted(values, reverse=True)
    assert len(values) == 5
    page.click(".sortable thead tr:last-child th:nth-child(2) button")
    again = page.evaluate(f"[...{first}.tBodies[0].rows].map(r => Number(r.cells[1].dataset.value))")
    assert again == values[::-1]
    page.click(".sortable thead tr:last-child th[data-best=low] button")
    seconds = page.evaluate(f"[...{first}.tBodies[0].rows].map(r => Number([...r.cells].at(-1).dataset.value))")
    assert seconds == sorted(seconds)


def test_on_a_phone_nothing_overflows_and_targets_are_large(open_page: OpenPage, report: Path) -> None:
    page = open_page(report, 390, 844, phone=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    over = "[...document.querySelectorAll('.chart svg')].filter(e => e.getBoundingClientRect().right > 391).length"
    assert page.evaluate(over) == 0
    small = (
        "[...document.querySelectorAll('.chip, .saves button')].filter(e => !e.hidden && e.offsetHeight < 44).length"
    )
    assert page.evaluate(small) == 0


def test_hostile_methods_are_highlighted_too(open_page: OpenPage, tmp_path: Path) -> None:
    study = make_study(tmp_path / "s", datasets=["a"], methods=[HOSTILE, "mixed", "PopRec"], repeats=1)
    page = open_page(write_report(study))
    page.locator(".chip").nth(1).click()
    assert pale_rows(page) == {"mixed", "PopRec"}
    assert page.evaluate("document.images.length") == 0


def test_the_values_of_a_chart_are_a_table(page: Page, report: Path) -> None:
    page.click("details[data-values='training-time--beauty'] summary")
    page.wait_for_selector("[data-values='training-time--beauty'] td")  # it is made when it is opened
    cells = page.evaluate(
        "[...document.querySelectorAll('[data-values=\"training-time--beauty\"] tr')].map(r =>"
        " [...r.cells].map(c => c.textContent))"
    )
    assert cells[0] == ["method", "to the chosen epoch", "in all", "runs"]
    assert [line[0] for line in cells[1:]] == list(METHODS[:4])


def test_every_chart_has_values(page: Page) -> None:
    empty = page.evaluate(
        "[...document.querySelectorAll('details[data-values]')].filter(e => { e.open = true;"
        " e.dispatchEvent(new Event('toggle')); return e.querySelectorAll('tbody tr').length === 0; })"
        ".map(e => e.dataset.values)"
    )
    assert empty == []
    page.evaluate("document.querySelectorAll('details[data-values]').forEach(e => { e.open = false; })")


def test_what_is_printed_has_every_chart_in_light_colours(open_page: OpenPage, report: Path) -> None:
    page = open_page(report, scheme="dark")
    page.emulate_media(media="print")
    ink = "[...document.querySelectorAll('.chart text')].map(e => e.getAttribute('fill'))"
    page.wait_for_function(f"!{ink}.some((each) => ['#e6e8eb', '#a2a9b4'].includes(each))")
    assert page.evaluate("[...document.querySelectorAll('.chart')].every(e => e.querySelector('svg'))")
    assert page.pdf()[:4] == b"%PDF"


def test_it_is_small_and_opens_at_once(open_page: OpenPage, report: Path) -> None:
    assert report.stat().st_size < 900_000  # of two datasets
    page = open_page(report)
    assert page.evaluate("performance.getEntriesByName('first-chart')[0].startTime") < 10_000  # a busy machine


def test_the_filter_leaves_methods_everywhere(page: Page) -> None:
    def labels(chart: str) -> set[str]:
        return set(
            page.evaluate(f"[...document.querySelectorAll('#{chart} .role-axis-label text')].map(e => e.textContent)")
        )

    def rows() -> set[str]:
        return set(
            page.evaluate("[...document.querySelectorAll('tr[data-method]:not([hidden])')].map(e => e.dataset.method)")
        )

    page.fill("#search", "cross-entropy")  # a family
    page.wait_for_function("document.getElementById('chosen').textContent === '4 of 5 methods shown'")
    settle(page)
    assert rows() == set(METHODS[:4])
    assert "PopRec" not in labels("cohort-bars--beauty") | labels("significance--beauty")
    page.fill("#search", "mixed")
    settle(page)
    assert rows() == {"mixed"}
    assert "random" not in labels("training-time--beauty")
    assert page.locator(".chip[data-method]:visible").count() == 1
    page.fill("#search", "")
    page.select_option("#top", "")
    settle(page)
    assert rows() == {*METHODS[:4], "PopRec"}


def test_a_family_is_highlighted_at_once(page: Page) -> None:
    page.click("[data-family='Binary cross-entropy']")
    assert pale_rows(page) == {"PopRec"}
    page.click("[data-family='Binary cross-entropy']")
    assert pale_rows(page) == set()
