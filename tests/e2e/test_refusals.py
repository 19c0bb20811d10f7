"""What is wrong is refused: exit code 2, one line on stderr that says what, where and what would be right."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from make_study import list_anew


def refused(finished, *words):
    assert finished.returncode == 2, finished.stderr
    assert finished.stderr.startswith("error: ")
    assert finished.stderr.count("\n") == 1
    assert "Traceback" not in finished.stdout + finished.stderr
    for word in words:
        assert word in finished.stderr


def text(rows, header="user,item,time"):
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


FEW = [(user, f"{user}-{step % 3}", 1_300_000_000 + step) for step in range(30) for user in ("a", "b")]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ["no command given", "compare, report"]),
        (["trian"], ["no such command 'trian'", "compare, report", "negsample --help"]),
        (["train"], ["missing argument 'dataset'", "train --help"]),
        (["train", "online-retail", "--out", "x"], ["missing option '--method'"]),
        (["train", "online-retail", "--epoch", "1"], ["no such option: --epoch", "--epochs"]),
        (["train", "online-retail", "--seed", "one"], ["'--seed'", "integer"]),
        (["prepare", "log.csv", "--out", "x", "--split", "fair"], ["'--split'", "'timestamp', 'paper'"]),
        (["compare", "online-retail", "--repeats", "0", "--out", "x"], ["'--repeats'", "1"]),
        (["compare", "online-retail", "--dial", "Auto", "--out", "x"], ["--dial 'Auto' is not known", "balance:0.7"]),
        (
            ["train", "online-retail", "--method", "random", "--dial", "balance:70", "--out", "x"],
            ["out of range", "0 to 1"],
        ),
        (["evaluate", "x", "--dial", "auto"], ["x holds no finished run"]),
        (["methods", "all"], ["one name", "'all'"]),
        (
            ["inspect", "online-retail"],
            ["'online-retail' is the name of a known dataset", "negsample compare online-r"],
        ),
        (["methods", "random", "mixed"], ["unexpected", "mixed"]),
        (["methods", "adaptve"], ["unknown method 'adaptve'", "did you mean 'adaptive'"]),
    ],
)
def test_a_command_line(negsample, tmp_path, arguments, words):
    refused(negsample(*arguments, cwd=tmp_path), *words)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--method", "Random"], ["unknown method 'Random'", "did you mean 'random'", "--plugin FILE"]),
        (["--method", "random,mixed"], ["one method", "compare"]),
        (["--method", "random", "--set", "dimension=8"], ["unknown setting 'dimension'", "dim,"]),
        (["--method", "random", "--set", "di\nm=8"], [r"unknown setting 'di\nm'"]),
        (["--method", "random", "--set", "dim"], ["KEY=VALUE", "'dim'"]),
        (["--method", "random", "--set", "dim=true"], ["dim=True", "should not be true"]),
        (["--method", "random", "--set", "dim=20000000"], ["not enough memory", "dim"]),
        (["--method", "random", "--set", "random_negatives=null"], ["random_negatives", "default"]),
        (["--method", "random", "--set", "learning_rate=Infinity"], ["learning_rate", "finite"]),
        (["--method", "random", "--set", "kept_hardest=3"], ["kept_hardest does nothing", "random"]),
        (["--method", "in-batch", "--set", "in_batch_negatives=ALL"], ["in_batch_negatives='ALL'", "'all'"]),
        (["--method", "random", "--set", "backbone=gru"], ["backbone 'gru'", "did you mean 'gru4rec'"]),
        (
            ["--method", "random", "--set", "backbone=gru4rec", "--set", "heads=2"],
            ["setting heads is for backbone sasrec", "gru4rec"],
        ),
        (
            ["--method", "random", "--set", "table_dtype=bfloat16"],
            ["table_dtype=bfloat16 is for table=rows or"],
        ),
        (["--method", "cohort", "--set", "cohort_shares=[1,2]"], ["three numbers", "[1, 2]"]),
        (["--method", "random", "--epochs", "0"], ["epochs=0", "greater than or equal to 1"]),
        (["--method", "random", "--min-item-events", "1000000"], ["no event", "min_item_events", "lower"]),
    ],
)
def test_a_setting_of_train(negsample, log, tmp_path, arguments, words):
    refused(negsample("train", log, "--epochs", 1, "--out", tmp_path / "run", *arguments), *words)
    assert not list(tmp_path.iterdir())


def test_a_training_that_diverges(negsample, log, small, tmp_path):
    setting = ("--method", "sampled-softmax", "--epochs", 1, "--set", "temperature=1e-44")
    finished = negsample("train", log, *setting, "--out", tmp_path / "run", *small)
    assert finished.returncode == 3, finished.stderr
    first, second = finished.stderr.splitlines()
    assert first.startswith(
        "failed: retail sampled-softmax seed 0: training diverged: the loss became nan in epoch 1, step 1"
    )
    assert "the setting most likely at fault is temperature=1e-44 (default 1): take a larger one; users of" in first
    assert second.startswith("1 failed")
    assert not list(tmp_path.iterdir())


def test_a_training_that_diverges_after_its_first_step(negsample, log, small, tmp_path):
    """Neither the forecast's own steps nor the ranking end the command before its failure is told."""
    study = ("compare", log, "--out", tmp_path / "study", "--methods", "random", "--repeats", 1)
    finished = negsample(*study, "--epochs", 1, "--set", "learning_rate=1e30", *small)
    assert finished.returncode == 3, finished.stderr
    assert finished.stderr.startswith("failed: retail random seed 0: training diverged")
    assert "the setting most likely at fault is learning_rate=1e+30" in finished.stderr
    assert (tmp_path / "study" / "report.html").exists()


