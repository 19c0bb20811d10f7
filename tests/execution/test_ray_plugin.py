"""A plugin's source travels to the nodes of a Ray cluster, which may not have its file."""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

import negsample
from negsample import compare, load_plugins, plan, run_settings
from negsample.execution.backend import Backend
from negsample.plugins import load

pytest.importorskip("ray", reason="Ray is an extra")
EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin.py"


@pytest.fixture
def loaded_and_gone(tmp_path):
    """The example's parts, from a file that is deleted once it is loaded."""
    path = Path(shutil.copy(EXAMPLE, tmp_path))
    (plugin,) = load_plugins([str(path)])
    path.unlink()
    yield
    load._forget(plugin)
    load._loaded.clear()
    for name in [name for name in sys.modules if name.startswith("negsample_plugin_plugin_")]:
        del sys.modules[name]


def test_parts_of_a_plugin_are_trained_on_ray(loaded_and_gone, world, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(negsample.__file__).parents[1]))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    before = random.getstate()  # Ray itself draws from Python's global generator
    settings = run_settings(backbone="convolution", epochs=2, batch_size=16, dim=8, max_length=8, blocks=2)
    data = world(users=60, items=40, name="small")
    jobs = plan([data], ["follows", "below-target", "hinge"], repeats=1, seed=0, settings=settings)
    compare(jobs, tmp_path / "here")
    compare(jobs, tmp_path / "there", at_once=2, on=Backend(True, "local"))
    random.setstate(before)
    for job in jobs:
        here, there = (
            load_file(tmp_path / each / "runs" / job.name / "model.safetensors") for each in ("here", "there")
        )
        assert all((here[key] == there[key]).all() for key in here)
