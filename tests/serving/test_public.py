"""What a person calls on models, with wrong arguments: one plain sentence, and nothing is left."""

from __future__ import annotations

import pytest

import negsample
from negsample import InputError, load_model, read_log

HOSTILE = [None, True, -1, 1.5, "nothing", "", b"bytes", [], {}, object()]


@pytest.fixture(scope="module")
def good(study, model, log, tmp_path_factory):
    place = tmp_path_factory.mktemp("public")
    return {
        "final": {"source": study, "out": place / "M", "method": "random", "dataset": "log", "seeds": 1},
        "refresh": {"folder": model, "log": read_log(log), "out": place / "R"},
        "train_on": {"folder": model, "log": read_log(log), "out": place / "T", "epochs": 1},
        "export": {"recommender": load_model(model), "to": "vectors", "folder": place / "E", "k": 10},
        "load_model": {"folder": model, "data": None},
    }


@pytest.mark.parametrize("name", ["final", "refresh", "train_on", "export", "load_model"])
def test_what_is_wrong_is_said(name, good, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for key in good[name]:
        for value in HOSTILE:
            harmless = (value is None and key in ("method", "dataset", "data", "out", "epochs", "log")) or key == "k"
            if harmless or (isinstance(value, str) and key in ("out", "folder") and name != "load_model"):
                continue  # a default, or a place where it may be written
            with pytest.raises(InputError) as caught:
                getattr(negsample, name)(**good[name] | {key: value})
            assert "\n" not in str(caught.value), f"{name}({key}={value!r})"
    assert not list(tmp_path.iterdir())
