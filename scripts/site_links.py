"""The links of HTML pages: what they name, what they load, and the anchors that are there."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

LOADS = {("script", "src"), ("img", "src"), ("iframe", "src"), ("source", "src"), ("video", "src"), ("object", "data")}
OF_CSS = re.compile(r"(?:url\(\s*|@import\s+)[\"']?([^\"')\s]+)")


class Links(NamedTuple):
    """Of one page: addresses that a reader may follow, those that it loads by itself, and its anchors."""

    followed: list[str]
    loaded: list[str]
    anchors: set[str]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links = Links([], [], set())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {key: value or "" for key, value in attrs}
        self.links.anchors.update(given[key] for key in ("id", "name") if key in given)
        self.links.loaded.extend(given[key] for key in given if (tag, key) in LOADS)
        self.links.loaded.extend(OF_CSS.findall(given.get("style", "")))
        if "href" in given:
            names = self.links.followed if tag == "a" or given.get("rel") in ("canonical", "next", "prev") else None
            (self.links.loaded if names is None else names).append(given["href"])


def links_of(html: str) -> Links:
    """All links of a page."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.links


def broken(page: Path, pages: dict[Path, Links]) -> list[str]:
    """The addresses on a page that lead nowhere: files or anchors that are not there, or ill-formed others.

    Args:
        page: the file of the page.
        pages: the links of all pages by their files; a file that is no page has no anchors.
    """
    return [each for each in pages[page].followed + pages[page].loaded if not _leads(each, page, pages)]


def _leads(address: str, page: Path, pages: dict[Path, Links]) -> bool:
    parts = urlsplit(address)
    if parts.scheme in ("http", "https"):
        return re.fullmatch(r"(?:localhost|[\w-]+(?:\.[\w-]+)+)(?::\d+)?", parts.netloc) is not None
    if parts.scheme or parts.netloc:
        return parts.scheme in ("mailto", "data")
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_file():
        return False
    return not parts.fragment or (target in pages and unquote(parts.fragment) in pages[target].anchors)
