"""What a new user sees first."""

from __future__ import annotations

import re

from typer.testing import CliRunner

from negsample.cli import app


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
