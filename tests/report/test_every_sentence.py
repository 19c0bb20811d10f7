"""Every sentence, table and chart of a report is true of its runs: of generated studies, degenerate ones among them.

What says so is `benchmarks/reliability/studies/checker`; `python -m benchmarks.reliability studies` tries 500 studies.
A sentence that it does not know is a fault too. A new one gets its check there, or a line of `always.txt` if it says
nothing of a study's figures.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest

from benchmarks.reliability import studies
from benchmarks.reliability.studies import checker
from benchmarks.reliability.studies.checker.check import places_of, said_wrongly
from benchmarks.reliability.studies.checker.page import Element, read_page
from benchmarks.reliability.studies.checker.raw import Raw
from benchmarks.reliability.studies.writing import made

DEGENERATE = {  # with the seed of a small one
    **{"one-run": 1, "one-method": 3, "only-baselines": 50, "no-baseline": 1, "below-poprec": 1, "some-below": 1},
    **{"equal": 1, "ties": 1, "reversed": 1, "no-hits": 1, "no-tail-hits": 1, "no-tail-events": 1, "no-test-events": 1},
    **{"few-users": 1, "heavy-user": 1, "failed": 1, "missing": 1, "left-out": 1, "not-in-time": 1, "cut-off": 1},
}


@pytest.mark.usefixtures("every_replicate")
@pytest.mark.parametrize("kind", DEGENERATE)
def test_every_sentence_is_true(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]):
    charts = kind in ("one-run", "no-hits", "no-tail-events")
    found = studies.outcome(kind, DEGENERATE[kind], tmp_path / "study", charts=charts)
    assert found == studies.TRUE, capsys.readouterr().out


@pytest.mark.usefixtures("every_replicate")
def test_a_changed_number_is_noticed(tmp_path: Path):
    """Each of some numbers of a page, one after another, is another one: the checker says so each time."""
    with patch("negsample.report.page.write_figures", return_value=[]):
        page = read_page(made("usual", 5, tmp_path / "study"))
    places = places_of(Raw(tmp_path / "study"))
    assert said_wrongly(page, places) == []
    rng = random.Random(0)
    numbers = list(_numbers(page))
    unnoticed = []
    for element, at in rng.sample(numbers, 25):
        text = str(element.inside[at])
        element.inside[at] = re.sub(r"\d(?=\D*$)", lambda digit: str((int(digit[0]) + 5) % 10), text, count=1)
        if not said_wrongly(page, places):
            unnoticed.append((text, element.inside[at]))
        element.inside[at] = text
    assert unnoticed == []


def _numbers(
    element: Element, silent: tuple[str, ...] = ("script", "style", "pre", "button")
) -> Iterator[tuple[Element, int]]:
    for at, each in enumerate(element.inside):
        if isinstance(each, str):
            if re.search(r"\d", each):
                yield element, at
        elif each.tag not in silent and each["aria-label"] != "Frontiers over all settings of the dial":
            yield from _numbers(each)  # shares of resamples are compared with others drawn anew


def test_the_checker_uses_nothing_of_negsample():
    for path in Path(checker.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            assert not [name for name in names if name.split(".")[0] == "negsample"], path
