"""The slow side shares no code with the product: by its imports, and it stays readable."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

SLOW = sorted((Path(__file__).parent / "slow").glob("*.py"))
ALLOWED = {*sys.stdlib_module_names, "numpy", "torch", "scipy", "polars", "slow"} - {"importlib", "runpy"}


def imported(tree: ast.AST) -> set[str]:
    """First names of all that is imported anywhere in a file."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add("." if node.level else str(node.module).split(".")[0])
    return found


@pytest.mark.parametrize("path", SLOW, ids=lambda path: path.stem)
def test_the_slow_side_imports_nothing_of_the_product(path):
    text = path.read_text()
    tree = ast.parse(text)
    assert imported(tree) <= ALLOWED
    assert not any(isinstance(node, ast.Name) and node.id == "__import__" for node in ast.walk(tree))
    assert text.count("\n") <= 200, "one idea, one file"


def test_what_the_law_would_catch():
    assert not imported(ast.parse("def f():\n    from negsample.losses import bce")) <= ALLOWED
    assert not imported(ast.parse("import importlib")) <= ALLOWED
    assert not imported(ast.parse("from .. import conftest")) <= ALLOWED
    assert len(SLOW) > 5
