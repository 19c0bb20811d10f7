"""The pages of reference are what the settings and the command line make of them."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from negsample.cli import app
from negsample.methods import METHODS
from negsample.settings import BACKBONES, EvaluationSettings, MachineSettings, PrepareSettings, TrainingSettings
from scripts import commands_page, settings_page

BY_SET = (TrainingSettings, EvaluationSettings, MachineSettings, *(BACKBONES[name] for name in BACKBONES))


@pytest.mark.parametrize("made", [settings_page, commands_page])
def test_the_page_is_up_to_date(made):
    assert made.PAGE.read_text("utf-8") == made.page(), f"run python -m {made.__name__}"


def test_every_setting_has_its_row():
    text = settings_page.page()
    named = {each for model in BY_SET for each in model.model_fields} - {"backbone"}
    named |= {each for about in METHODS.values() for each in about.settings.model_fields}
    named |= {f"--{each.replace('_', '-')}" for each in PrepareSettings.model_fields}
    assert len(named) > 70
    assert not {each for each in named if f"\n| `{each}`" not in text}


def test_an_option_that_stands_for_a_setting_is_there():
    said = CliRunner().invoke(app, ["compare", "--help"], env={"COLUMNS": "200"}).stdout
    assert not {each for each in settings_page.OPTIONS.values() if f"{each} " not in said and f"{each}/" not in said}


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ({"type": "integer", "minimum": 1}, "whole number from 1"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 36525}, "number above 0 to 36,525"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "number from 0, below 1"),
        ({"anyOf": [{"const": "auto", "type": "string"}, {"type": "number"}, {"type": "null"}]}, "`auto` or number"),
        ({"enum": ["a", "b"], "type": "string"}, "`a`, `b`"),
        ({"type": "array", "items": {"type": "string"}}, "list of: text"),
    ],
)
def test_what_a_setting_may_be(schema, says):
    assert settings_page.values(schema) == says


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (None, "none"),
        ([], "none"),
        (True, "`true`"),
        (0.001, "`0.001`"),
        ("auto", "`auto`"),
        ([1 / 3, 5], "`0.3333,5`"),
    ],
)
def test_a_default_is_shown_as_it_is_typed(value, says):
    assert settings_page.default(value) == says


def test_every_command_has_its_section():
    text = commands_page.page()
    named = re.findall(r"^## `negsample ([a-z ]+)`$", text, re.M)
    assert sorted(named) == sorted(
        [*(each.name for each in app.registered_commands), "data", "data list", "data fetch"]
    )
    assert "| `--repeats N` | Runs of each method, from different seeds. [default: 3; 1\\<=x\\<=1000] |" in text
