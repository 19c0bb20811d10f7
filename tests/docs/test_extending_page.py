"""``docs/extending.md``: its pieces of code, one after the other, are the example plugin, and train the same model."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import torch

from negsample import METHODS, build_method, catalogue_of, fit, load_plugins, run_settings
from negsample.models.build import build_backbone
from negsample.plugins import load
from negsample.settings import BACKBONES, TERMS

ROOT = Path(__file__).parents[2]


def trained_with(path, data, rng):
    """The weights after an epoch of each method with the backbone of the plugin, which is gone afterwards."""
    (plugin,) = load_plugins([str(path)])
    try:
        assert list(METHODS)[-3:] == ["follows", "below-target", "hinge"]
        assert list(BACKBONES)[-1] == "convolution"
        assert list(TERMS)[-1] == "family"
        sizes = {"dim": 8, "blocks": 2, "max_length": 8, "epochs": 1}
        settings, weights = run_settings(backbone="convolution", terms="family", **sizes), []
        for name in list(METHODS)[-3:]:
            model = build_backbone(settings.model, data.catalogue_size, rng=rng(0), device=torch.device("cpu"))
            fit(model, data, build_method(name, catalogue_of(data, 8), {}), settings, seed=0)
            weights += [each.clone() for each in model.state_dict().values()]
        return weights
    finally:
        load._forget(plugin)
        load._loaded.clear()
        for name in [name for name in sys.modules if name.startswith("negsample_plugin_")]:
            del sys.modules[name]


def test_the_page_builds_the_example(world, rng, tmp_path):
    page = (ROOT / "docs" / "extending.md").read_text("utf-8")
    built = tmp_path / "built.py"
    built.write_text("\n\n".join(re.findall(r"```python\n(.*?)```", page, re.DOTALL)))
    data = world(users=60, items=40, name="small")
    by_page, by_example = (trained_with(path, data, rng) for path in (built, ROOT / "examples" / "plugin.py"))
    assert len(by_page) == len(by_example) > 10
    assert all(torch.equal(one, other) for one, other in zip(by_page, by_example, strict=True))
