"""`python -m scripts.notebooks [NAME ...]`: runs the notebooks of docs/tutorials and stores their outputs as text.

`--out FOLDER` writes them there instead. A cell that fails, or prints a path of this machine, is an error.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials"
NAMES = ("own-log", "tail", "own-sampler", "take-home")
SECONDS = 600  # of a cell, on a machine that has other work


def run(name: str) -> Any:
    """The notebook with the outputs of all its cells, run in an empty folder."""
    notebook: Any = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata.pop("execution", None)  # when it ran
            cell.outputs = [plain(each) for each in cell.outputs if each.get("name") != "stderr"]
    return notebook


def plain(output: Any) -> Any:
    """An output as text alone.

    Raises:
        ValueError: it has a path of this machine.
    """
    if "data" in output:
        output.data = {"text/plain": output.data["text/plain"]}
    text = output["data"]["text/plain"] if "data" in output else output["text"]
    if (named := tempfile.gettempdir()) in text or (named := str(Path.home())) in text:
        raise ValueError(f"a cell prints a path of this machine, below {named}: {text}")
    return output


def main() -> None:
    """Run the notebooks that were named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*NAMES, []])
    parser.add_argument("--out", type=Path, default=FOLDER)
    asked = parser.parse_args()
    for name in asked.names or NAMES:
        nbformat.write(run(name), asked.out / f"{name}.ipynb")  # type: ignore[no-untyped-call]
        print(asked.out / f"{name}.ipynb")


if __name__ == "__main__":
    main()
