"""Every command as a person gives it, and the files that the contract names."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import polars as pl
import pytest
from safetensors.torch import load_file

from negsample.methods import DEFAULT_METHODS, METHODS
from negsample.models.baselines import BASELINES

FIGURES = ["hr@10", "hr@10_sd", "ndcg@10", "ndcg@10_sd", "balance@10", "balance@10_sd", "coverage@10"]
BY_COHORT = [
    f"{cohort}_{name}@10{sd}" for name in ("hr", "ndcg") for cohort in ("head", "mid", "tail") for sd in ("", "_sd")
]


def done(finished):
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == ""
    return finished.stdout


def stamps(folder):
    """When each file in it was written, hidden ones included."""
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def prepared(installed, log, tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared") / "retail"
    return folder, done(installed("prepare", log, "--out", folder))


@pytest.fixture(scope="module")
def run(negsample, prepared, small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "first"
    said = done(negsample("train", prepared[0], "--method", "random", "--epochs", 2, "--out", folder, *small))
    return folder, said


@pytest.fixture(scope="module")
def compared(negsample, log, small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "study"
    command = ("compare", log, "--methods", "random,mixed", "--epochs", 1, "--repeats", 2, "--out", folder, *small)
    return folder, command, done(negsample(*command))


def test_train_takes_a_baseline(negsample, prepared, tmp_path):
    said = done(negsample("train", prepared[0], "--method", "EASE", "--out", tmp_path / "ease"))
    metrics = json.loads((tmp_path / "ease" / "metrics.json").read_text())
    assert json.loads((tmp_path / "ease" / "config.json").read_text())["method"] == "EASE"
    assert f"Chosen on validation: lambda {metrics['chosen']['choice']:,.0f}" in said
    assert f"{metrics['train_seconds']:.1f} s of training" in said


def test_prepare_prints_table_2_and_writes_a_manifest_and_arrays(prepared, events):
    folder, said = prepared
    assert all(word in said for word in ("MPU %", "head", "mid", "tail", "train events", f"Prepared in {folder}"))
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["users"], manifest["events"]) == (150, len(events))
    assert manifest["name"] == "retail"
    assert {"items.npy", "offsets.npy", "train_ends.npy", "item_ids.parquet"} <= {
        path.name for path in folder.iterdir()
    }


@pytest.mark.parametrize("form", ["tsv", "parquet", "parts", "gz"])
def test_every_form_of_a_log_gives_the_same_dataset(negsample, prepared, events, tmp_path, form):
    renamed = events.rename({"user": "User ID", "item": "Item-Id", "timestamp": "ts"})
    if form == "tsv":
        source = tmp_path / "log.tsv"
        renamed.write_csv(source, separator="\t")
    elif form == "parquet":
        source = tmp_path / "log.parquet"
        renamed.write_parquet(source)
    elif form == "gz":
        source = tmp_path / "log.csv.gz"
        renamed.write_csv(source, compression="gzip")
    else:
        source = tmp_path / "log"
        source.mkdir()
        for number, part in enumerate(renamed.iter_slices(len(renamed) // 2)):
            part.write_csv(source / f"part-{number}.csv")
    done(negsample("prepare", source, "--out", tmp_path / "out"))
    ours, first = (json.loads((folder / "manifest.json").read_text()) for folder in (tmp_path / "out", prepared[0]))
    assert ours["fingerprint"] == first["fingerprint"]
    assert ours["cohorts"] == first["cohorts"]


def test_columns_by_name_and_settings_of_the_split(negsample, log, tmp_path):
    options = ("--user", "user", "--item", "item", "--time", "timestamp", "--min-user-events", 5)
    split = ("--split", "paper", "--valid-fraction", 0.1, "--test-fraction", 0.1, "--cold", "drop")
    done(negsample("prepare", log, "--out", tmp_path / "out", *options, *split))
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["settings"]["split"] == "paper"
    assert manifest["settings"]["min_user_events"] == 5
    assert manifest["cold_items"] == 0


def test_train_writes_a_run(run):
    folder, said = run
    assert {"config.json", "metrics.json", "log.jsonl", "model.safetensors"} <= {each.name for each in folder.iterdir()}
    assert f"Run: {folder}" in said
    config, metrics = (json.loads((folder / name).read_text()) for name in ("config.json", "metrics.json"))
    assert (config["method"], config["seed"], config["settings"]["epochs"]) == ("random", 0, 2)
    assert len((folder / "log.jsonl").read_text().splitlines()) == 2
    assert metrics["best_epoch"] in (1, 2)
    for part in ("valid", "test"):
        counts = {f"{which}events" for which in ("", "head_", "mid_", "tail_", "cold_")}
        assert {"hr@10", "ndcg@10", "balance@10", "coverage@10", "tail_hr@10"} | counts <= metrics[part].keys()


def test_a_finished_run_is_not_trained_again(negsample, run, prepared, small):
    before = stamps(run[0])
    said = done(negsample("train", prepared[0], "--method", "random", "--epochs", 2, "--out", run[0], *small))
    assert "finished already" in said
    assert stamps(run[0]) == before


def test_evaluate_finds_the_same_figures(negsample, run):
    before = json.loads((run[0] / "metrics.json").read_text())
    said = done(negsample("evaluate", run[0]))
    assert "HR@10" in said
    assert json.loads((run[0] / "metrics.json").read_text()) == before


def test_the_dial_of_a_run_is_chosen_anew_and_stays(negsample, run, tmp_path):
    folder = shutil.copytree(run[0], tmp_path / "run")

    def figures():
        return json.loads((folder / "metrics.json").read_text())

    trained = figures()
    said = done(negsample("evaluate", folder, "--dial", "-0.6"))
    assert "Dial -0.6 (asked for: -0.6)" in said
    turned = figures()
    assert (turned["dial"], turned["dial_choice"]) == (-0.6, "-0.6")
    assert turned["test"]["arp@10"] < trained["test"]["arp@10"]
    done(negsample("evaluate", folder))
    assert figures() == turned
    ended = negsample("evaluate", folder, "--dial", "balance:1")
    assert ended.returncode == 2
    assert "reaches Balance 1 on validation, the most is" in ended.stderr
    assert figures() == turned
    done(negsample("evaluate", folder, "--dial", "none"))
    assert figures() == trained


def test_a_balance_that_training_does_not_reach_is_said_and_the_run_is_kept(negsample, prepared, small, tmp_path):
    command = ("train", prepared[0], "--method", "random", "--epochs", 1, "--out", tmp_path / "run", *small)
    ended = negsample(*command, "--dial", "balance:1")
    assert ended.returncode == 2
    assert "reaches Balance 1" in ended.stderr
    assert "is kept, at dial 0" in ended.stderr
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["dial_reached"] is False
    assert "asked for: auto" in done(negsample(*command, "--dial", "auto"))
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["dial_reached"] is True


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_run_over_rows_is_a_run_and_evaluate_finds_the_same_figures(negsample, run, prepared, small, tmp_path, dtype):
    folder = tmp_path / "rows"
    rows = ("--set", "table=rows", "--set", f"table_dtype={dtype}")
    done(negsample("train", prepared[0], "--method", "random", "--epochs", 2, "--out", folder, *small, *rows))
    saved, dense = (load_file(each / "model.safetensors") for each in (folder, run[0]))
    assert saved.keys() == dense.keys()
    assert {str(each.dtype) for key, each in saved.items() if "table" in key} == {f"torch.{dtype}"}
    before, expected = (json.loads((each / "metrics.json").read_text()) for each in (folder, run[0]))
    if dtype == "float32":
        assert before["valid"]["hr@10"] == pytest.approx(expected["valid"]["hr@10"], abs=0.02)
    done(negsample("evaluate", folder))
    assert json.loads((folder / "metrics.json").read_text()) == before


def test_compare_writes_runs_table_figures_and_page(compared):
    folder, _, said = compared
    assert f"Report: {folder / 'report.html'}" in said
    assert len(list((folder / "runs").iterdir())) == 5  # 2 methods, 2 seeds, and PopRec
    table = pl.read_csv(folder / "table.csv")
    assert table["method"].to_list() == ["random", "mixed", "PopRec"]
    assert table["runs"].to_list() == [2, 2, 1]
    named = ["dataset", "method", "runs", *FIGURES, *BY_COHORT, "train_seconds", "steps_per_second"]
    assert set(named) <= set(table.columns)
    assert table["hr@10"].is_between(0, 1).all()
    assert list((folder / "figures").glob("*.svg"))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert 'src="http' not in page
    assert "retail" in page


def test_the_second_compare_trains_nothing(negsample, compared):
    folder, command, _ = compared
    before = stamps(folder / "runs")
    said = done(negsample(*command))
    assert said.count("finished before") == 4
    assert stamps(folder / "runs") == before


def test_another_dial_trains_nothing_and_changes_the_table(negsample, compared, tmp_path):
    folder, command, _ = compared
    copy = shutil.copytree(folder, tmp_path / "study")
    command = [copy if part == folder else part for part in command]
    before = {path: path.read_bytes() for path in copy.rglob("model.safetensors")}
    said = done(negsample(*command, "--dial", "0.5"))
    assert said.count("finished before") == 4
    assert "dial 0.5, mean of the runs: random 0.5, mixed 0.5, PopRec 0" in said
    assert before == {path: path.read_bytes() for path in copy.rglob("model.safetensors")}
    frontier = pl.read_csv(copy / "frontier.csv")
    assert len(frontier) == 4 * 9 + 1
    chosen = frontier.filter("chosen").group_by("method", maintain_order=True).agg(pl.col("hr@10").mean())
    assert chosen["hr@10"].to_list() == pytest.approx(pl.read_csv(copy / "table.csv")["hr@10"].to_list())
    assert "All runs at dial 0.5." in (copy / "report.html").read_text(encoding="utf-8")
    ended = negsample(*command, "--dial", "balance:1")
    assert ended.returncode == 2
    assert "No setting of the dial reaches Balance 1 on validation for random" in ended.stderr
    assert "Report: " in ended.stdout


def test_report_comes_from_the_folders_alone(negsample, compared):
    folder = compared[0]
    before = (folder / "table.csv").read_text()
    (folder / "table.csv").unlink()
    (folder / "report.html").unlink()
    for figure in (folder / "figures").iterdir():
        figure.unlink()
    said = done(negsample("report", folder))
    assert "PopRec" in said
    assert (folder / "table.csv").read_text() == before
    assert (folder / "report.html").stat().st_size > 100_000
    assert list((folder / "figures").glob("*.svg"))


def test_seeds_trained_together_are_the_same_runs_within_rounding(negsample, compared, tmp_path):
    folder, command, _ = compared
    other = tmp_path / "together"
    arguments = [other if each is folder else each for each in command]
    done(negsample(*arguments, "--together", 2))
    runs = sorted(path.name for path in (folder / "runs").iterdir())
    assert sorted(path.name for path in (other / "runs").iterdir()) == runs
    for name in runs:
        one, two = (json.loads((each / "runs" / name / "metrics.json").read_text()) for each in (folder, other))
        assert two["test"]["hr@10"] == pytest.approx(one["test"]["hr@10"], abs=0.02)
    before = stamps(other / "runs")
    assert done(negsample(*arguments)).count("finished before") == 4
    assert stamps(other / "runs") == before


def test_what_is_ahead_is_said_before_it_is_done(run, compared, negsample):
    _, command, said = compared
    for words in (run[1], said):
        assert "table dense (fewer than 50,000 items)" in words
        assert "/epoch" in words
        assert "In all about" in words
    assert said.index("In all about") < said.index("[1/4]")
    assert [said.count(f"[{number}/4]") for number in range(5)] == [0, 1, 1, 1, 1]
    assert "In all" not in done(negsample(*command))  # nothing is


def test_methods_names_them_all_and_the_baseline_in_a_narrow_terminal(installed):
    lines = done(installed("methods", COLUMNS="50")).splitlines()
    assert max(map(len, lines)) <= 50
    firsts = [line.split()[0] for line in lines if line[0] != " "]
    begin = firsts.index("random")
    named = [*METHODS, *BASELINES]
    assert firsts[begin : begin + len(named)] == named
    assert len(lines) < 5 * len(named)
    assert "Petrov & Macdonald" in done(installed("methods", COLUMNS="140"))


def test_methods_tells_all_of_one(negsample):
    said = " ".join(done(negsample("methods", "gsasrec")).split())
    for words in ("uniform over the catalogue", "gBCE", "Petrov", "2023", "beta softplus(-s+)", "256", "calibration"):
        assert words in said


def test_compare_takes_the_papers_six_and_what_we_recommend_when_none_is_named_with_refit_and_terms(
    negsample, log, small_refitted, tmp_path
):
    folder = tmp_path / "study"
    said = done(negsample("compare", log, "--epochs", 1, "--repeats", 1, "--out", folder, *small_refitted))
    assert "A refit is counted with all epochs" in " ".join(said.split())
    assert pl.read_csv(folder / "table.csv")["method"].to_list() == [*DEFAULT_METHODS, "PopRec"]
    assert len([*folder.glob("runs/*/model_before_refit.safetensors")]) == len(DEFAULT_METHODS)
    assert "Not counted: the baselines, the weights of terms after each run and the report." in " ".join(said.split())
    tested = [json.loads(each.read_text()) for each in folder.glob("runs/*/metrics.json")]
    assert sum(bool(each["without_terms"]) for each in tested) == len(DEFAULT_METHODS)
    alone = {each["without_terms"]["test"]["ndcg@10"] for each in tested if each["without_terms"]}
    assert {*pl.read_csv(folder / "table.csv")["ndcg_without_terms"].drop_nulls()} == alone
    assert "alone: NDCG@10 without the terms that were fitted after training." in said
    assert "further down is what each model has alone" in (folder / "report.html").read_text(encoding="utf-8")
    assert "What the refit gave" in (folder / "report.html").read_text(encoding="utf-8")


def test_train_takes_the_other_backbone_and_evaluate_finds_it_again(negsample, log, small, tmp_path):
    folder = tmp_path / "run"
    options = ("--method", "mixed-log-q", "--epochs", 1, "--set", "backbone=gru4rec")
    done(negsample("train", log, "--out", folder, *options, *small))
    before = json.loads((folder / "metrics.json").read_text())
    assert any("weight_ih_l0" in name for name in load_file(folder / "model.safetensors"))
    done(negsample("evaluate", folder))
    assert json.loads((folder / "metrics.json").read_text()) == before


def test_the_work_goes_on_when_nobody_reads(program, surroundings, log, tmp_path):
    command = [program, "prepare", str(log), "--out", str(tmp_path / "out")]
    with subprocess.Popen(
        command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()  # as `| head` does
        assert process.stderr.read() == ""
        assert process.wait() == 0
    assert (tmp_path / "out" / "manifest.json").is_file()


WITHOUT_TORCH = """
import sys
from negsample.cli import app
from negsample.cli.console import exit_code
for given in (["inspect", sys.argv[1]], ["prepare", sys.argv[1], "--out", sys.argv[2]], ["data", "list"]):
    sys.argv[1:], kept = given, sys.argv[1:]
    assert not exit_code(app), given
    sys.argv[1:] = kept
