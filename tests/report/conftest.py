"""A headless Chromium, driven by Playwright; every page opened in it must stay silent and load nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

OpenPage = Callable[..., "Page"]


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """The browser installed on this machine; Playwright downloads none."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        pytest.skip("no chromium on PATH: the page cannot be opened")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--host-resolver-rules=MAP * ~NOTFOUND"])
        yield browser
        browser.close()


def opened(chromium: Browser) -> Iterator[OpenPage]:
    """``open_page(report)``: the page in a tab of its own, once its charts are drawn.

    At the end: nothing was printed to the console, and nothing was requested but the page itself.
    """
    pages: list[Page] = []

    def open_report(
        report: Path, width: int = 1280, height: int = 900, phone: bool = False, scheme: Any = "light"
    ) -> Page:
        size: Any = {"width": width, "height": height}
        context = chromium.new_context(viewport=size, is_mobile=phone, has_touch=phone, color_scheme=scheme)
        pages.append(context.new_page())
        pages[-1].goto(report.as_uri())
        pages[-1].wait_for_function("document.documentElement.dataset.drawn === 'yes'")
        return pages[-1]

    yield open_report
    for page in pages:
        printed = [message.text for message in page.console_messages()] + list(map(str, page.page_errors()))
        requested = {request.url.partition(":")[0] for request in page.requests()}
        page.context.close()
        assert printed == []
        assert requested <= {"file", "blob", "data"}


open_page = pytest.fixture(opened)
open_page_for_all = pytest.fixture(scope="module")(opened)
