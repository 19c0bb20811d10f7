"""The page of methods is what the table and the measurements make of it."""

from __future__ import annotations

import re

from negsample.methods import METHODS
from negsample.models.baselines import BASELINES
from scripts.methods_page import PAGE, ROOT, page


def test_the_page_is_up_to_date():
    assert PAGE.read_text("utf-8") == page(), "run python -m scripts.methods_page"


def test_every_method_has_its_place():
    text = page()
    for name in METHODS:
        assert f"\n### {name}\n" in text
        assert f"| [`{name}`](#{name}) |" in text


def test_every_baseline_has_its_place():
    text, readme = page(), (ROOT / "README.md").read_text("utf-8")
    (row,) = [line for line in readme.splitlines() if line.startswith("| baselines, in every study")]
    for name in BASELINES:
        assert f"| `{name}` | " in text.split("## Excluded items")[0]
        assert f"`{name}`" in row


def test_every_method_is_in_the_readme_once():
    section = (ROOT / "README.md").read_text("utf-8").split("## The methods")[1].split("[docs/methods.md]")[0]
    named = [name for line in section.splitlines() if line.startswith("| ") for name in re.findall("`([^`]+)`", line)]
    rows = [name for name in named if name not in ("compare", *BASELINES)]
    assert sorted(rows) == sorted(METHODS)
