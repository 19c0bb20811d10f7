"""Whether the page can be read and touched: contrast, sizes, widths; by WCAG 2.2."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from make_study import make_study

from negsample.report import write_report

if TYPE_CHECKING:
    from playwright.sync_api import Page

    OpenPage = Callable[..., Page]


METHODS = ("random", "mixed", "adaptive", "PopRec")
CONTRASTS = """(() => {
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (text) => text.match(/[\\d.]+/g).slice(0, 3).map((v) => linear(v / 255))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = light(getComputedStyle(document.documentElement).backgroundColor);
  const ratio = (a) => (Math.max(a, ground) + 0.05) / (Math.min(a, ground) + 0.05);
  const texts = "p, dt, dd, th, td, small, figcaption, h1, h4, .chip, .saves button";
  const words = [...document.querySelectorAll(texts)].map((each) => getComputedStyle(each).color);
  const axes = [...document.querySelectorAll(".chart svg [class*='role-axis-'] text")].map(
    (each) => getComputedStyle(each).fill);
  return { ground, words: words.length, axes: axes.length,
    least: Math.min(...[...words, ...axes].map(light).map(ratio)) };
})()"""
SMALL = """[...document.querySelectorAll("button, input, a")].map((each) => [each, each.getBoundingClientRect()])
  .filter(([, box]) => box.width && (box.height < 24 || box.width < 24))
  .map(([each, box]) => `${each.outerHTML.slice(0, 80)}: ${box.width} x ${box.height}`)"""
PLACES = """Object.fromEntries([...document.querySelectorAll(".chart")].map((each) => [each.id, {
  marks: each.querySelectorAll("svg [aria-roledescription]").length,
  right: each.querySelector("svg")?.getBoundingClientRect().right }]))"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("access") / "study"
    return write_report(make_study(folder, datasets=["beauty"], methods=METHODS, repeats=2, tuned=True))


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (390, "dark"), (1200, "light"), (1200, "dark")])
def test_the_page_can_be_read_and_touched(open_page: OpenPage, report: Path, width: int, scheme: str) -> None:
    """Every chart is drawn within the window; texts and axes stand out by 4.5 to 1 (1.4.3); and on a phone all that
    is touched has 24 pixels at least each way (2.5.8)."""
    page = open_page(report, width=width, height=844, phone=width < 1000, scheme=scheme)
    drawn: dict[str, Any] = page.evaluate(PLACES)
    assert {"training-time", "peak-memory", "oversampling", "tuning-learning-rate"} <= {
        name.partition("--")[0] for name in drawn
    }
    assert [name for name, each in drawn.items() if each["marks"] < 4 or each["right"] > width] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = page.evaluate(CONTRASTS)
    assert found["ground"] > 0.9 if scheme == "light" else found["ground"] < 0.02
    assert min(found["words"], found["axes"]) > 50
    assert found["least"] >= 4.5
    assert width > 1000 or page.evaluate(SMALL) == []


def test_what_is_undefined_sorts_below_both_ways(open_page: OpenPage, tmp_path: Path) -> None:
    def change(config: dict[str, Any], metrics: dict[str, Any]) -> None:
        if config["method"] == "mixed":
            metrics["test"]["balance@10"] = None

    how: dict[str, Any] = {"datasets": ["beauty"], "methods": METHODS, "repeats": 1, "dialled": False}
    page = open_page(write_report(make_study(tmp_path / "study", change=change, **how)))
    first = []
    for _ in range(2):
        page.click(".sortable thead tr:last-child th:nth-child(10) button")
        order = page.evaluate(
            "[...document.querySelector('.sortable').tBodies[0].rows].map((row) => row.dataset.method)"
        )
        assert order[-1] == "mixed"
        first.append(order[0])
    assert first[0] != first[1]
