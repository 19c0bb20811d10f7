"""Every tutorial runs from its first cell to its last, and the outputs that are stored are those of its code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from scripts.notebooks import FOLDER, NAMES, plain

ROOT = Path(__file__).parents[2]


def code_of(folder, name):
    cells = nbformat.read(folder / f"{name}.ipynb", as_version=4).cells
    return [(cell.source, [each.output_type for each in cell.outputs]) for cell in cells if cell.cell_type == "code"]


NO_PICTURES = """
from negsample.report import figures
figures.drawn = lambda specs, config: ["<svg></svg>"] * len(specs)
figures.pixels = lambda svgs: [b""] * len(svgs)
figures.compiled = lambda specs, config: [{}] * len(specs)
"""
"""For a kernel before its first cell: reports without charts, which would take longer than the cells."""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The folder of all notebooks as they come out when they are run."""
    profile = tmp_path_factory.mktemp("ipython")
    (profile / "profile_default" / "startup").mkdir(parents=True)
    (profile / "profile_default" / "startup" / "pictures.py").write_text(NO_PICTURES)
    out = tmp_path_factory.mktemp("ran")
    command = [sys.executable, "-m", "scripts.notebooks", *NAMES, "--out", str(out)]
    paths = {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}", "IPYTHONDIR": str(profile)}
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | paths
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("name", NAMES)
def test_a_tutorial_runs(name, ran):
    assert code_of(ran, name) == code_of(FOLDER, name), f"run python -m scripts.notebooks {name}"


def test_all_tutorials_are_run():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_stored_outputs_are_small(name):
    assert (FOLDER / f"{name}.ipynb").stat().st_size < 20_000


def test_a_path_of_this_machine_is_refused(tmp_path):
    output = nbformat.v4.new_output("stream", text=str(tmp_path))
    with pytest.raises(ValueError, match="prints a path of this machine"):
        plain(output)


def test_an_output_is_its_text_alone():
    output = nbformat.v4.new_output("display_data", data={"text/plain": "<Study>", "text/html": "<b>"})
    assert plain(output)["data"] == {"text/plain": "<Study>"}
