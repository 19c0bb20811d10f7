"""Frontiers against arithmetic by hand: what is reached, who is ahead, how surely; and what is recommended."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from make_study import BETAS, METHODS, list_anew, make_study

from negsample.analysis.analyse import analyse
from negsample.analysis.frontier import FLOORS, Reach, reaches, standings
from negsample.analysis.popularity import _edges, hits_by_popularity
from negsample.analysis.reading import read_study
from negsample.analysis.tables import SPREAD, dialled_rows
from negsample.analysis.verdict import advice_of
from negsample.evaluation.figures import balance, balances
from negsample.report import write_report
from negsample.report.tables import standing_table

pytestmark = pytest.mark.usefixtures("no_drawing")


def reach(method: str, *points: tuple[float, float], noise: float = 0.0) -> Reach:
    """A method with those points of (Balance, NDCG), and resamples that differ from them by so much."""
    chance = np.random.default_rng(len(method))
    balance_G, ndcg_G = np.array(points, dtype=float).T
    moved = ndcg_G + noise * chance.normal(size=(400, 1))
    return Reach(method, tuple(range(len(points))), balance_G, ndcg_G, np.tile(balance_G, (400, 1)), moved)


def slow_reached(points: list[tuple[float, float]], floor: float) -> float:
    """The highest NDCG of ten thousand points along each stretch whose Balance is at least ``floor``."""
    best = max((ndcg for at, ndcg in points if at >= floor - 1e-9), default=0.0)
    for (a, u), (b, v) in pairwise(points):
        for share in np.linspace(0, 1, 10_001):
            if a + share * (b - a) >= floor:
                best = max(best, u + share * (v - u))
    return best


@pytest.mark.parametrize(
    "points",
    [
        [(0.4, 0.3)],
        [(0.9, 0.1), (0.6, 0.3), (0.4, 0.2)],
        [(0.34, 0.0), (0.8, 0.2), (0.7, 0.35), (0.7, 0.1), (0.5, 0.3)],
    ],
)
def test_what_is_reached_is_the_best_along_the_curve(points):
    found = reach("one", *points).reached()
    for at in range(0, len(FLOORS), 20):
        assert found[at] == pytest.approx(slow_reached(points, FLOORS[at]), abs=2e-4)
    assert (np.diff(found) <= 0).all()


def test_the_hypervolume_is_the_area_over_the_reference_point():
    """A corner at (2/3, 0.4): half of the floors reach 0.4, the others nothing."""
    (standing,) = standings([reach("one", (2 / 3, 0.4))])
    assert standing.hypervolume == pytest.approx(0.2, rel=0.01)
    assert standing.adds == 1.0
    (low,) = standings([reach("PopRec", (1 / 3, 0.9))])
    assert low.hypervolume == pytest.approx(0.9 / len(FLOORS))  # one floor: nothing beside what everybody can do


def test_who_is_ahead_where_and_who_nowhere():
    accurate, even, behind = standings(
        [reach("accurate", (0.5, 0.4)), reach("even", (0.8, 0.3)), reach("behind", (0.6, 0.25))]
    )
    assert accurate.leads[0] == (pytest.approx(1 / 3), pytest.approx(0.5, abs=0.004))
    assert even.leads[0] == (pytest.approx(0.5, abs=0.004), pytest.approx(0.8, abs=0.004))
    assert accurate.share + even.share == pytest.approx(1)
    assert (behind.leads, behind.share, behind.adds, behind.undominated) == ((), 0.0, 0.0, 0.0)
    assert accurate.undominated == even.undominated == 1.0


def test_a_demand_that_costs_more_than_half_is_nobodys():
    good, extreme = standings([reach("good", (0.5, 0.4)), reach("extreme", (0.9, 0.19))])
    assert good.share == 1.0
    assert extreme.leads == ()
    assert extreme.adds > 0


def test_how_surely_is_the_share_of_resamples():
    """Two equal methods with noise of their own: each is ahead in about half of the resamples, and never surely."""
    one, other = standings([reach("one", (0.6, 0.3), noise=0.02), reach("another", (0.6, 0.3), noise=0.02)])
    assert 0.4 < one.undominated < 0.6
    assert one.best + other.best == pytest.approx(1)
    assert one.low < one.hypervolume < one.high
    ahead, behind = standings([reach("one", (0.6, 0.4), noise=0.01), reach("another", (0.6, 0.3), noise=0.01)])
    assert (ahead.best, behind.undominated) == (1.0, 0.0)


def test_a_level_method_is_ahead_too():
    one, other = standings([reach("one", (0.6, 0.3)), reach("two", (0.6, 0.3))])
    assert one.leads == other.leads != ()


def test_a_point_without_balance_reaches_nothing():
    assert reach("one", (math.nan, 0.0), (0.5, 0.2)).reached()[0] == 0.2
    assert standings([reach("one", (math.nan, 0.0))])[0].hypervolume == 0.0


def test_balances_are_those_of_each_row():
    rates = np.array([[0.1, 0.2, 0.3], [0.0, 0.0, 0.4], [0.2, 0.2, 0.2]])
    assert balances(rates) == pytest.approx([balance(*row) for row in rates])
    assert np.isnan(balances(np.zeros((1, 3)))).all()


@pytest.mark.usefixtures("every_replicate")
def test_resamples_spread_about_the_figures_of_the_ranks(whole_study: Path):
    """Their mean is the figure that the ranks give, their spread that of a bootstrap written out again."""
    study = read_study(whole_study)
    (found,) = [each for each in reaches(study, "beauty") if each.method == "mixed"]
    (events,) = study.events["beauty"]
    runs = study.runs_of("beauty", "mixed")
    ranks = np.stack([np.load(run.folder / "ranks.npz")["test_GE"][4] for run in runs])
    gains_SE = np.where(ranks < 10, 1 / np.log2(ranks + 2), 0.0)
    assert found.ndcg_RG is not None
    assert found.ndcg_RG[:, 4].mean() == pytest.approx(gains_SE.mean(), rel=0.02)
    chance = np.random.default_rng(0)
    users, owner = np.unique(events["user_E"], return_inverse=True)
    sums_SU = np.stack([np.bincount(owner, each) for each in gains_SE])
    counts_U = np.bincount(owner)
    means = []
    for _ in range(600):
        drawn, seeds = chance.integers(0, len(users), len(users)), chance.integers(0, len(runs), len(runs))
        means.append(sums_SU[seeds][:, drawn].mean(0).sum() / counts_U[drawn].sum())
    assert found.ndcg_RG[:, 4].std() == pytest.approx(np.std(means), rel=0.15)


def test_the_same_folder_gives_the_same_resamples(whole_study: Path):
    one, other = (standings(reaches(read_study(whole_study), "beauty")) for _ in range(2))
    assert one == other


def test_the_file_has_every_run_at_every_setting(whole_study: Path, tmp_path: Path):
    folder = make_study(tmp_path / "study", datasets=["beauty"], repeats=2)
    write_report(folder)
    table = pl.read_csv(folder / "frontier.csv")
    assert table.columns[:5] == ["dataset", "method", "seed", "dial", "chosen"]
    assert set(table.columns) >= {*SPREAD, "coverage@10", "valid_ndcg@10", "valid_balance@10"}
    assert len(table) == 2 * (9 * (len(METHODS) - 1) + 1)
    grid = json.loads((folder / "runs" / "0-mixed-1" / "dial.json").read_text())
    for beta, figures in zip(BETAS, grid["test"], strict=True):
        (row,) = table.filter(method="mixed", seed=1, dial=beta).to_dicts()
        assert row["ndcg@10"] == pytest.approx(figures["ndcg@10"], abs=0)
        assert row["tail_hr@10"] == pytest.approx(figures["tail_hr@10"], abs=0)
        assert row["chosen"] == (beta == 0)
    assert table.filter(method="PopRec")["dial"].unique().to_list() == [0.0]


def test_hits_by_popularity_add_up_to_the_hits(whole_study: Path):
    study = read_study(whole_study)
    rows = [row for row in hits_by_popularity(study, "beauty") if row["method"] == "mixed" and row["dial"] == -0.5]
    total = sum(row["events"] for row in rows)
    runs = study.runs_of("beauty", "mixed")
    expected = np.mean([(np.load(run.folder / "ranks.npz")["test_GE"][2] < 10).mean() for run in runs])
    assert total == len(study.events["beauty"][0]["user_E"])
    assert sum(row["events"] * row["hr"] for row in rows) / total == pytest.approx(expected)
    at = [row["percentile"] for row in rows]
    assert at == sorted(at)


def test_no_bin_of_popularity_is_left_with_a_handful_of_events():
    """A quarter of the events less two are on one value (cold items): the first quartile falls just beside it."""
    chance = np.random.default_rng(2)
    percentile_E = np.concatenate([np.zeros(248), 0.01 + chance.random(752)])
    edges = _edges(percentile_E, 12)
    counts = np.bincount(np.searchsorted(edges, percentile_E, side="left"))
    assert counts.min() >= 1000 / 12 / 2
    assert counts[0] == 248
    assert len(_edges(np.zeros(50), 3)) == 0


def test_what_is_advised_is_chosen_on_validation_and_measured_on_test(tmp_path: Path):
    """With the test figures turned upside down the same settings are advised."""
    folder = make_study(tmp_path / "study", datasets=["beauty"], methods=["mixed", "PopRec"], repeats=2)
    study = read_study(folder)
    advised = advice_of(study, "beauty")
    rows = {row["dial"]: row for row in dialled_rows(study, "beauty", "valid") if row["method"] == "mixed"}
    best = max(row["ndcg@10"] for row in rows.values())
    able = [beta for beta, row in rows.items() if row["ndcg@10"] >= 0.9 * best]
    taken = [each.chosen["dial"] for each in advised.purposes if each.chosen]
    assert taken == [
        max(rows, key=lambda beta: rows[beta]["ndcg@10"]),
        max(able, key=lambda beta: rows[beta]["tail_hr@10"]),
        max(able, key=lambda beta: rows[beta]["balance@10"]),
    ]
    assert taken[1] < taken[0]
    for path in folder.rglob("dial.json"):
        grid = json.loads(path.read_text())
        path.write_text(json.dumps(grid | {"test": grid["test"][::-1]}))
    list_anew(folder)
    upset = advice_of(read_study(folder), "beauty")
    for before, after in zip(advised.purposes, upset.purposes, strict=True):
        assert before.chosen
        assert after.chosen
        assert before.chosen["dial"] == after.chosen["dial"]
        assert before.chosen["dial"] == 0 or before.chosen["ndcg@10"] != after.chosen["ndcg@10"]


def test_frontiers_are_listed_by_their_hypervolume(whole_study: Path):
    found = analyse(read_study(whole_study)).datasets["beauty"]
    lines = standing_table(found.standings).lines
    volumes = [float(line[1]) for line in lines]
    assert volumes == sorted(volumes, reverse=True)
    assert {line[4] for line in lines} > {"nowhere"}


def test_methods_alike_in_every_resample_are_the_largest_in_all():
    one, other = standings([reach("one", (0.6, 0.3)), reach("two", (0.6, 0.3))])
    assert (one.best, other.best) == (1.0, 1.0)
