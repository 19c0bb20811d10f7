"""What every command prints for programs (--json), for people in a hurry (--quiet), and on a narrow terminal."""

from __future__ import annotations

import io
import json
import re
import shutil

import polars as pl
import pytest
from rich.console import Console

from negsample.cli.tables import show_facts
from negsample.data.bundled import BUNDLED
from negsample.data.sources.catalogue import SOURCES
from negsample.methods import METHODS, cost
from negsample.models.baselines import BASELINES


def document(finished):
    """The one JSON object on stdout, and what was said meanwhile."""
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout), finished.stderr


def quiet(finished):
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    return finished.stdout


@pytest.fixture(scope="module")
def study(negsample, log, small, tmp_path_factory):
    """A study of one method, the command that made it, and what that printed with --json."""
    folder = tmp_path_factory.mktemp("study") / "study"
    command = ("compare", log, "--methods", "random", "--epochs", 1, "--repeats", 1, "--out", folder, *small)
    return folder, command, negsample(*command, "--json")


@pytest.fixture(scope="module")
def run(study):
    (folder,) = study[0].glob("runs/retail--random--*")
    return folder


@pytest.fixture(scope="module")
def model(negsample, study, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "MODEL"
    return folder, negsample("final", study[0], "--out", folder, "--json")


def test_compare_prints_its_table_and_the_way_there_on_stderr(study):
    folder, _, finished = study
    found, said = document(finished)
    assert (found["folder"], found["report"]) == (str(folder), str(folder / "report.html"))
    assert found["failed"] == []
    assert pl.DataFrame(found["table"])["ndcg@10"].to_list() == pl.read_csv(folder / "table.csv")["ndcg@10"].to_list()
    assert [row["method"] for row in found["table"]] == ["random", "PopRec"]
    for words in ("train events", "In all", "[1/1]"):
        assert words in said


def test_quiet_leaves_the_results(negsample, study):
    said = quiet(negsample(*study[1], "--quiet"))
    assert said.splitlines()[0].strip() == "retail: test, %, mean ±sd of the runs"
    assert f"Report: {study[0] / 'report.html'}" in said
    for words in ("finished before", "train events", "In all"):
        assert words not in said
    assert "finished before" in quiet(negsample(*study[1]))


def test_both_together_print_the_result_alone(negsample, study):
    finished = negsample("report", study[0], "--quiet", "--json")
    found, said = document(finished)
    assert said == ""
    assert found["table"] == json.loads(study[2].stdout)["table"]


def test_errors_stay_errors(negsample, tmp_path):
    finished = negsample("report", tmp_path / "none", "--quiet", "--json")
    assert (finished.returncode, finished.stdout) == (2, "")
    assert finished.stderr.startswith("error: ")


def test_failed_runs_are_in_the_result(negsample, log, small, tmp_path):
    asked = ("compare", log, "--methods", "random", "--repeats", 1, "--epochs", 1, "--out", tmp_path / "study", *small)
    finished = negsample(*asked, "--set", "learning_rate=1e30", "--json", "--quiet")
    assert finished.returncode == 3
    (failed,) = json.loads(finished.stdout)["failed"]
    assert failed.startswith("retail random seed 0: training diverged")
    assert finished.stderr.startswith(f"failed: {failed}")


def test_a_forecast_is_a_result(negsample, log, small, tmp_path):
    shutil.copy(log, tmp_path / "amazon-beauty.csv")
    asked = ("reproduce", "--data", tmp_path, "--out", tmp_path / "out", "--repeats", 1, "--epochs", 1, *small)
    asked = (*asked, "--osf", "none", "--response", 0, "--forecast")
    found, said = document(negsample(*asked, "--json"))
    assert found["seconds"] > 0
    assert len(found["runs"]) == 6
    assert "In all" not in said
    assert "In all" in quiet(negsample(*asked, "--quiet"))


def test_runs(negsample, run, log, small, tmp_path):
    metrics = json.loads((run / "metrics.json").read_text())
    found, said = document(negsample("evaluate", run, "--json"))
    assert found == {"run": str(run), "method": "random", "metrics": metrics}
    assert said == ""
    new = tmp_path / "run"
    asked = ("train", log, "--method", "bpr", "--epochs", 1, "--out", new, *small)
    found, said = document(negsample(*asked, "--json"))
    assert found["metrics"] == json.loads((new / "metrics.json").read_text())
    assert "In all" in said
    assert quiet(negsample(*asked, "--quiet")).startswith("bpr, test, %")
    found, _ = document(negsample("verify", new, "--json"))
    assert [each["damaged"] for each in found["checked"]] == [[]]
    (new / "log.jsonl").write_text("other")
    finished = negsample("verify", new, "--json")
    assert finished.returncode == 2
    assert "log.jsonl" in str(json.loads(finished.stdout)["checked"][0]["damaged"])


def test_a_tuning(negsample, log, small, tmp_path):
    asked = ("tune", log, "--method", "random", "--trials", 1, "--epochs", 1, "--out", tmp_path, *small[:-2])
    found, said = document(negsample(*asked, "--json"))
    assert json.loads((tmp_path / "best.json").read_text())["params"] == found["best"]
    assert [each["number"] for each in found["trials"]] == [0]
    assert found["command"].startswith("negsample train ")
    assert "In all" in said
    assert "trial 1/1" not in quiet(negsample(*asked, "--quiet"))


def test_logs_and_datasets(negsample, log, events, tmp_path):
    found, said = document(negsample("inspect", log, "--json"))
    assert found["facts"]["events"] == f"{len(events):,}"
    assert found["command"].startswith("negsample compare ")
    assert {*found} == {"facts", "notes", "questions", "command"}
    assert said == ""
    found, _ = document(negsample("prepare", log, "--out", tmp_path / "out", "--json"))
    assert found["folder"] == str(tmp_path / "out")
    assert found["events"] == json.loads((tmp_path / "out" / "manifest.json").read_text())["events"] == len(events)
    found, _ = document(negsample("data", "list", "--json"))
    assert [each["name"] for each in found["datasets"]] == [*BUNDLED, *SOURCES]
    assert found["datasets"][0]["events"] == BUNDLED["online-retail"].events
    found, _ = document(negsample("data", "fetch", "online-retail", "--json"))
    assert found == {"name": "online-retail", "file": None, "official": True}


def test_methods(negsample):
    found, _ = document(negsample("methods", "--json"))
    assert [each["method"] for each in found["methods"]] == [*METHODS]
    assert [each["method"] for each in found["baselines"]] == [*BASELINES]
    rule, _ = document(negsample("methods", "ItemKNN", "--json"))
    assert rule == {"baseline": "ItemKNN", "what": "baseline: items that the same users have as the user's latest ones"}
    one, _ = document(negsample("methods", "gsasrec", "--json"))
    assert (one["loss"], one["cost"]) == ("gBCE", cost("gsasrec"))
    assert one["settings"]["random_negatives"]["default"] == 256


def test_a_model(negsample, model, log, events, tmp_path):
    folder, finished = model
    found, said = document(finished)
    assert (found["model"], found["method"], found["events"]) == (str(folder), "random", len(events))
    assert found["test"]["ndcg@10"] is not None
    assert "Training takes about" in said
    rows, _ = document(negsample("recommend", folder, "--out", tmp_path / "top.parquet", "--json"))
    assert rows["rows"] == pl.read_parquet(tmp_path / "top.parquet").height == 10 * rows["people"]
    user = events["user"][0]
    told, _ = document(negsample("explain", folder, "--user", user, "--k", 3, "--json"))
    assert len(told["history"]) == events.filter(pl.col("user") == user).height
    assert [each["rank"] for each in told["best"]] == [1, 2, 3]
    files, _ = document(negsample("export", folder, "--to", "vectors", "--out", tmp_path / "vectors", "--json"))
    sizes = {each["file"]: each["bytes"] for each in files["files"]}
    assert sizes == {str(path): path.stat().st_size for path in (tmp_path / "vectors").iterdir() if str(path) in sizes}
    assert len(sizes) >= 3
    copy = shutil.copytree(folder, tmp_path / "MODEL")
    joined, _ = document(negsample("refresh", copy, "--log", log, "--json"))
    assert (joined["model"], joined["added"]) == (str(copy), 0)


@pytest.fixture(scope="module")
def shown(negsample, study, run, model, log, events, tmp_path_factory):
    """What commands print with a terminal of so many columns, by the command."""
    known = {
        "methods": ("methods",),
        "methods gsasrec": ("methods", "gsasrec"),
        "data list": ("data", "list"),
        "inspect": ("inspect", log),
        "report": ("report", study[0]),
        "evaluate": ("evaluate", run),
        "explain": ("explain", model[0], "--user", events["user"][0]),
    }

    def show(command, columns):
        out = tmp_path_factory.mktemp("prepared") / "retail"
        arguments = ("prepare", log, "--out", out) if command == "prepare" else known[command]
        return quiet(negsample(*arguments, COLUMNS=str(columns))).replace(str(out), "OUT")

    return show


@pytest.mark.parametrize("columns", range(20, 90))
def test_facts_break_no_word_whatever_the_columns(columns):
    facts = [("events at the time of another of their user", "0 %"), ("time", "2023-11-14T22:16:08 to now (60.0 days)")]
    facts.append(("users", "300, with 20 events in the middle and 35 at most"))
    console = Console(width=columns, file=io.StringIO())
    show_facts(console, facts)
    found = sorted(word.rstrip(":") for word in console.file.getvalue().split())
    assert found == sorted(word for fact in facts for text in fact for word in text.split())


@pytest.mark.parametrize(
    "command",
    ["methods", "methods gsasrec", "data list", "inspect", "prepare", "report", "evaluate", "explain"],
)
def test_a_narrow_terminal_breaks_no_word_and_cuts_none(shown, command):
    narrow, wide = ({*re.findall(r"[^\s:]+", shown(command, columns))} for columns in (40, 119))
    ruled = {word for word in wide if set(word) <= set("─")}
    assert "…" not in "".join(narrow)
    assert narrow - wide <= {"─" * length for length in range(41)}
    assert wide - narrow <= ruled
