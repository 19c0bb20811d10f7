"""README.md and the pages of docs/how-to: as long as is read, true, with commands that there are."""

from __future__ import annotations

import json
import re
import shlex
from itertools import pairwise

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from negsample.cli import app
from negsample.methods import METHODS, PAPER_SIX
from scripts.figures_in_docs import ROOT
from scripts.readme_table import LOG, MARK, RUNS, table
from scripts.study_runs import BASELINE
from scripts.terms_lines import AFTER, CONTENDER, NO_TARGETS, REFIT, by_log

README = (ROOT / "README.md").read_text("utf-8")
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in sorted(ROOT.glob("docs/how-to/*.md"))}
PAGES["README.md"] = README
FOUND = by_log(map(json.loads, RUNS.read_text("utf-8").splitlines()))


def commands(text):
    """The commands of its shell blocks, without what a pipe does with their output."""
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line.split(" | ")[0] for block in blocks for line in block.splitlines()]
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]


def test_it_is_read_in_five_minutes():
    assert len(README.split()) <= 900


def test_its_table_is_that_of_the_study():
    assert README.split(MARK)[1].strip().splitlines() == table(), "run python -m scripts.readme_table"


def ndcg(log, targets, way):
    return {method: 100 * each["test_ndcg@10"] for method, each in FOUND[log][targets, way].items()}


def test_what_it_says_of_the_table_is_so():
    refit, terms = ndcg(LOG, "rows", REFIT), ndcg(LOG, "rows", AFTER)
    alone = ndcg(LOG, NO_TARGETS, BASELINE)["Terms"]
    assert set(refit) == set(terms) == {*PAPER_SIX, CONTENDER}
    for rival in PAPER_SIX:
        assert refit[CONTENDER] > 1.3 * refit[rival]  # far ahead
        assert terms[rival] < terms[CONTENDER] < 1.15 * terms[rival]  # the lead is small
    assert alone > max(refit.values())  # the terms alone beat every model without them
    retail = ndcg("online-retail", NO_TARGETS, BASELINE)["Terms"]
    assert max(ndcg("online-retail", "rows", AFTER).values()) < 1.01 * retail  # no method is clearly above them


def test_it_counts_the_methods():
    assert f"[All {len(METHODS)} methods](docs/methods.md)" in README


def test_pip_and_make_do_the_same():
    (recipe,) = re.findall(r"^compare: install\n\t\$\(BIN\)/(.*)$", (ROOT / "Makefile").read_text("utf-8"), re.M)
    assert recipe.replace("$(OUT)", "out/online-retail").split() in commands(README)
    assert ["make", "compare"] in commands(README)


@pytest.mark.parametrize("page", PAGES)
def test_its_commands_and_options_are_there(page):
    for words in commands(PAGES[page]):
        if words[0] == "negsample":
            context = get_command(app).make_context("negsample", words[1:])
            while isinstance(context.command, TyperGroup):
                name, command, rest = context.command.resolve_command(
                    context, [*context._protected_args, *context.args]
                )
                context = command.make_context(name, rest, parent=context)


@pytest.mark.parametrize("page", PAGES)
def test_what_it_links_to_is_there(page):
    folder = (ROOT / page).parent
    for target in re.findall(r"\]\((?!https?:)([^)#\s]*)#?[^)]*\)", PAGES[page]):
        assert (folder / target).exists(), target


def test_every_command_stands_on_the_page_of_commands():
    rows = PAGES["docs/how-to/command-line.md"].split("## Exit codes")[0]
    named = re.findall(r"^\| `(\w+)", rows, re.M)
    assert sorted(named) == sorted([*(each.name for each in app.registered_commands), "data"])


def test_headings_go_down_one_step_at_a_time():
    for text in PAGES.values():
        levels = [len(each) for each in re.findall(r"^(#+) ", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.M)]
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))
