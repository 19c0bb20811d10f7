"""`python -m scripts.report_screens`: first screens of reports of generated studies, for docs/images/report."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal, NamedTuple

from PIL import Image
from playwright.sync_api import sync_playwright

from benchmarks.reliability.studies.writing import made

TO = Path(__file__).parent.parent / "docs/images/report"
_FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
_COLOURS = 128
_SETTLED = 2500  # milliseconds until all charts are drawn


class Screen(NamedTuple):
    """``kind`` and ``seed``: of the generated study. ``size``: width and height, pixels."""

    file: str
    kind: str
    seed: int
    size: tuple[int, int] = (1400, 900)
    media: Literal["screen", "print"] = "screen"
    scheme: Literal["light", "dark"] = "light"


_WIDE, _PHONE, _PAPER = (1400, 900), (390, 844), (800, 1120)
SCREENS = (
    Screen("tuned-1400", "tuned", 5),
    Screen("tuned-390", "tuned", 5, _PHONE),
    Screen("tuned-dark", "tuned", 5, scheme="dark"),
    Screen("tuned-print", "tuned", 5, _PAPER, media="print"),
    Screen("untuned-1400", "two-runs", 1),
    Screen("cut-off-1400", "cut-off", 1),
    Screen("cut-off-390", "cut-off", 1, _PHONE),
    Screen("many-methods-1400", "many-methods", 1),
    Screen("many-methods-390", "many-methods", 1, _PHONE),
    Screen("no-hits-1400", "no-hits", 1),
    Screen("several-logs-1400", "two-logs", 1),
    Screen("two-studies-1400", "two-studies", 1),
)


def main() -> None:
    """Make all."""
    TO.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=[*_FLAGS])
        pages: dict[tuple[str, int], Path] = {}
        for each in SCREENS:
            study = (each.kind, each.seed)
            if study not in pages:
                pages[study] = made(*study, Path(scratch) / f"{each.kind}-{each.seed}")
            width, height = each.size
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=each.scheme)
            page.emulate_media(media=each.media)
            page.goto(pages[study].as_uri())
            page.wait_for_timeout(_SETTLED)
            file = TO / f"{each.file}.png"
            page.screenshot(path=file)
            page.close()
            Image.open(file).convert("RGB").quantize(_COLOURS, Image.Quantize.MAXCOVERAGE).save(file, optimize=True)
            print(file)


if __name__ == "__main__":
    main()
