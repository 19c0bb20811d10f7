"""Two studies of one log: differences of the very same users, found again from the ranks in the runs' folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import stats
from several_studies import made

from benchmarks.reliability.studies.checker.pairs import Pair
from benchmarks.reliability.studies.checker.place import Place
from benchmarks.reliability.studies.checker.raw import Floats, Raw
from negsample import InputError, read_study
from negsample.analysis.several import changes_between, several
from negsample.analysis.two_studies import Change
from negsample.runs.folder import Run

FIGURES = {"ndcg@10": "NDCG@10", "tail_hr@10": "tail HR@10", "balance@10": "Balance@10"}


def change_of(folder: Path, kind: str, seed: int = 3) -> Change:
    (found,) = made(folder, kind, seed).changes()
    return found


@pytest.mark.parametrize("kind", ["two-studies", "two-studies-folds", "two-studies-dial", "two-studies-few-users"])
def test_the_tests_are_those_of_arithmetic_of_its_own(tmp_path: Path, kind: str) -> None:
    found = change_of(tmp_path, kind)
    for study in (found.before.study, found.after.study):
        study.significance().write_csv(study.folder / "significance.csv")  # the checker reads it
    places = [Place(Raw(tmp_path / name), found.after.found.dataset, label=name) for name in ("before", "after")]
    for measure, figure in FIGURES.items():
        own = Pair(*places).tests(figure)
        assert found.tests[measure].keys() == own.keys()
        for name, each in found.tests[measure].items():
            assert each.untested == own[name].untested
            known = (own[name].difference, own[name].p, own[name].low, own[name].high, own[name].p_equivalent)
            assert (each.difference, each.p_holm, each.low, each.high, each.p_equivalent_holm) == pytest.approx(known)


def test_a_difference_is_that_of_the_ranks_and_its_error_holds_the_users(tmp_path: Path) -> None:
    """Of a mean over events with users as clusters, the error is that of a ratio of sums; seeds come on top."""
    found = change_of(tmp_path, "two-studies")
    sides = found.before.study, found.after.study
    user_E = sides[0].events["shop"][0]["user_E"]
    assert user_E.tolist() == sides[1].events["shop"][0]["user_E"].tolist()
    for name, test in found.tests["ndcg@10"].items():
        gains = [np.mean([gain(run) for run in study.runs_of("shop", name)], axis=0) for study in sides]
        apart_E = gains[1] - gains[0]
        moved_U = np.bincount(user_E, apart_E - apart_E.mean()) / len(apart_E)
        by_users = np.sqrt((moved_U**2).sum() * len(moved_U) / (len(moved_U) - 1))
        assert test.difference == pytest.approx(apart_E.mean(), abs=1e-12)
        assert test.error is not None
        assert by_users * (1 - 1e-9) <= test.error <= 3 * by_users
        if test.difference:
            p = 2 * stats.t.sf(abs(test.difference) / test.error, test.freedom)
            assert test.p == pytest.approx(p, abs=1e-9)


def gain(run: Run) -> Floats:
    """(E,) NDCG@10 of each event, at the run's dial."""
    betas = json.loads((run.folder / "dial.json").read_text())["betas"]
    with np.load(run.folder / "ranks.npz") as stored:
        rank_E = stored["test_GE"][betas.index(run.metrics["dial"])]
    return np.where(rank_E < 10, 1 / np.log2(np.minimum(rank_E, 10) + 2), 0.0)


def test_the_same_runs_have_no_difference(tmp_path: Path) -> None:
    found = change_of(tmp_path, "two-studies-same")
    assert found.why == ""
    assert found.settings == ()
    for tests in found.tests.values():
        assert tests.keys() == set(found.methods)
        for each in tests.values():
            assert (each.difference, each.p, each.significant) == (0, 1, False)


def test_other_test_events_are_not_paired(tmp_path: Path) -> None:
    found = change_of(tmp_path, "two-studies-other-events")
    assert found.why.endswith("measured events that are not the same")
    assert found.tests == {}
    table = found.after.study.changes(found.before.study)
    assert table["p"].null_count() == table.height > 0
    assert set(table["untested"]) == {found.why}
    own = found.after.study.table().select("method", after="ndcg@10")
    joined = table.filter(pl.col("measure") == "ndcg@10").join(own, on="method", suffix="_own")
    assert joined["after"].to_list() == joined["after_own"].to_list()


def test_what_differs_is_named_with_both_values(tmp_path: Path) -> None:
    found = change_of(tmp_path, "two-studies")
    recorded = {each.name: (each.before, each.after, each.of) for each in found.settings}
    assert recorded["learning_rate"] == (0.001, 0.003, found.methods)
    assert recorded["dim"][:2] == (50, 64)


def test_studies_of_other_logs_have_no_changes(tmp_path: Path) -> None:
    found = made(tmp_path, "two-logs")
    assert found.changes() == []
    with pytest.raises(InputError, match="the studies have no log in common: shop; and news"):
        changes_between(*found.studies)
    with pytest.raises(InputError, match="before must be a Study"):
        found.studies[0].changes("x")  # type: ignore[arg-type]


def test_a_study_is_given_once_and_has_a_name_of_its_own(tmp_path: Path) -> None:
    found = made(tmp_path / "x", "two-studies-same")
    with pytest.raises(InputError, match="is given twice"):
        several([found.studies[0], read_study(found.studies[0].folder)])
    with pytest.raises(InputError, match="two or more, got 1"):
        several(found.studies[:1])
    (tmp_path / "y").mkdir()
    (tmp_path / "x" / "before").rename(tmp_path / "y" / "after")
    moved = several([read_study(tmp_path / "x" / "after"), read_study(tmp_path / "y" / "after")])
    assert moved.labels == ("x/after", "y/after")


def test_a_log_in_several_studies_is_not_compared_over_logs(tmp_path: Path) -> None:
    found = made(tmp_path, "logs-and-studies")
    assert found.repeated == ["shop"]
    assert found.over_logs() == {}
    assert [each.after.label for each in found.changes()] == ["later"]
