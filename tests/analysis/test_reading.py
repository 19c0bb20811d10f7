from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from make_study import list_anew, make_study

from negsample.analysis.reading import read_study
from negsample.errors import InputError


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study", datasets=["beauty"], repeats=2)


def test_unfinished_runs_are_left_out_and_counted(study: Path) -> None:
    shutil.rmtree(study / "runs" / "0-mixed-1")
    shutil.rmtree(study / "runs" / "0-random-0")
    found = read_study(study)
    assert (len(found.runs), found.listed) == (12, 14)
    assert len(found.runs_of("beauty", "mixed")) == 1


def test_no_study(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no study \(study.json\)"):
        read_study(tmp_path)


def test_no_finished_run(study: Path) -> None:
    shutil.rmtree(study / "runs")
    with pytest.raises(InputError, match="no finished run yet: 0 of 14"):
        read_study(study)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("study.json", "{", r"study.json is damaged .*delete it and .*keeps the runs"),
        ("study.json", "[]", "study.json is damaged"),
        ("study.json", '{"format": 1}', "negsample: Field required"),
        ("datasets/0.json", "{}", "name: Field required"),
        ("runs/0-mixed-0/config.json", '{"seed": 1}', "dataset: Field required"),
        ("runs/0-mixed-0/metrics.json", "", "is damaged"),
    ],
)
def test_damage_is_named(study: Path, file: str, text: str, message: str) -> None:
    (study / file).write_text(text)
    list_anew(study)
    with pytest.raises(InputError, match=message):
        read_study(study)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("dataset_fingerprint", "ffffffffffff", "another version of 'beauty'"),
        ("dataset", "elsewhere", "which study.json does not list"),
        ("seed", 1, "the same run twice"),
        ("negatives", {"random_negatives": 9}, "differ in their negatives"),
    ],
)
def test_runs_that_do_not_belong_together(study: Path, key: str, value: object, message: str) -> None:
    path = study / "runs" / "0-mixed-0" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    list_anew(study)
    with pytest.raises(InputError, match=message):
        read_study(study)


def test_a_dataset_without_manifest(study: Path) -> None:
    (study / "datasets" / "0.json").unlink()
    list_anew(study)
    with pytest.raises(InputError, match="lists the dataset 'beauty', which has no manifest"):
        read_study(study)


def test_another_format(study: Path) -> None:
    about = json.loads((study / "study.json").read_text())
    (study / "study.json").write_text(json.dumps(about | {"format": 2}))
    list_anew(study)
    with pytest.raises(InputError, match="format: Input should be 1"):
        read_study(study)
