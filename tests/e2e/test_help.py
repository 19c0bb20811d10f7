"""What a new user sees first."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import version

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import negsample
from negsample.cli import app, complete
from negsample.methods import METHODS
from negsample.models.baselines import BASELINES

COMMAND = cache(get_command)  # made once, and not each time that help is asked for


@pytest.fixture(autouse=True)
def one_command(monkeypatch):
    monkeypatch.setattr("typer.testing._get_command", COMMAND)


def test_commands_stand_in_panels_with_what_a_new_user_needs_first():
    said = CliRunner().invoke(app, ["--help"]).stdout
    known = ["Studies", "Take home", "Data", "Runs and folders"]
    assert re.findall(f"─ ({'|'.join(known)}) ─", said) == known
    parts = [part.split("╰")[0] for part in re.split(f"─ (?:{'|'.join(known)}) ─", said)[1:]]
    named = [re.findall("^│ ([a-z]+) ", part, re.M) for part in parts]
    assert named == [
        ["compare", "report", "tune", "reproduce", "methods"],
        ["final", "recommend", "explain", "refresh", "export", "serve"],
        ["inspect", "prepare", "data"],
        ["train", "evaluate", "verify"],
    ]
    commands = [*(each.name for each in app.registered_commands), "data"]
    assert sorted(name for panel in named for name in panel) == sorted(commands)


def every_command():
    return [[each.name] for each in app.registered_commands] + [["data", "list"], ["data", "fetch"]]


def helped(*arguments, columns="200"):
    return CliRunner().invoke(app, [*arguments], env={"COLUMNS": columns, "TERMINAL_WIDTH": columns}).stdout


@pytest.mark.parametrize("command", [[], ["data"], *every_command()], ids=" ".join)
def test_h_is_help(command):
    said = helped(*command, "-h")
    assert "Usage: negsample" in said or "Usage: root" in said
    assert said == helped(*command, "--help")


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_every_command_but_the_endless_one_takes_quiet_and_json(command):
    assert ("--quiet" in helped(*command, "-h")) == ("--json" in helped(*command, "-h")) == (command != ["serve"])


@pytest.mark.parametrize("command", [[], ["data"], *every_command()], ids=" ".join)
def test_help_on_a_narrow_terminal_cuts_no_word(command):
    narrow, wider = helped(*command, "-h", columns="40"), helped(*command, "-h", columns="60")
    assert "…" not in narrow
    assert narrow.split() == wider.split()
    too_long = [line for line in narrow.splitlines() if len(line.rstrip()) > 40]
    assert not too_long


def test_the_version_is_that_of_the_package():
    assert helped("--version") == f"negsample {negsample.__version__}\n"
    assert negsample.__version__ == version("negsample")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("compare online", ["online-retail"]),
        ("compare out.csv --methods adaptive-m", ["adaptive-mixed"]),
        ("compare out.csv --methods random,adaptive-m", ["random,adaptive-mixed"]),
        ("compare out.csv --methods bpr,random,EAS", ["bpr,random,EASE"]),
        ("train movielens-100k --method gsa", ["gsasrec"]),
        ("methods tro", ["tron"]),
        ("data fetch retail", ["retailrocket"]),
        ("data fetch online-retail", []),
        ("compare no-such-name", []),
    ],
)
def test_names_of_methods_and_datasets_are_completed(line, found):
    words = ["negsample", *line.split()]
    asked = {"_NEGSAMPLE_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    said = CliRunner().invoke(app, [], prog_name="negsample", env=asked).stdout
    assert said.split() == found


def test_a_shell_is_told_how_to_complete():
    assert "--install-completion" in helped("-h")
    assert "--show-completion" in helped("-h")
    asked = {"_NEGSAMPLE_COMPLETE": "source_bash"}
    script = CliRunner().invoke(app, [], prog_name="negsample", env=asked).stdout
    assert "complete_bash" in script
    assert "complete -o default -F" in script


def test_every_method_is_completed():
    assert [*METHODS, *BASELINES] == complete.METHODS
