"""The site: it is built without a warning, loads nothing from elsewhere, and every link leads somewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import markdown
import pytest
import yaml

import negsample
from scripts.site_links import OF_CSS, broken, links_of

ROOT = Path(__file__).parents[2]
OUTSIDE = ("README.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages that people read in the repository."""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    out = tmp_path_factory.mktemp("site").resolve()
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(out)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0, done.stderr
    assert "WARN" not in done.stderr, done.stderr
    return out


@pytest.fixture(scope="module")
def pages(site):
    return {path: links_of(path.read_text("utf-8")) for path in site.rglob("*.html")}


def test_every_link_of_the_site_leads_somewhere(site, pages):
    names = [page for page in pages if page.name != "404.html"]  # it is shown under any address
    assert len(names) >= 30
    assert not {f"{page.relative_to(site)}: {each}" for page in names for each in broken(page, pages)}


def test_the_site_loads_nothing_from_elsewhere(site, pages):
    loaded = {each for links in pages.values() for each in links.loaded}
    loaded |= {each for path in site.rglob("*.css") for each in OF_CSS.findall(path.read_text("utf-8"))}
    assert not {each for each in loaded if re.match(r"(\w+:)?//", each)}
    assert not {page for page in pages if 'class="mermaid"' in page.read_text("utf-8")}  # what Material would load


def test_every_public_name_has_its_place(pages):
    anchors = {each for links in pages.values() for each in links.anchors}
    assert len(negsample.__all__) > 90
    assert not {name for name in negsample.__all__ if f"negsample.{name}" not in anchors}


def test_the_citation_says_what_a_reference_needs():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["cff-version"] == "1.2.0"
    license_of_all = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["license"]
    assert license_of_all.startswith(citation["license"])  # the bundled data has another
    for each in (citation, *citation["references"]):
        assert each["title"]
        assert each["type"]
        assert all(author.get("name") or author["family-names"] for author in each["authors"])


def test_no_page_is_left_out_of_the_navigation(site):
    nav = (ROOT / "mkdocs.yml").read_text("utf-8").split("\nnav:")[1]
    kept = {
        path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md") if path.name != "intro.md"
    }
    missing = {each for each in kept if not re.search(rf"[: ]{re.escape(each)}$", nav, re.M)}
    assert not missing, "give each a line in the nav of mkdocs.yml"


@pytest.mark.parametrize("name", OUTSIDE)
def test_every_link_of_a_page_of_the_repository_leads_somewhere(name):
    config = yaml.unsafe_load((ROOT / "mkdocs.yml").read_text("utf-8"))
    pages = {}

    def read(path):
        if path not in pages:
            known = markdown.Markdown(extensions=["tables", "toc", "pymdownx.superfences"], extension_configs=slugs)
            pages[path] = links_of(known.convert(path.read_text("utf-8")))
        return pages[path]

    slugs = {"toc": next(each["toc"] for each in config["markdown_extensions"] if isinstance(each, dict))}
    for address in read(ROOT / name).followed:
        target = ROOT / address.partition("#")[0]
        if target.suffix == ".md" and target.is_file():
            read(target.resolve())
    assert not broken(ROOT / name, pages)


@pytest.mark.parametrize(
    ("address", "leads"),
    [
        ("other.html", True),
        ("other.html#there", True),
        ("#here", True),
        ("https://doi.org/10.24432/C5BW33", True),
        ("mailto:a@b.org", True),
        ("missing.html", False),
        ("other.html#not", False),
        ("#not", False),
        ("https://", False),
        ("https://nowhere", False),
        ("folder", False),
        ("file:///etc", False),
    ],
)
def test_a_link_is_followed(tmp_path, address, leads):
    (tmp_path / "folder").mkdir()
    page, other = (tmp_path / name for name in ("page.html", "other.html"))
    page.write_text(f'<h1 id="here"><a href="{address}">a link</a></h1>')
    other.write_text('<p id="there">')
    pages = {path: links_of(path.read_text()) for path in (page, other)}
    assert broken(page, pages) == ([] if leads else [address])


def test_what_a_page_loads_is_found():
    html = """<script src="a.js"></script><link rel="stylesheet" href="b.css">
        <p style="background: url('c.png')"><a href="d">"""
    assert links_of(html) == (["d"], ["a.js", "b.css", "c.png"], set())
