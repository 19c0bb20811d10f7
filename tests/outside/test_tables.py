"""What a study's tables say, from the metrics of its runs."""

from __future__ import annotations

import json

import pytest
from make_study import make_study
from slow import frontier

from negsample.analysis.frontier import reaches, standings
from negsample.analysis.reading import read_study
from negsample.analysis.tables import frontier_table, study_table

METHODS = ("random", "in-batch", "adaptive-mixed", "PopRec")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A generated study, and of each method what its runs' files say: metrics and grid of the dial."""
    path = make_study(tmp_path_factory.mktemp("tables") / "study", datasets=("beauty",), methods=METHODS)
    found = {}
    for name in json.loads((path / "study.json").read_text())["runs"]:
        folder = path / "runs" / name
        method = json.loads((folder / "config.json").read_text())["method"]
        both = [json.loads((folder / file).read_text()) for file in ("metrics.json", "dial.json")]
        found.setdefault(method, []).append(both)
    return read_study(path), found


def test_means_and_standard_deviations(study):
    read, runs = study
    compared = 0
    for row in study_table(read).iter_rows(named=True):
        of = runs[row["method"]]
        assert row["runs"] == len(of)
        for name in (column for column in row if "@" in column and not column.endswith("_sd")):
            mean, sd = frontier.spread([metrics["test"][name] for metrics, _ in of])
            assert row[name] == pytest.approx(mean, abs=1e-12)
            if f"{name}_sd" in row and len(of) > 1:
                assert row[f"{name}_sd"] == pytest.approx(sd, abs=1e-12)
                compared += 1
    assert compared > 20


def test_every_run_at_every_setting(study):
    read, runs = study
    table = frontier_table(read)
    assert table.height == sum(len(grid["betas"]) for of in runs.values() for _, grid in of)
    for row in table.iter_rows(named=True):
        (grid,) = (grid for metrics, grid in runs[row["method"]][row["seed"] : row["seed"] + 1])
        place = grid["betas"].index(row["dial"] or 0.0)
        assert row["ndcg@10"] == pytest.approx(grid["test"][place]["ndcg@10"], abs=1e-12)
        assert row["balance@10"] == pytest.approx(grid["test"][place]["balance@10"], abs=1e-12)
        assert row["valid_ndcg@10"] == pytest.approx(grid["valid"][place]["ndcg@10"], abs=1e-12)


def test_hypervolumes(study):
    """Of the curves of means over runs."""
    read, runs = study
    found = reaches(read, "beauty")
    for reach, standing in zip(found, standings(found), strict=True):
        grids = [grid for _, grid in runs[reach.method]]
        curve = []
        for place, _ in enumerate(grids[0]["betas"]):
            figures = [grid["test"][place] for grid in grids]
            curve.append(
                tuple(frontier.spread([each[name] for each in figures])[0] for name in ("balance@10", "ndcg@10"))
            )
        grid_of_floors = max(ndcg for _, ndcg in curve) / 150  # the product looks at 201 floors
        assert standing.hypervolume == pytest.approx(frontier.hypervolume(curve), abs=grid_of_floors), reach.method
