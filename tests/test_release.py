"""The wheel and the sdist that `make dist` would make: what is in them, and their version."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "negsample"
LICENCES = {"LICENSE", "src/negsample/data/bundled/online-retail.md"}


def built(source: Path, to: Path) -> tuple[Path, Path]:
    """An sdist of ``source``, and a wheel of the sdist, with the tools of this environment: no network."""
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", str(to), str(source))
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    (sdist,), (wheel,) = to.glob("*.tar.gz"), to.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The names in the sdist, without its first folder; the wheel; and its metadata."""
    sdist, wheel = built(ROOT, tmp_path_factory.mktemp("dist"))
    with tarfile.open(sdist) as archive:
        names = {each.name.partition("/")[2] for each in archive.getmembers() if each.isfile()}
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        about = message_from_string(archive.read(metadata).decode())
        files = set(archive.namelist())
    return names, files, about, metadata.removesuffix("METADATA")


def test_a_wheel_has_every_file_of_the_package_and_no_other(made):
    _, files, _, info = made
    of_package = {path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    wanted = {path.relative_to(SOURCE.parent).as_posix() for path in of_package}
    assert {"negsample/py.typed", "negsample/__init__.pyi", "negsample/data/bundled/online-retail.parquet"} <= wanted
    assert {name for name in files if not name.startswith(info)} == wanted
    assert {name.removeprefix(f"{info}licenses/") for name in files if name.startswith(f"{info}licenses/")} == LICENCES


def test_an_sdist_has_what_it_is_built_and_tested_with_and_no_studies(made):
    names, files, _, info = made
    beside = {"README.md", "CHANGELOG.md", "constraints.txt", "pyproject.toml", "PKG-INFO", ".gitignore", "LICENSE"}
    assert {name for name in names if not name.startswith("src/negsample/")} == beside
    of_package = {name.removeprefix("src/") for name in names if name.startswith("src/")}
    assert of_package == {name for name in files if not name.startswith(info)}


def test_metadata_says_licences_extras_and_where_it_runs(made):
    about = made[2]
    assert about["License-Expression"] == "Apache-2.0 AND CC-BY-4.0"
    assert set(about.get_all("License-File")) == LICENCES
    assert {"mlflow", "ray", "notebook", "onnx", "faiss", "serve"} <= set(about.get_all("Provides-Extra"))
    assert about["Requires-Python"] == ">=3.11"
    assert about["Description-Content-Type"] == "text/markdown"
    assert "Typing :: Typed" in about.get_all("Classifier")


def test_a_version_comes_from_tags_where_there_are_none_from_commits_and_is_that_of_the_sdist(made):
    version = made[2]["Version"]
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?(\.dev\d+(\+.*)?)?", version)
    assert made[3] == f"negsample-{version}.dist-info/"


@pytest.mark.parametrize(
    ("tags", "version"),
    [
        ([], r"0\.1\.dev1\+g[0-9a-f]+"),
        (["v0.1.0"], r"0\.1\.0"),
        (["v0.1.0", "another"], r"0\.1\.1\.dev1\+g[0-9a-f]+"),
        (None, r"0\.1\.dev0"),
    ],
    ids=["no tag", "a tag", "after a tag", "no git"],
)
def test_versions(tmp_path, tags, version):
    folder = tmp_path / "clone"
    folder.mkdir()
    shutil.copy(ROOT / "pyproject.toml", folder)
    if tags is not None:
        git = ("git", "-C", str(folder), "-c", "user.name=n", "-c", "user.email=n@example.org")
        subprocess.run([*git, "init", "--quiet"], check=True)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "--quiet", "--message", "first"], check=True)
        for number, tag in enumerate(tags):
            if number:
                subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message", tag], check=True)
            else:
                subprocess.run([*git, "tag", tag], check=True)
    said = subprocess.run([sys.executable, "-m", "hatchling", "version"], cwd=folder, capture_output=True, text=True)
    assert re.fullmatch(version, said.stdout.strip()), said.stdout + said.stderr
