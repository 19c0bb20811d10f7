"""Figures on pages agree with the committed results that they come from, and none stands without one."""

from __future__ import annotations

import pytest

from benchmarks import frontier
from benchmarks.__main__ import page as bench_page
from benchmarks.common import RESULTS
from scripts.claims import PAGES
from scripts.figures_in_docs import ROOT, Measured, Stated, problems

CLAIMS = (Measured("a step takes {:.1f} ms", lambda: [6.54]), Stated("the latest 5 % are test"))


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_what_was_measured(page):
    found = problems((ROOT / page).read_text("utf-8"), PAGES[page])
    assert not found, "\n".join(found)


def test_pages_of_results_are_made_of_them():
    assert (RESULTS / "bench.md").read_text("utf-8") == bench_page()
    assert (RESULTS / "frontier.md").read_text("utf-8") == "\n".join(frontier.page()) + "\n"


def test_a_page_that_agrees_has_no_problem():
    assert problems("Here a step\ntakes 6.5 ms, and the latest\n5 % are test.", CLAIMS) == []


def test_a_figure_that_disagrees_is_found():
    missing, unbacked = problems("a step takes 6.4 ms; the latest 5 % are test", CLAIMS)
    assert "not on the page: 'a step takes 6.5 ms'" in missing
    assert "'6.4 ms'" in unbacked


@pytest.mark.parametrize(
    "figure",
    [
        "7 %",
        "13.6 times",
        "3.6, 3.1 and 2.7 times",
        "1.5 to 2.0 times",
        "1,234 MB",
        "0.8 s",
        "5 minutes",
        "16 GB",
        "2x 9 points",
    ],
)
def test_a_figure_without_a_source_is_found(figure):
    page = f"a step takes 6.5 ms, the latest 5 % are test, and {figure} of it is new"
    (found,) = problems(page, CLAIMS)
    assert "no source" in found


def test_a_claim_that_is_said_no_more_is_found():
    (found,) = problems("a step takes 6.5 ms", CLAIMS)
    assert found == "not on the page: 'the latest 5 % are test'"


def test_addresses_and_names_are_no_figures():
    page = "a step takes 6.5 ms; the latest 5 % are test; [a link](results/top-20-ms.json), HR@10 and L2 of 20 items"
    assert problems(page, CLAIMS) == []
