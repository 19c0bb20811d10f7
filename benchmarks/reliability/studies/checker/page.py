"""A written page as a tree of elements, by the standard library's parser."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

_VOID = {"meta", "input", "br", "link", "img", "hr"}


class Element:
    """A tag with its attributes, and what is in it: elements and texts."""

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag, self.attributes = tag, attributes
        self.inside: list[Element | str] = []

    def __getitem__(self, name: str) -> str:
        return self.attributes.get(name, "")

    @property
    def classes(self) -> list[str]:
        """Those of its style."""
        return self["class"].split()

    def every(self, *tags: str) -> Iterator[Element]:
        """The elements of these tags in it, in the order of the page."""
        for each in self.inside:
            if isinstance(each, Element):
                if each.tag in tags:
                    yield each
                yield from each.every(*tags)

    def text(self, without: tuple[str, ...] = ()) -> str:
        """All that is written in it, white space as one space; but what is in tags ``without``."""
        return " ".join("".join(self._texts(without)).replace("\xa0", " ").split())

    def _texts(self, without: tuple[str, ...]) -> Iterator[str]:
        for each in self.inside:
            if isinstance(each, str):
                yield each
            elif each.tag not in without:
                yield from (" " if each.tag == "br" else "", *each._texts(without))


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open = [Element("page", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self.open[-1].inside.append(element)
        if tag not in _VOID:
            self.open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if tag in (each.tag for each in self.open):
            while self.open.pop().tag != tag:
                pass

    def handle_data(self, data: str) -> None:
        self.open[-1].inside.append(data)


class Cell:
    """Of a table: its text, the number it sorts by, its standard deviation, and its marks."""

    def __init__(self, of: Element) -> None:
        small = list(of.every("small"))
        marks = [each for each in of.every("span") if "differs" in each.classes]
        self.text = of.text(without=("small", "span"))
        self.value, self.spread = of["data-value"], small[0].text() if small else ""
        self.best, self.differs = "best" in of.classes, bool(marks)


class Table:
    """``label``: what it is. ``groups``: what stands above each heading. ``lines``: cells; ``foot``: texts below."""

    def __init__(self, of: Element, label: str) -> None:
        self.label = label
        head, *_ = of.every("thead")
        *above, last = head.every("tr")
        self.headings = [each.text() for each in last.every("th", "td")]
        spans = [(each.text(), int(each["colspan"] or 1)) for row in above for each in row.every("th", "td")]
        self.groups = [name for name, span in spans for _ in range(span)] or [""] * len(self.headings)
        body, *_ = of.every("tbody")
        self.lines = [[Cell(each) for each in row.every("th", "td")] for row in body.every("tr")]
        self.foot = [
            each.text() for foot in of.every("tfoot") for row in foot.every("tr") for each in row.every("th", "td")
        ]


def read_page(path: Path) -> Element:
    """The page at ``path``."""
    reader = _Reader()
    reader.feed(path.read_text("utf-8"))
    return reader.open[0]


def charts_of(page: Element) -> dict[str, Any]:
    """The charts of a page, as Vega draws them, by the id of their place."""
    found = next(each for each in page.every("script") if each["id"] == "charts")
    packed = "".join(each for each in found.inside if isinstance(each, str))
    charts = json.loads(gzip.decompress(base64.b64decode(packed)))
    return {name: each["vega"] for name, each in charts.items()}
