"""Real logs, as rows for the slow side and prepared for the product; two lie beside the repository, if at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from slow import logs, split
from world import World

import negsample
from negsample import PrepareSettings, prepare, read_log

SHARED = Path(os.environ.get("NEGSAMPLE_SHARED", Path(__file__).parents[3] / "shared")) / "data"
FILES = {
    "online-retail": Path(negsample.__file__).parent / "data" / "bundled" / "online-retail.parquet",
    "amazon-beauty-5core": SHARED / "amazon-beauty-5core.parquet",
    "movielens-100k": SHARED / "movielens-100k.parquet",
}
USERS = {"online-retail": 160, "amazon-beauty-5core": 700, "movielens-100k": 90}
"""How many users of each log the suite looks at, where it does not take all."""
LOGS = [
    pytest.param(name, marks=pytest.mark.skipif(not path.exists(), reason=f"{path.name} is not beside the project"))
    for name, path in FILES.items()
]


@cache
def whole(name: str) -> logs.Rows:
    """All rows of a log."""
    return logs.read(FILES[name])


@pytest.fixture(scope="session", params=LOGS)
def log(request: pytest.FixtureRequest) -> str:
    """The name of a real log that is there."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
def rows_of() -> Callable[[str], logs.Rows]:
    """The rows of some users of a log."""
    return cache(lambda name: logs.of_users(whole(name), USERS[name]))


@pytest.fixture(scope="session")
def whole_log() -> Callable[[str], logs.Rows]:
    """All rows of a log."""
    return whole


@pytest.fixture(scope="session")
def world_of(
    rows_of: Callable[[str], logs.Rows], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str, Any], World]:
    """A log, split by a rule, on both sides."""

    @cache
    def make(name: str, rule: Any = "timestamp") -> World:
        rows, folder = rows_of(name), tmp_path_factory.mktemp(name)
        given = read_log(logs.write(rows, folder / f"{name}.parquet"))
        data = prepare(given, PrepareSettings(split=rule), folder / "prepared")
        number = {item: place + 1 for place, item in enumerate(data.item_ids().to_list())}
        found = split.users(rows, split.parts(rows.time, rule))
        events = [[each._replace(item=number[each.item]) for each in found[user]] for user in data.user_ids().to_list()]
        return World(name, data, events)

    return make
