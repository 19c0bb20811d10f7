"""A study: the contract's files, nothing trained twice, whole runs or none, and what belongs to its table."""

from __future__ import annotations

import json
import math
import shutil

import numpy as np
import polars as pl
import pytest
from make_study import list_anew

from negsample.analysis.reading import read_study
from negsample.analysis.tables import study_table
from negsample.comparison import compare
from negsample.data.dataset import open_dataset
from negsample.errors import FailedError, InputError
from negsample.execution import trainings
from negsample.runs import make
from negsample.runs.remeasure import remeasure
from negsample.settings import run_settings
from negsample.studies.study import plan

SETTINGS = run_settings(epochs=1, batch_size=64, max_length=10, dim=8, blocks=1)
METHODS = ["random", "mixed"]
COHORTS = ("head", "mid", "tail")
COLUMNS = [
    *("dataset", "method", "runs", "hr@10", "hr@10_sd", "ndcg@10", "ndcg@10_sd"),
    *(f"{cohort}_{name}@10{sd}" for name in ("hr", "ndcg") for cohort in COHORTS for sd in ("", "_sd")),
    *("balance@10", "balance@10_sd", "coverage@10", "train_seconds", "steps_per_second"),
]
METRICS = [
    *(f"{name}@10" for name in ("hr", "ndcg", "balance", "coverage")),
    *(f"{cohort}_{name}@10" for name in ("hr", "ndcg") for cohort in COHORTS),
    *("events", "head_events", "mid_events", "tail_events", "cold_events", "best_epoch"),
]


@pytest.fixture(scope="module")
def data(world):
    return world(users=60, items=40, name="small")


def jobs_of(data, *, repeats=1, seed=0, settings=SETTINGS, methods=METHODS, changes=None):
    return plan([data], methods, repeats=repeats, seed=seed, settings=settings, changes=changes)


def table_of(out):
    return pl.read_csv(out / "table.csv")


def stamps(out):
    """Every file of every run, and when it was written."""
    runs = (out / "runs").glob("[!.]*")
    return {path: path.stat().st_mtime_ns for run in runs for path in sorted(run.iterdir())}


def names(out):
    return {path.name for path in (out / "runs").glob("[!.]*")}


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    compare(jobs_of(data, repeats=2), out)
    return out


def test_a_study_leaves_the_files_of_the_contract(finished):
    assert {path.name for path in finished.iterdir()} >= {"runs", "table.csv", "report.html", "figures"}
    assert list((finished / "figures").glob("*.svg"))
    assert len(names(finished)) == 2 * len(METHODS) + 1
    for run in (finished / "runs").iterdir():
        assert {path.name for path in run.iterdir()} >= {
            "config.json",
            "metrics.json",
            "log.jsonl",
            "model.safetensors",
        }
        lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        assert [line["epoch"] for line in lines] == ([] if "PopRec" in run.name else [1])


def test_the_table_has_the_columns_of_the_contract_and_the_means_of_the_runs(finished):
    table = table_of(finished)
    assert [name for name in table.columns if name in COLUMNS] == sorted(COLUMNS, key=table.columns.index), (
        "columns of the contract are missing"
    )
    assert set(table["method"]) == {*METHODS, "PopRec"}
    assert dict(table.select("method", "runs").iter_rows()) == {"random": 2, "mixed": 2, "PopRec": 1}
    for row in table.iter_rows(named=True):
        runs = [
            json.loads((run / "metrics.json").read_text()) for run in (finished / "runs").glob(f"*--{row['method']}--*")
        ]
        for name in ("hr@10", "ndcg@10", "tail_hr@10", "coverage@10"):
            values = [run["test"][name] for run in runs]
            assert math.isclose(row[name], sum(values) / len(values), abs_tol=1e-12)
            if f"{name}_sd" in row and len(values) == 2:
                assert math.isclose(row[f"{name}_sd"], abs(values[0] - values[1]) / math.sqrt(2), abs_tol=1e-12)


