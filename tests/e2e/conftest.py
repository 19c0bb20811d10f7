"""The command line from outside: processes on a slice of the bundled log, each test file with a cache of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from forks import Forks

Command = Callable[..., "subprocess.CompletedProcess[str]"]

SMALL = ("--set", "dim=8", "--set", "blocks=1", "--set", "max_length=10", "--set", "batch_size=64")
ONCE = ("--set", "refit=false", "--set", "fit_terms=false")


@pytest.fixture(scope="session")
def small() -> tuple[str, ...]:
    """Settings of a model that trains in no time, once."""
    return (*SMALL, *ONCE)


@pytest.fixture(scope="session")
def small_refitted() -> tuple[str, ...]:
    """The same, trained anew with validation, as it is where nobody says otherwise."""
    return SMALL


@pytest.fixture(scope="session")
def program() -> str:
    """The installed command."""
    found = shutil.which("negsample", path=str(Path(sys.executable).parent))
    assert found, "negsample is not installed beside this Python"
    return found


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment: one thread, a cache of this test file, a terminal of the usual width."""
    cache = tmp_path_factory.mktemp("cache")
    return os.environ | {"OMP_NUM_THREADS": "1", "NEGSAMPLE_CACHE": str(cache), "COLUMNS": "80"}


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """A warm process that commands are forked from."""
    forks = Forks(os.environ | {"OMP_NUM_THREADS": "1"})
    yield forks
    forks.close()


@pytest.fixture(scope="module")
def negsample(forks: Forks, surroundings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Command:
    """``negsample(*arguments)``: run to its end; keywords go to the environment."""
    output = tmp_path_factory.mktemp("output")

    def run(*arguments: Any, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        paths = output / "stdout", output / "stderr"
        for path in paths:
            path.unlink(missing_ok=True)
        code = forks.wait(forks.start(arguments, *paths, cwd, surroundings | environment), 120)
        said = [path.read_text("utf-8") for path in paths]
        return subprocess.CompletedProcess(["negsample", *map(str, arguments)], code, *said)

    return run


@pytest.fixture(scope="module")
def installed(program: str, surroundings: dict[str, str]) -> Command:
    """As ``negsample``, by the installed command in a process of its own."""

    def run(*arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *map(str, arguments)],
            env=surroundings | environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def events() -> pl.DataFrame:
    """The events of 150 users of the bundled log, ids as text, as they come from a text file."""
    with as_file(files("negsample.data") / "bundled" / "online-retail.parquet") as path:
        whole = pl.read_parquet(path)
    chosen = whole["user"].unique().sort().gather_every(len(whole["user"].unique()) // 150)[:150]
    return whole.filter(pl.col("user").is_in(chosen.implode())).with_columns(pl.col("user").cast(pl.String))


@pytest.fixture(scope="module")
def log(events: pl.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """They, as a CSV file."""
    path = tmp_path_factory.mktemp("logs") / "retail.csv"
    events.write_csv(path)
    return path
