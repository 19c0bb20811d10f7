"""What the site adds to the pages of docs: links that lead out of docs, the pages of the API."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import negsample
from scripts import api_pages
from scripts.site_hooks import LINK, in_site


@pytest.mark.parametrize(
    ("page", "target", "uri"),
    [
        ("dial.md", "time.md", "time.md"),
        ("concepts/time.md", "../refit.md", "refit.md"),
        ("dial.md", "../benchmarks/results/frontier.md", "repository/benchmarks/results/frontier.md"),
        ("studies/README.md", "../../examples/plugin.py", "repository/examples/plugin.py"),
        ("repository/CHANGELOG.md", "docs/dial.md", "dial.md"),
        ("repository/benchmarks/results/frontier.md", "../../docs/images/parity.svg", "images/parity.svg"),
        ("repository/benchmarks/results/frontier.md", "bench.md", "repository/benchmarks/results/bench.md"),
    ],
)
def test_a_link_of_the_repository_has_a_place_in_the_site(page, target, uri):
    assert in_site(page, target) == uri


def test_links_are_found_without_anchors_and_addresses():
    text = "[a](b.md#c) ![d](e.svg) [f](https://g.org/h) [i](#j) [k](mailto:l@m.org) `n[0]` (o.md)"
    assert LINK.findall(text) == ["b.md", "e.svg"]


def test_each_public_name_has_one_page():
    named = [line.removeprefix("::: negsample.") for text in api_pages.pages().values() for line in text.splitlines()]
    assert sorted(each for each in named if each in negsample.__all__) == sorted(negsample.__all__)


def test_a_package_without_a_group_is_named(monkeypatch):
    monkeypatch.setattr(api_pages, "public", lambda: {"data": ["prepare"], "new": ["thing"]})
    with pytest.raises(AssertionError, match="give new a group"):
        api_pages.pages()


@pytest.mark.parametrize(
    ("docstring", "shown"),
    [
        ("see :func:`~negsample.data.prepare.pipeline.prepare`", "see `prepare`"),
        ("a :class:`Dataset`, :meth:`.table`", "a `Dataset`, `table`"),
        ("``log_q`` and `code`", "``log_q`` and `code`"),
    ],
)
def test_references_in_docstrings_are_code(docstring, shown):
    seen = SimpleNamespace(docstring=SimpleNamespace(value=docstring))
    api_pages.PlainRoles().on_object(obj=seen)
    assert seen.docstring.value == shown
