"""A study with folds: means, tests and figures by window, each beside a slow version made of the files of its runs."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from negsample import compare, open_dataset
from negsample.analysis.folds import folds_table, measured, ndcg_by_time
from negsample.analysis.per_user import events_of, mean_sample, sums_by_user
from negsample.analysis.reading import read_study
from negsample.analysis.study import Study
from negsample.analysis.trainings import cut_off
from negsample.data.dataset import Dataset
from negsample.data.load import load_folds
from negsample.errors import InputError
from negsample.models.baselines import BASELINES
from negsample.report.fold_charts import age_chart, window_chart
from negsample.report.palette import looks
from negsample.settings import PrepareSettings, run_settings
from negsample.studies.study import folds_of, plan

SMALL = {"epochs": 1, "dim": 4, "blocks": 1, "max_length": 4, "random_negatives": 3, "refit": False}
PREPARE = PrepareSettings(valid_fraction=0.1, test_fraction=0.1)
FOLDS = 3
METHODS = ["random", "popularity", "Repeat", "PopRec"]


def _runs(method: str) -> int:
    return FOLDS if method in BASELINES else 2 * FOLDS


def _log() -> pl.DataFrame:
    rng = np.random.default_rng(3)
    users = rng.integers(0, 45, 1500)
    items = (users * 3 + rng.integers(0, 12, 1500)) % 30
    days = np.sort(rng.integers(0, 300, 1500))
    return pl.DataFrame({"user": [f"u{each}" for each in users], "item": items, "time": 1_500_000_000 + 86_400 * days})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, list[Dataset], Path]:
    folder = tmp_path_factory.mktemp("folds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEGSAMPLE_CACHE", str(folder / "cache"))
        patch.setattr("negsample.comparison.write_report", lambda *given, **more: None)
        folds = load_folds(_log(), FOLDS, PREPARE)
        more = {"settings": SMALL, "prepare": PREPARE, "folds": FOLDS}
        study = compare(_log(), folder / "study", "random,popularity,Repeat", repeats=2, **more)  # type: ignore[arg-type]
    return study, folds, folder


def _files(study: Study, fold: Dataset, method: str) -> list[dict[str, Any]]:
    """metrics.json of each run on ``fold``, with its ranks on test and its seed; read without the package."""
    found = []
    for folder in sorted((study.folder / "runs").iterdir()):
        config = json.loads((folder / "config.json").read_text())
        if (config["dataset"], config["method"]) == (fold.name, method):
            at = json.loads((folder / "dial.json").read_text())["betas"].index(0.0)
            ranks_E = np.load(folder / "ranks.npz")["test_GE"][at]
            metrics = json.loads((folder / "metrics.json").read_text())
            found.append({"seed": config["seed"], "ranks_E": ranks_E} | metrics["test"])
    return sorted(found, key=lambda each: each["seed"])


def _tested(fold: Dataset) -> list[tuple[str, int]]:
    """(user's id, time) of each measured test event, in the order of the ranks."""
    ids, found = fold.user_ids().to_list(), []
    for user in range(fold.users):
        if fold.valid_ends[user] > fold.offsets[user]:
            events = range(fold.valid_ends[user], fold.offsets[user + 1])
            found += [(ids[user], int(fold.times[event])) for event in events]
    return found


def _gains(ranks_E: Any) -> list[float]:
    return [1 / np.log2(rank + 2) if rank < 10 else 0.0 for rank in ranks_E]


def test_a_log_is_one_dataset_with_means_over_its_folds(made: tuple[Study, list[Dataset], Path]) -> None:
    study, folds, _ = made
    assert study.datasets() == ["log"]
    assert study.about["folds"] == FOLDS
    assert study.about["datasets"] == [fold.name for fold in folds]
    assert study.manifests["log"]["fingerprint"] == folds[-1].fingerprint
    table = study.table()
    assert set(table["dataset"]) == {"log"}
    assert dict(zip(table["method"], table["runs"], strict=True)) == {method: _runs(method) for method in METHODS}
    assert set(table["folds"]) == {FOLDS}
    for row in table.iter_rows(named=True):
        of_folds = [_files(study, fold, row["method"]) for fold in folds]
        for name in ("hr@10", "ndcg@10", "tail_hr@10"):
            assert row[name] == pytest.approx(
                statistics.fmean(statistics.fmean(run[name] for run in runs) for runs in of_folds), abs=1e-15
            )
            by_seed = [statistics.fmean(each[name] for each in seed) for seed in zip(*of_folds, strict=True)]
            expected = statistics.stdev(by_seed) if len(by_seed) > 1 else None
            assert row[f"{name}_sd"] == (None if expected is None else pytest.approx(expected, abs=1e-15))


def test_what_a_method_has_in_more_runs_of_one_fold_weighs_no_more(made: tuple[Study, list[Dataset], Path]) -> None:
    """As while a study is not finished: the mean is over folds, not over runs; what a seed lacks is left out of sd."""
    study, folds, _ = made
    gone = next(run for run in study.runs_of("log", "random") if run.config["dataset"] == folds[1].name)
    fewer = replace(study, runs=[run for run in study.runs if run is not gone])
    row = fewer.table().row(by_predicate=pl.col("method") == "random", named=True)
    of_folds = [[run["hr@10"] for run in _files(study, fold, "random")] for fold in folds]
    del of_folds[1][gone.config["seed"]]
    assert row["hr@10"] == pytest.approx(statistics.fmean(map(statistics.fmean, of_folds)), abs=1e-15)
    assert row["hr@10_sd"] is None
    assert len(fewer.repeats_of("log", "random")) == 1
    assert set(fewer.significance().filter(pl.col("a") == "random")["untested"]) == {"one run of a method"}


def test_folds_csv_has_each_window_with_its_dates_and_the_age_of_the_models(
    made: tuple[Study, list[Dataset], Path],
) -> None:
    study, folds, _ = made
    rows = folds_table(study).rows(named=True)
    assert [(row["method"], row["fold"]) for row in rows] == [
        (method, number) for method in METHODS for number in (1, 2, 3)
    ]
    for row in rows:
        fold = folds[row["fold"] - 1]
        runs = _files(study, fold, row["method"])
        assert row["runs"] == len(runs)
        for name in ("hr@10", "ndcg@10"):
            assert row[name] == pytest.approx(statistics.fmean(run[name] for run in runs), abs=1e-15)
        ends = {"PopRec": fold.manifest.valid_start, "Repeat": fold.manifest.test_start}  # Repeat knows validation
        trained = [
            int(fold.times[event]) / 10**6
            for user in range(fold.users)
            for event in range(fold.offsets[user], fold.train_ends[user])
        ]
        end = max(trained)
        if row["method"] in ends:
            end = datetime.fromisoformat(ends[row["method"]]).replace(tzinfo=UTC).timestamp()
        ages = [(time / 10**6 - end) / 86_400 for _, time in _tested(fold)]
        assert row["age_days"] == pytest.approx(statistics.median(ages))
        assert row["test_from"] == fold.manifest.test_start
        assert row["test_to"] == fold.manifest.last_time
    assert rows[0]["test_to"] < rows[1]["test_from"] <= rows[1]["test_to"] < rows[2]["test_from"]


@pytest.mark.parametrize("measure", ["hr@10", "ndcg@10"])
def test_a_user_is_one_person_in_all_folds(made: tuple[Study, list[Dataset], Path], measure: str) -> None:
    """What each user, by the log's id, moves the mean over folds by: summed up in a loop over events."""
    study, folds, _ = made
    entry = ("random", (0.0,) * 6)
    found = mean_sample(sums_by_user(study, "log", events_of(study, "log"), [entry]), entry, measure, "all")
    persons = {person for fold in folds for person, _ in _tested(fold)}
    assert found.influence_SN.shape == (2, len(persons))
    assert len(persons) < sum(len({person for person, _ in _tested(fold)}) for fold in folds)
    for seed in range(2):
        moved = dict.fromkeys(persons, 0.0)
        figures = []
        for fold in folds:
            ranks_E, tested = _files(study, fold, "random")[seed]["ranks_E"], _tested(fold)
            gains = _gains(ranks_E) if measure == "ndcg@10" else [float(rank < 10) for rank in ranks_E]
            figures.append(sum(gains) / len(gains))
            for (person, _), gain in zip(tested, gains, strict=True):
                moved[person] += (gain - figures[-1]) / len(gains) / FOLDS
        assert found.figures_S[seed] == pytest.approx(statistics.fmean(figures), abs=1e-15)
        assert np.sort(found.influence_SN[seed]) == pytest.approx(sorted(moved.values()), abs=1e-15)


def test_significance_is_of_the_means_over_folds(made: tuple[Study, list[Dataset], Path]) -> None:
    study, _, _ = made
    table = study.table()
    ndcg = dict(zip(table["method"], table["ndcg@10"], strict=True))
    shown = study.significance().filter((pl.col("family") == "NDCG@10 in total") & (pl.col("dial_a") == "0"))
    plain = shown.filter(pl.col("dial_b").is_in(["0", ""]))
    assert len(plain) >= len(METHODS)
    for row in plain.iter_rows(named=True):
        assert row["difference"] == pytest.approx(ndcg[row["a"]] - ndcg[row["b"]], abs=1e-12)
        assert row["p"] is not None
    assert set(shown["runs"]) == {2}


def test_accuracy_by_time_is_of_the_events_of_all_folds(made: tuple[Study, list[Dataset], Path]) -> None:
    study, folds, _ = made
    rows = ndcg_by_time(study, "log")
    days: list[float] = []
    for fold in folds:
        start = datetime.fromisoformat(fold.manifest.test_start).replace(tzinfo=UTC).timestamp()
        days += [(time / 10**6 - start) / 86_400 for _, time in _tested(fold)]
    assert measured(study, "log")["events"] == len(days)
    for method in METHODS:
        own = [row for row in rows if row["method"] == method]
        assert sum(row["events"] for row in own) == len(days)
        assert sum(row["events"] * row["days"] for row in own) == pytest.approx(sum(days))
        gains = [
            statistics.fmean(seeds)
            for fold in folds
            for seeds in zip(*(_gains(run["ranks_E"]) for run in _files(study, fold, method)), strict=True)
        ]
        assert sum(row["events"] * row["ndcg"] for row in own) == pytest.approx(sum(gains))
        assert [row["days"] for row in own] == sorted(row["days"] for row in own)


def test_charts_have_a_line_a_method(made: tuple[Study, list[Dataset], Path]) -> None:
    study, _, _ = made
    look = looks(study.about["methods"])
    for chart in (window_chart(folds_table(study).rows(named=True), look), age_chart(ndcg_by_time(study, "log"), look)):
        assert chart is not None
        (rows,) = chart.to_dict()["datasets"].values()
        assert {row["method"] for row in rows} == set(METHODS)
    assert window_chart([], look) is None
    assert age_chart([], look) is None


def test_the_same_call_trains_nothing_and_other_folds_are_another_study(
    made: tuple[Study, list[Dataset], Path], monkeypatch: pytest.MonkeyPatch, no_report: None
) -> None:
    study, _, folder = made
    monkeypatch.setenv("NEGSAMPLE_CACHE", str(folder / "cache"))
    before = {path: path.stat().st_mtime_ns for path in (study.folder / "runs").rglob("*.safetensors")}

    def again(methods: str, folds: int | None) -> Study:
        more: dict[str, Any] = {"settings": SMALL, "prepare": PREPARE, "folds": folds}
        return compare(_log(), study.folder, methods, repeats=2, **more)

    assert repr(again("random,popularity,Repeat", FOLDS)) == repr(study)
    assert {path: path.stat().st_mtime_ns for path in (study.folder / "runs").rglob("*.safetensors")} == before
    for folds, now in ((2, "2"), (None, "none")):
        with pytest.raises(InputError, match=f"folds: 3, now {now}"):
            again("random", folds)
    assert cut_off(read_study(study.folder), "log") is not None  # one epoch: over the runs of all folds


def test_all_folds_have_the_settings_that_were_tuned_on_the_first(made: tuple[Study, list[Dataset], Path]) -> None:
    _, folds, _ = made
    tuned = {(folds[0].name, "random"): {"learning_rate": 0.5}, (folds[1].name, "random"): {"learning_rate": 0.1}}
    jobs = plan(folds, ["random"], repeats=1, seed=0, settings=run_settings(epochs=1), tuned=tuned)
    rates = {job.settings.training.learning_rate for job in jobs if job.method == "random"}
    assert rates == {0.5}
    assert folds_of(jobs) == FOLDS


def test_folds_are_of_logs_and_of_every_log(
    made: tuple[Study, list[Dataset], Path], world: Callable[..., Dataset], tmp_path: Path
) -> None:
    _, folds, _ = made
    with pytest.raises(InputError, match=r"folds are made of a log, and log\.fold-1-of-3 is prepared"):
        compare(folds[0], tmp_path / "study", "random", folds=2)
    jobs = plan([folds[0], world(users=30, items=20)], ["random"], repeats=1, seed=0, settings=run_settings(epochs=1))
    with pytest.raises(InputError, match=r"same number of folds of every log, got log\.fold-1-of-3 \(3 folds\)"):
        compare(jobs, tmp_path / "study")


def test_accuracy_by_age_needs_no_folds(tmp_path: Path, no_report: None) -> None:
    """Of a study of one window: the mean of the events in each stretch of time, from the saved ranks and the log."""
    settings = SMALL | {"history": "rolling"}
    prepare = PrepareSettings(valid_fraction=0.1, test_fraction=0.3)
    study = compare(_log(), tmp_path / "study", "random", repeats=2, settings=settings, prepare=prepare)  # type: ignore[arg-type]
    (name,), rows = study.datasets(), ndcg_by_time(study, study.datasets()[0])
    data = open_dataset(study.folder / "data" / name)
    ends, begins = np.asarray(data.offsets[1:]), np.asarray(data.valid_ends)
    known = np.flatnonzero((ends > begins) & (begins > np.asarray(data.offsets[:-1])))
    times = np.concatenate([data.times[begins[user] : ends[user]] for user in known])
    start = datetime.fromisoformat(study.manifests[name]["test_start"]).replace(tzinfo=UTC).timestamp()
    days = (times / 1e6 - start) / 86400
    for method in study.methods_of(name):
        own = [row for row in rows if row["method"] == method]
        assert len(own) > 1
        assert sum(row["events"] for row in own) == len(days)
        assert sum(row["days"] * row["events"] for row in own) == pytest.approx(days.sum())
        assert [row["days"] for row in own] == sorted(row["days"] for row in own)
        figure = statistics.fmean(run.metrics["test"]["ndcg@10"] for run in study.runs_of(name, method))
        assert sum(row["events"] * row["ndcg"] for row in own) / len(days) == pytest.approx(figure)
    assert age_chart(rows, looks(study.about["methods"])) is not None
    assert study.plot.age().to_dict()["description"].startswith("Accuracy by age of the model")


def test_where_parts_do_not_follow_in_time_nothing_has_an_age(tmp_path: Path, no_report: None) -> None:
    prepare = PrepareSettings(split="leave-one-out")
    study = compare(_log(), tmp_path / "study", "random", repeats=1, settings=SMALL, prepare=prepare)  # type: ignore[arg-type]
    assert ndcg_by_time(study, study.datasets()[0]) == []