print("torch" in sys.modules)
"""


def test_commands_that_train_nothing_do_not_wait_for_torch(surroundings, log, tmp_path):
    command = [sys.executable, "-c", WITHOUT_TORCH, str(log), str(tmp_path / "out")]
    said = done(subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False))
    assert said.splitlines()[-1] == "False"


def test_a_terminal_without_the_letters_is_no_reason_to_stop(installed, events, tmp_path):
    log = tmp_path / "Zoë 商品.csv"
    events.write_csv(log)
    said = done(installed("prepare", log, "--out", tmp_path / "out", PYTHONIOENCODING="ascii", LC_ALL="C"))
    assert "Prepared in" in said


def test_ids_that_say_missing_are_left_out_and_told_or_taken_where_asked(negsample, events, tmp_path):
    log = tmp_path / "log.csv"
    first = events["user"][0]
    unknown = pl.when(pl.col("user") == first).then(pl.lit("NA")).otherwise("user").alias("user")
    events.with_columns(unknown).write_csv(log)
    rows = events.filter(pl.col("user") == first).height
    said = " ".join(done(negsample("prepare", log, "--out", tmp_path / "without")).split())
    assert f"{rows:,} of {len(events):,} rows left out: an id that says 'missing'" in said
    assert f"events {len(events) - rows:,} " in said
    assert "train events used in training" in said
    assert "%) at max_length 50" in said
    assert "repeats in test" in said
    said = " ".join(done(negsample("prepare", log, "--keep-missing-ids", "--out", tmp_path / "with")).split())
    assert f"events {len(events):,} " in said


def test_names_are_text_and_never_markup(negsample, events, small, tmp_path):
    log = tmp_path / "a b [bold]<script>alert(1)<!--.csv"
    events.write_csv(log)
    command = ("--methods", "random", "--epochs", 1, "--repeats", 1, "--out", tmp_path / "-- <b> [red]", *small)
    assert "a b [bold]<script>" in done(negsample("compare", *command, "--", log))
    page = (tmp_path / "-- <b> [red]" / "report.html").read_text(encoding="utf-8")
    assert "<script>alert(1)" not in page
    assert "a b [bold]&lt;script&gt;" in page
