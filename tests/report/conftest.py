from __future__ import annotations

from pathlib import Path

import pytest
from make_study import make_study


@pytest.fixture(scope="session")
def whole_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two datasets, seven methods, three seeds; read it, and write a report into a copy."""
    return make_study(tmp_path_factory.mktemp("whole") / "study")
