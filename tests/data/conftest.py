"""For the tests of data: Parquet files are read at once, but where a module says that it tries them first."""

import pytest

from negsample.data.log import read as log


@pytest.fixture(autouse=True)
def without_a_process_of_its_own(request, monkeypatch):
    """Starting one takes longer than the rest of a test."""
    if not getattr(request.module, "TRIES_FIRST", False):
        monkeypatch.setattr(log, "try_to_read", lambda path, files, reading: None)
