"""`python -m scripts.settings_page`: makes `docs/reference/settings.md` from the models of the settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from negsample.cli import app
from negsample.methods import METHODS
from negsample.settings import (
    BACKBONES,
    EvaluationSettings,
    MachineSettings,
    ModelSettings,
    PrepareSettings,
    Settings,
    TrainingSettings,
    run_settings,
)

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "settings.md"
OPTIONS = {"epochs": "--epochs", "early_stop": "--early-stop", "refit": "--refit", "fit_terms": "--terms", "k": "--k"}
"""The options that stand for ``--set`` of a setting."""
WORDS = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true` or `false`"}
BOUNDS = {
    "minimum": " from {}",
    "exclusiveMinimum": " above {}",
    "maximum": " to {}",
    "exclusiveMaximum": ", below {}",
}
TABLE = "| setting | values | default | meaning |\n|---|---|---|---|\n"


def page() -> str:
    """The whole page."""
    return "".join(f"{each}\n" for each in _parts())


def _parts() -> Iterator[str]:
    yield f"""# Settings

Every setting of negsample: its values, its default and what it does. Made from the models that check them
(`python -m scripts.settings_page`). `negsample methods NAME` shows those of one method.

- **A dataset's** settings are options of {_commands("--user", "--split")}: `max_x` is `--max-x`.
- **All others** are given by `--set NAME=VALUE` to {_commands("--set")}. Some have an option too:
  {", ".join(f"`{option}`" for option in OPTIONS.values())}.
- In Python they are keywords of `run_settings(...)` and `PrepareSettings(...)`, or the dictionary `settings` of
  `compare(...)`.
- A list is given with commas: `--set k=5,10,50`. Whole numbers are at most 2,147,483,647 in size, other numbers are
  those of 32 bits. An unknown name, or a value that breaks its rule, is refused in a line that says the rule.
- A default of "none" is explained in the last column; leave such a setting out for it.
"""
    yield f"## Of a dataset\n\n{TABLE}{_rows(PrepareSettings, dashed=True)}"
    yield f"## Of training\n\nThe same for every method of a study.\n\n{TABLE}{_rows(TrainingSettings)}"
    yield f"## Of evaluation\n\n{TABLE}{_rows(EvaluationSettings)}"
    yield f"## Of the machine\n\nThey change no result beyond rounding.\n\n{TABLE}{_rows(MachineSettings)}"
    names = ", ".join(f"`{name}`" for name in BACKBONES)
    default_name = run_settings().model.backbone
    chosen = f"`--set backbone=NAME` chooses the model: {names} (default: `{default_name}`). All have these settings:"
    yield f"## Of the model\n\n{chosen}\n\n{TABLE}{_rows(ModelSettings)}"
    for name, model in BACKBONES.items():
        own = _rows(model, without=ModelSettings)
        yield f"### backbone={name}\n\n{f'{TABLE}{own}' if own else 'It has none of its own.' + chr(10)}"
    yield _of_methods()


def _commands(*options: str) -> str:
    """The commands that have all ``options``."""
    commands: Any = typer.main.get_command(app)
    known = {
        name: {each for param in command.params for each in param.opts} for name, command in commands.commands.items()
    }
    return ", ".join(f"[`{name}`](commands.md#negsample-{name})" for name, has in known.items() if has >= set(options))


def _rows(model: type[Settings], *, dashed: bool = False, without: type[Settings] | None = None) -> str:
    """A line of the table for each setting of ``model`` that is not the same one of ``without``."""
    schema, common = model.model_json_schema(), without.model_json_schema()["properties"] if without else {}
    lines = []
    for name, field in schema["properties"].items():
        if name == "backbone" or common.get(name) == field:
            continue
        shown = f"--{name.replace('_', '-')}" if dashed else name
        also = f" (`{OPTIONS[name]}`)" if name in OPTIONS else ""
        of_flag = dashed and field.get("type") == "boolean"
        may_be, usual = ("flag", "off") if of_flag else (values(field), default(field["default"]))
        lines.append(f"| `{shown}`{also} | {may_be} | {usual} | {_cell(field['description'])} |\n")
    return "".join(lines)


def _of_methods() -> str:
    """The table of the settings of all methods, with the methods that have each."""
    rows: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    for method, about in METHODS.items():
        for name, field in about.settings.model_json_schema()["properties"].items():
            at = rows.setdefault((name, values(field), _cell(field["description"])), {})
            at.setdefault(default(field["default"]), []).append(f"[`{method}`](../methods.md#{method})")
    lines = []
    for (name, may_be, meaning), by_default in sorted(rows.items()):
        defaults = "; ".join(f"{value}: {', '.join(methods)}" for value, methods in by_default.items())
        lines.append(f"| `{name}` | {may_be} | {defaults} | {meaning} |\n")
    return f"""## Of methods

A setting is given to every method of the study that has it, and keeps its default in the others.

| setting | values | default, and the methods that have it | meaning |
|---|---|---|---|
{"".join(lines)}"""


def values(field: Mapping[str, Any]) -> str:
    """What a setting may be, from its part of the JSON schema."""
    if "anyOf" in field:
        return " or ".join(values(each) for each in field["anyOf"] if each.get("type") != "null")
    if "enum" in field or "const" in field:
        return ", ".join(f"`{each}`" for each in field.get("enum", [field.get("const")]))
    if field["type"] == "array":
        return f"list of: {values(field['items'])}" if field.get("items") else "list"
    return WORDS[field["type"]] + "".join(
        words.format(f"{field[key]:,}") for key, words in BOUNDS.items() if key in field
    )


def default(value: Any) -> str:
    """A default as it is typed."""
    if value is None or value == []:
        return "none"
    text = (
        ",".join(f"{each:.4g}" if isinstance(each, float) else str(each) for each in value)
        if isinstance(value, list)
        else None
    )
    return f"`{text or (value if isinstance(value, str) else json.dumps(value))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "\\<")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
