"""Charts one by one, in a notebook: the same as the report's."""

from __future__ import annotations

from pathlib import Path

import pytest
from make_study import METHODS, make_study

from negsample import InputError
from negsample.analysis.reading import read_study
from negsample.report.drawing import drawn
from negsample.report.figures import dataset_figures
from negsample.report.plots import Plots

OTHERS = {"windows", "age", "over_logs", "effects_by_log", "changes"}  # of folds, of several logs, of two studies


@pytest.fixture(scope="module")
def plot(tmp_path_factory: pytest.TempPathFactory) -> Plots:
    folder = tmp_path_factory.mktemp("plots") / "study"
    return read_study(make_study(folder, datasets=["a", "b"], methods=METHODS[:3] + METHODS[-1:], tuned=True)).plot


def test_each_is_drawn_light_and_dark(plot: Plots) -> None:
    names = sorted(set(dir(plot)) - OTHERS)
    assert {"frontier", "significance", "critical_difference", "cohorts", "dial", "validation"} <= set(names)
    charts = [getattr(plot, name)("a", dark=dark).to_dict() for name in names for dark in (False, True)]
    assert [each and each[:4] for each in drawn(charts, {})] == ["<svg"] * 2 * len(names)
    light, dark = (plot.frontier("a", dark=dark).to_dict()["config"]["background"] for dark in (False, True))
    assert (light, dark) == ("#ffffff", "#15181c")


def test_the_specification_is_that_of_the_report(plot: Plots) -> None:
    (figure,) = (each for each in dataset_figures(plot._study.analysis, "a") if each.name == "significance--a")
    chart = plot.significance("a").to_dict()
    assert chart["datasets"] == figure.spec["datasets"]
    assert chart["layer"] == figure.spec["layer"]


def test_the_dial_has_a_control(plot: Plots) -> None:
    (dial,) = (each for each in plot.cohorts("a").to_dict()["params"] if each["name"] == "dial")
    assert dial["bind"]["options"][0] == 0
    assert len(dial["bind"]["options"]) == 9


def test_what_cannot_be_drawn_is_said(plot: Plots) -> None:
    with pytest.raises(InputError, match="dataset must be one of those of the study: a, b; got None"):
        plot.frontier()
    with pytest.raises(InputError, match="the study has nothing of a for the chart by-window"):
        plot.windows("a")
    with pytest.raises(InputError, match="dark must be"):
        plot.frontier("a", dark="yes")  # type: ignore[arg-type]


def test_of_one_dataset_no_name_is_needed(tmp_path: Path) -> None:
    study = read_study(make_study(tmp_path / "s", datasets=["a"], methods=METHODS[:2], repeats=1))
    assert study.plot.cohorts().to_dict()["description"].startswith("Hit rate by cohort, a.")
    assert "frontier()" in repr(study.plot)
