"""``--plugin`` on the command line: the example's parts in two processes, by file and by module name.

``execution/test_ray.py`` has them on Ray.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from negsample import load_plugins
from negsample.plugins import load

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin.py"
METHODS = "random,follows,below-target,hinge,last-items"
FIGURES = ["method", "hr@10", "ndcg@10", "balance@10", "rbp@10", "position@10"]


def done(finished):
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def compared(negsample, log, small, tmp_path_factory):
    """A study of the parts in two processes: its command but for where it writes, its folder, table and words."""
    folder = tmp_path_factory.mktemp("study") / "here"
    own = ("--set", "follows_negatives=7")
    command = ("compare", log, "--plugin", EXAMPLE, "--methods", METHODS, "--epochs", 1, "--repeats", 1, *small, *own)
    said = done(negsample(*command, "--jobs", 2, "--out", folder))
    return command, folder, pl.read_csv(folder / "table.csv").select(FIGURES), said


def test_every_part_is_in_the_table(compared):
    table = compared[2]
    assert table["method"].to_list() == [*METHODS.split(","), "PopRec"]
    assert table["rbp@10"].is_between(0, 0.2).all()
    assert table["rbp@10"].max() > 0
    assert table["position@10"].is_between(1, 11).all()
    assert "position: a plain number, lower is better" in compared[3]


def test_its_run_says_what_it_is_of(compared):
    (follows,) = (compared[1] / "runs").glob("*--follows--*")
    kinds = json.loads((follows / "metrics.json").read_text())["metric_kinds"]
    assert kinds == {"position": {"higher_is_better": False, "unit": "number"}}
    config = json.loads((follows / "config.json").read_text())
    (plugin,) = load_plugins([str(EXAMPLE)])
    try:
        assert config["plugins"] == {"plugin.py": plugin.digest}
    finally:
        load._forget(plugin)
        load._loaded.clear()
    assert config["negatives"]["follows_negatives"] == 7


def test_it_is_not_trained_again(compared, negsample):
    command, folder, *_ = compared
    before = {path: path.stat().st_mtime_ns for path in (folder / "runs").iterdir()}
    done(negsample(*command, "--out", folder))
    assert {path: path.stat().st_mtime_ns for path in (folder / "runs").iterdir()} == before


@pytest.mark.parametrize(
    ("method", "name", "value"), [("hinge", "backbone", "convolution"), ("random", "terms", ["family", "recency"])]
)
def test_a_run_with_its_part_needs_the_plugin_to_be_measured(negsample, log, small, tmp_path, method, name, value):
    given = value if isinstance(value, str) else ",".join(value)
    command = ("train", log, "--method", method, "--epochs", 1, *small, "--set", f"{name}={given}")
    refused = negsample(*command, "--out", tmp_path / "none")
    assert refused.returncode == 2
    assert "one of your own needs --plugin FILE" in refused.stderr
    done(negsample(*command, "--plugin", EXAMPLE, "--out", tmp_path / "run"))
    assert json.loads((tmp_path / "run" / "config.json").read_text())["settings"][name] == value
    without = negsample("evaluate", tmp_path / "run")
    assert without.returncode == 2
    assert "needs --plugin plugin.py" in without.stderr
    done(negsample("evaluate", tmp_path / "run", "--plugin", EXAMPLE))


def test_a_module_gives_the_same_figures(compared, installed, log, small, tmp_path):
    shutil.copy(EXAMPLE, tmp_path / "parts_of_mine.py")
    command = ("train", log, "--plugin", "parts_of_mine", "--method", "hinge", "--epochs", 1, *small)
    done(installed(*command, "--out", tmp_path / "run", PYTHONPATH=str(tmp_path)))
    (by_file,) = (compared[1] / "runs").glob("*--hinge--*")
    one, other = (json.loads((each / "metrics.json").read_text()) for each in (by_file, tmp_path / "run"))
    assert (one["valid"], one["test"]) == (other["valid"], other["test"])


def test_a_changed_source_is_not_answered_with_old_figures(compared, negsample, tmp_path):
    changed = tmp_path / "plugin.py"
    changed.write_text(EXAMPLE.read_text().replace("torch.relu(1 - pos_T", "torch.relu(9 - pos_T"))
    folder = shutil.copytree(compared[1], tmp_path / "study")
    runs = {path.name for path in (folder / "runs").iterdir()}
    command = [changed if each == EXAMPLE else each for each in compared[0]]
    refused = negsample(*command, "--out", folder)
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "source of plugin.py of follows: " in refused.stderr
    done(negsample(*command, "--replace", "--out", folder))
    kept = runs & {path.name for path in (folder / "runs").iterdir()}
    assert {name.split("--")[1] for name in kept} == {"random", "PopRec"}
    assert pl.read_csv(folder / "table.csv")["hr@10"].len() == 6
