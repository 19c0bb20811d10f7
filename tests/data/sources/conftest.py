"""For the tests of public datasets: a cache of their own."""

import pytest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