def test_metrics_have_the_keys_of_the_contract(finished):
    for run in (finished / "runs").iterdir():
        metrics = json.loads((run / "metrics.json").read_text())
        for part in ("valid", "test"):
            assert set(METRICS) <= set(metrics[part])
            figures = metrics[part]
            assert figures["events"] == sum(figures[f"{cohort}_events"] for cohort in COHORTS) > 0
            assert 0 <= figures["hr@10"] <= 1
        assert {"best_epoch", "train_seconds", "steps_per_second"} <= set(metrics)
        config = json.loads((run / "config.json").read_text())
        assert {"dataset", "dataset_fingerprint", "method", "seed", "settings", "negatives", "versions"} <= set(config)


def test_a_second_call_trains_nothing_and_gives_the_same_table(finished, data, monkeypatch):
    monkeypatch.setattr(trainings, "run_jobs", lambda *arguments, **options: pytest.fail("trained again"))
    before, table = stamps(finished), (finished / "table.csv").read_bytes()
    watched = []
    compare(jobs_of(data, repeats=2), finished, watch=lambda job, epoch: watched.append((job.name, epoch)))
    assert stamps(finished) == before
    assert (finished / "table.csv").read_bytes() == table
    assert sorted(watched) == sorted((name, None) for name in names(finished))


@pytest.mark.usefixtures("no_report")
def test_runs_of_another_folder_are_the_same_to_the_last_bit(finished, data, tmp_path):
    compare(jobs_of(data), tmp_path)
    for run in (tmp_path / "runs").iterdir():
        twin = finished / "runs" / run.name
        one, other = (json.loads((each / "metrics.json").read_text()) for each in (run, twin))
        assert (one["valid"], one["test"]) == (other["valid"], other["test"])
        assert (run / "model.safetensors").read_bytes() == (twin / "model.safetensors").read_bytes()


@pytest.mark.usefixtures("no_report")
@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("where", ["in training", "while measuring"])
def test_an_interruption_leaves_whole_runs_alone(kind, where, data, tmp_path, monkeypatch):
    jobs = jobs_of(data)

    def stop(stopped, epoch):
        if stopped.method == "mixed":
            raise kind

    if where == "in training":
        with pytest.raises(kind):
            compare(jobs, tmp_path, watch=stop)
    else:
        measured, calls = make.measure, []

        def stop_at_third(*arguments, **named):
            calls.append(arguments)
            if len(calls) == 3:
                raise kind
            return measured(*arguments, **named)

        monkeypatch.setattr(make, "measure", stop_at_third)
        with pytest.raises(FailedError if kind is RuntimeError else kind):
            compare(jobs, tmp_path)
        monkeypatch.undo()
    finished = {each.name for each in jobs if each.method != "mixed"}
    assert names(tmp_path) == finished
    before = stamps(tmp_path)
    compare(jobs, tmp_path)
    assert names(tmp_path) == {each.name for each in jobs}
    assert before.items() <= stamps(tmp_path).items()


@pytest.mark.usefixtures("no_report")
def test_more_repeats_only_add(data, tmp_path):
    compare(jobs_of(data), tmp_path)
    before = stamps(tmp_path)
    compare(jobs_of(data, repeats=3), tmp_path)
    assert before.items() <= stamps(tmp_path).items()
    assert dict(study_table(read_study(tmp_path)).select("method", "runs").iter_rows()) == {
        "random": 3,
        "mixed": 3,
        "PopRec": 1,
    }
    compare(jobs_of(data, repeats=1), tmp_path)  # fewer: the others stay part of the study
    assert dict(study_table(read_study(tmp_path)).select("method", "runs").iter_rows()) == {
        "random": 3,
        "mixed": 3,
        "PopRec": 1,
    }


@pytest.mark.usefixtures("no_report")
def test_another_method_joins_the_earlier_ones(data, tmp_path):
    compare(jobs_of(data, methods=["random"]), tmp_path)
    compare(jobs_of(data, methods=["in-batch"]), tmp_path)
    assert set(study_table(read_study(tmp_path))["method"]) == {"random", "in-batch", "PopRec"}