def test_a_study_of_which_something_fails(negsample, log, small, tmp_path):
    study = ("compare", log, "--out", tmp_path / "study", "--methods", "random,sampled-softmax", "--repeats", 2)
    finished = negsample(*study, "--epochs", 1, "--set", "temperature=1e-44", *small)
    assert finished.returncode == 3, finished.stderr
    assert [line[:41] for line in finished.stderr.splitlines()[:2]] == [
        f"failed: retail sampled-softmax seed {seed}: tr" for seed in (0, 1)
    ]
    assert "2 failed; all else is kept" in finished.stderr
    table = finished.stdout[finished.stdout.index("test, %") :]
    assert re.search(r"\n *sampled-softmax +failed *\n", table)
    assert "Report: " in table
    assert (tmp_path / "study" / "report.html").read_text().count("training diverged: the loss became nan") >= 1
    assert negsample("report", tmp_path / "study").returncode == 0


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("badtime.csv", text([*FEW[:6], ("a", "x", "noon"), *FEW[6:]]), ["badtime.csv, row 7 (line 8)", "'noon'"]),
        ("short.csv", text([*FEW[:6], ("a", "x")]), ["short.csv, row 7", "2 fields", "3"]),
        ("lacking.csv", text(FEW, "user,thing,time"), ["looks like the item", "user, thing, time", "--item"]),
        ("mac.csv", text(FEW).replace("\n", "\r"), ["mac.csv", "CR"]),
        ("empty.csv", "", ["empty.csv is empty"]),
        ("two.csv", text(FEW[:2]), ["too few events"]),
        ("tied.csv", text([(user, item, 1_300_000_000) for user, item, _ in FEW]), ["share their time", "paper"]),
        ("lie.parquet", text(FEW), ["lie.parquet cannot be read"]),
        ("gone.csv", None, ["gone.csv does not exist"]),
        ("n" * 300 + ".csv", None, ["cannot be read", "too long"]),
    ],
)
def test_a_log(negsample, tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    refused(negsample("prepare", tmp_path / name, "--out", tmp_path / "new" / "out"), *words)
    assert not (tmp_path / "new").exists()


def test_a_name_that_is_near_a_bundled_one(negsample, tmp_path):
    refused(
        negsample("train", "online-retial", "--method", "random", "--out", tmp_path / "run"),
        "Did you mean online-retail",
    )


def test_two_datasets_of_one_name(negsample, log, tmp_path):
    refused(negsample("compare", log, log, "--out", tmp_path / "study"), "same name", "retail")


def test_together_what_cannot_be(negsample, log, tmp_path):
    refused(
        negsample("compare", log, "--out", tmp_path / "study", "--together", 2, "--set", "backbone=gru4rec"),
        "--together 2 is for sasrec",
        "backbone=gru4rec",
    )
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("verb", [["train", "--method", "random"], ["compare", "--methods", "random"]])
def test_what_cannot_fit_is_refused_before_any_work(negsample, log, tmp_path, verb):
    finished = negsample(verb[0], log, *verb[1:], "--out", tmp_path / "x", "--set", "dim=2000000")
    refused(finished, "not enough memory: random on", "is available", "a smaller dim")
    assert finished.stdout == ""
    assert not list(tmp_path.iterdir())


def test_a_place_to_write_that_is_taken(negsample, log, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("mine")
    for command, place in (("prepare", "full"), ("compare", "full"), ("train", "file/inside")):
        method = ("--method", "random") if command == "train" else ()
        refused(negsample(command, log, "--out", tmp_path / place, *method), str(tmp_path / place), "choose another")
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


def test_a_cache_that_cannot_be_written(negsample, log, tmp_path):
    (tmp_path / "file").write_text("mine")
    cache = str(tmp_path / "file")
    refused(
        negsample("train", log, "--method", "random", "--out", tmp_path / "x", NEGSAMPLE_CACHE=cache), "NEGSAMPLE_CACHE"
    )


def test_what_is_no_run_and_no_study(negsample, tmp_path):
    refused(negsample("evaluate", tmp_path), "no finished run")
    refused(negsample("report", tmp_path), "no study", "negsample compare")


def test_a_damaged_run_and_a_damaged_dataset(negsample, log, small, tmp_path):
    data, run = tmp_path / "data", tmp_path / "run"
    assert negsample("prepare", log, "--out", data).returncode == 0
    assert negsample("train", data, "--method", "random", "--epochs", 1, "--out", run, *small).returncode == 0
    train = ("train", data, "--method", "random")
    refused(negsample(*train, "--split", "paper", "--out", tmp_path / "x"), "prepared already", "split")
    refused(negsample(*train, "--epochs", 2, "--out", run, *small), "other settings", "another --out")

    whole = (run / "config.json").read_text()
    for damaged in (whole[:40], "{}", "[" * 100_000):
        (run / "config.json").write_text(damaged)
        refused(negsample("evaluate", run), f"{run / 'config.json'} is damaged", "run the same command again")
    (run / "config.json").write_text(json.dumps(json.loads(whole) | {"dataset_folder": str(tmp_path / "gone")}))
    list_anew(run)
    refused(negsample("evaluate", run), "gone")
    (run / "config.json").write_text(whole)
    list_anew(run)
    assert negsample("verify", run).returncode == negsample("verify", data).returncode == 0
    (run / "model.safetensors").write_bytes(b"no model")
    refused(negsample("evaluate", run), "model.safetensors is damaged", "run the same command again")
    finished = negsample("verify", tmp_path)
    assert finished.returncode == 2
    assert f"{run / 'model.safetensors'} is damaged" in finished.stdout
    assert finished.stderr.startswith(f"error: 1 damaged in {tmp_path}")
    shutil.copy(log, data / "manifest.json")
    refused(negsample(*train, "--out", tmp_path / "x"), "manifest.json", "prepare it again")
