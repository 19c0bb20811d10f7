"""A study on several test windows, by command: tuned on the first, in every file, and no other study's folds beside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl


def test_compare_with_folds(negsample: Any, log: Path, small_refitted: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / "study"
    command = ("compare", log, "--methods", "random", "--repeats", 1, "--epochs", 1, "--tune-trials", 1)
    command += small_refitted
    done = negsample(*command, "--folds", 2, "--out", folder)
    assert done.returncode == 0, done.stderr
    names = [f"{log.stem}.fold-{number}-of-2" for number in (1, 2)]
    assert "means over 2 windows" in " ".join(done.stdout.split())
    windows = pl.read_csv(folder / "folds.csv").filter(pl.col("method") == "random")
    assert windows["dataset"].to_list() == [log.stem] * 2
    assert windows["fold"].to_list() == [1, 2]
    assert windows["test_to"][0] < windows["test_from"][1]
    table = pl.read_csv(folder / "table.csv").row(by_predicate=pl.col("method") == "random", named=True)
    assert (table["dataset"], table["runs"], table["folds"]) == (log.stem, 2, 2)
    assert abs(table["hr@10"] - windows["hr@10"].mean()) < 1e-15
    (tuning,) = (path for path in (folder / "tuning").glob("*.json") if "checksums" not in path.name)
    tuned = json.loads(tuning.read_text())
    assert tuned["dataset"] == names[0]
    configs = [json.loads(path.read_text()) for path in (folder / "runs").glob("*--random--*/config.json")]
    assert sorted(config["dataset"] for config in configs) == names
    rates = {(config["settings"] | config["negatives"]).get("learning_rate") for config in configs}
    assert rates == {tuned["best"]["params"]["learning_rate"]}
    page = (folder / "report.html").read_text(encoding="utf-8")
    for words in (
        "By test window",
        "Accuracy by test window",
        "Accuracy by age of the model",
        "How each method was tuned",
        "What the refit gave",
    ):
        assert words in page
    assert {path.name for path in (folder / "figures").glob("by-[tw]*.svg")} == {
        f"by-window--{log.stem}.svg",
        f"by-time--{log.stem}.svg",
    }
    before = (folder / "folds.csv").read_bytes()
    assert negsample("report", folder).returncode == 0
    assert (folder / "folds.csv").read_bytes() == before
    assert negsample("verify", folder).returncode == 0
    refused = negsample(*command, "--folds", 3, "--out", folder)
    assert refused.returncode == 2
    assert "folds: 2, now 3" in " ".join(refused.stderr.split())


def test_folds_of_a_prepared_folder_or_a_split_by_rows_are_refused(negsample: Any, log: Path, tmp_path: Path) -> None:
    assert negsample("prepare", log, "--out", tmp_path / "prepared").returncode == 0
    for arguments, words in (
        ((tmp_path / "prepared",), "is prepared already, and folds are made of a log; give the log itself"),
        ((log, "--split", "paper"), "folds need split=timestamp, got paper"),
        ((log, "--preset", "reference"), "folds need split=timestamp, got paper"),
    ):
        refused = negsample("compare", *arguments, "--folds", 2, "--out", tmp_path / "study")
        assert refused.returncode == 2
        assert words in " ".join(refused.stderr.split())
    assert not (tmp_path / "study").exists()