def test_the_plan_is_by_seed_and_has_poprec_once(data):
    jobs = jobs_of(data, repeats=2, seed=5, methods=["random", "PopRec", "mixed"])
    assert [(job.method, job.seed) for job in jobs] == [
        ("PopRec", 0),
        ("random", 5),
        ("mixed", 5),
        ("random", 6),
        ("mixed", 6),
    ]
    assert len({job.name for job in jobs}) == 5


def test_a_change_goes_to_the_methods_that_have_it_and_to_no_other(data):
    jobs = jobs_of(data, methods=["random", "in-batch", "adaptive"], changes={"random_negatives": 7})
    assert {job.method: job.negatives.get("random_negatives") for job in jobs} == {
        "PopRec": None,
        "random": 7,
        "in-batch": None,
        "adaptive": 7,
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kept_hardest": 3}, "kept_hardest does nothing: none of random, mixed has it"),
        ({"nonsense": 3}, "unknown setting 'nonsense'"),
        ({"random_negatives": 0}, "random_negatives=0"),
        ({"in_batch_negatives": -1}, "in_batch_negatives=-1"),
    ],
)
def test_changes_that_concern_no_method_or_break_a_rule_are_refused(changes, words, data):
    with pytest.raises(InputError, match=words):
        jobs_of(data, changes=changes)


def test_a_change_without_any_trained_method_is_refused(data):
    with pytest.raises(InputError, match="does nothing"):
        jobs_of(data, methods=["PopRec"], changes={"random_negatives": 3})


def test_two_datasets_of_one_name_are_refused(data):
    with pytest.raises(InputError, match="same name"):
        plan([data, data], METHODS, repeats=1, seed=0, settings=SETTINGS)


def test_a_folder_that_cannot_be_is_refused(data, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"is a file, so .*study cannot be made; choose another --out"):
        compare(jobs_of(data), tmp_path / "file" / "study")


@pytest.mark.usefixtures("no_report")
def test_measuring_again_gives_the_same_figures_and_ranks(data, tmp_path):
    compare(jobs_of(data, settings=SETTINGS.replaced(epochs=2)), tmp_path)
    for run in (tmp_path / "runs").iterdir():
        metrics, ranks = (run / "metrics.json").read_text(), dict(np.load(run / "ranks.npz"))
        (run / "metrics.json").write_text(json.dumps(json.loads(metrics) | {"test": {}, "valid": {}}))
        list_anew(run)
        remeasure(run)
        assert (run / "metrics.json").read_text() == metrics
        now = dict(np.load(run / "ranks.npz"))
        assert sorted(now) == ["test", "test_GE", "valid", "valid_GE"]
        assert all(np.array_equal(ranks[part], now[part]) for part in now)


def test_measuring_again_refuses_what_is_not_there(tmp_path, finished):
    with pytest.raises(InputError, match="no finished run"):
        remeasure(tmp_path)
    run = next(run for run in (finished / "runs").iterdir() if "random" in run.name)
    copy = tmp_path / "copy"
    copy.mkdir()
    config = json.loads((run / "config.json").read_text())
    for path in run.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / "config.json").write_text(json.dumps(config | {"dataset_folder": str(tmp_path / "gone")}))
    list_anew(copy)
    with pytest.raises(InputError, match=r"neither in .*gone, where .* --data LOG, or move a study as a whole"):
        remeasure(copy)
    (copy / "config.json").write_text(json.dumps(config | {"dataset_fingerprint": "0" * 12}))
    list_anew(copy)
    with pytest.raises(InputError, match="neither in"):
        remeasure(copy)
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "model.safetensors").write_bytes(b"nothing")
    list_anew(copy)
    with pytest.raises(InputError, match=r"model.safetensors is damaged .* and run the same command again"):
        remeasure(copy)


def test_the_same_dataset_from_another_folder_has_the_same_runs(data, tmp_path):
    shutil.copytree(data.folder, tmp_path / "elsewhere")
    moved = open_dataset(tmp_path / "elsewhere")
    assert [job.name for job in jobs_of(moved)] == [job.name for job in jobs_of(data)]
