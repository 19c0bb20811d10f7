"""The pages of the Python API: all public names, in groups, each documented by mkdocstrings from its docstring."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import griffe

STUB = Path(__file__).parents[1] / "src" / "negsample" / "__init__.pyi"
GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "studies": ("Studies and runs", ("comparison", "studies", "analysis", "report", "runs")),
    "data": ("Logs and datasets", ("data", "execution")),
    "methods": ("Methods and losses", ("methods", "losses")),
    "samplers": ("Samplers", ("samplers",)),
    "miners": ("Miners", ("miners",)),
    "models": ("Models", ("models", "optim")),
    "training": ("Training loop", ("batches", "training", "random")),
    "evaluation": ("Evaluation", ("evaluation",)),
    "serving": ("Serving and the dial", ("serving", "scoring")),
    "settings": ("Settings, plugins and errors", ("settings", "plugins", "errors")),
}
"""The name of each page, its title, and the packages whose public names it has."""
MODULES = {"methods": "::: negsample.losses\n    options:\n      members: false\n\n"}
"""What a page begins with: the module that its names refer to."""
ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`~?\.?([^`]+)`")
"""A reference in a docstring, as Sphinx writes it."""


def public() -> dict[str, list[str]]:
    """The public names of negsample by the package each lives in."""
    found: dict[str, list[str]] = {}
    for node in ast.parse(STUB.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found.setdefault(node.module.split(".")[0], []).extend(each.asname or each.name for each in node.names)
    return found


def pages() -> dict[str, str]:
    """The text of each page by its name."""
    names = public()
    left = set(names) - {package for _, packages in GROUPS.values() for package in packages}
    assert not left, f"give {', '.join(sorted(left))} a group in {__file__}"
    return {
        page: f"# {title}\n\n{MODULES.get(page, '')}"
        + "".join(f"::: negsample.{name}\n\n" for package in packages for name in names.get(package, []))
        for page, (title, packages) in GROUPS.items()
    }


class PlainRoles(griffe.Extension):
    """References in docstrings as code with the short name: in pages ``:class:`~negsample.Study``` is ``Study``."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Change the docstring of what was read."""
        if obj.docstring:
            obj.docstring.value = ROLE.sub(lambda match: f"`{match[1].split('.')[-1]}`", obj.docstring.value)
