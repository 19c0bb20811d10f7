"""docs/scale.md has the tables that its figures make."""

from __future__ import annotations

import json

import pytest

from benchmarks.common import RESULTS
from scripts import scale_page
from scripts.figures_in_docs import ROOT


def test_the_page_has_what_was_measured_and_what_arithmetic_says():
    page = (ROOT / "docs" / "scale.md").read_text("utf-8")
    for table in (scale_page.measured(), scale_page.large()):
        assert "\n".join(table) in page


def test_arithmetic_agrees_with_what_was_measured():
    for row in json.loads((RESULTS / "sharded.json").read_text())["rows"]:
        assert row["sent"] == pytest.approx(row["said_sent"], rel=0.05)
        assert row["most_held"] == row["said_held"]
        rest = row["most_peak"] - row["said_held"] - row["said_items"]
        assert 0 < rest < 250e6  # of a step, and of what is drawn once: it does not grow with the table
