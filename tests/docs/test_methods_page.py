"""The page of methods is what the table and the measurements make of it."""

from __future__ import annotations

from negsample.methods import METHODS
from negsample.models.baselines import BASELINES
from scripts.methods_page import PAGE, page


def test_the_page_is_up_to_date():
    assert PAGE.read_text("utf-8") == page(), "run python -m scripts.methods_page"


def test_every_method_has_its_place():
    text = page()
    for name in METHODS:
        assert f"\n### {name}\n" in text
        assert f"| [`{name}`](#{name}) |" in text


def test_every_baseline_has_its_place():
    table = page().split("## Excluded items")[0]
    for name in BASELINES:
        assert f"| `{name}` | " in table
